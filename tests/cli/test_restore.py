"""What people read of a fault that a failover test has left, and of its end."""

from __future__ import annotations

import json

import pytest

from haos.core.intent import Intent
from haos.workflow.cloud_side import PORT_DOWN
from haos.workflow.resolve import find_pair
from tests.cli.conftest import Haos
from tests.fakes import World, context_of

LEFT = "fault port-down on ha_first was announced until 2026-11-23 21:57:40 UTC and is still there"
HINT = "undo: haos failover-test --restore ha_first-ha_second"


@pytest.fixture
def struck(world: World, haos: Haos) -> World:
    """A pair whose first port a failover test, and its guardian, have left down."""
    assert haos("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second").code == 0
    cloud = context_of(world).cloud
    pair, reservation = find_pair(cloud, None)
    port = cloud.port(pair.members[0].port_id)
    cloud.add_tag(reservation.id, Intent(PORT_DOWN.fault, port.id, 1795471060).tag)
    PORT_DOWN.inject(cloud, port)
    return world


def test_status_names_it(haos: Haos, struck: World) -> None:
    ended = haos("status")
    assert ended.code == 4
    assert LEFT in " ".join(ended.out.split())
    assert HINT in ended.out


def test_status_tells_programs(haos: Haos, struck: World) -> None:
    [line] = json.loads(haos("status", "-f", "json").out)["Faults Pending"]
    assert line.startswith(LEFT)


def test_list_marks_it(haos: Haos, struck: World) -> None:
    assert haos("list", "-f", "value", "-c", "Status").out == "fault pending: port-down on ha_first\n"


@pytest.mark.parametrize(
    "command", ["create --network ha_lab --nodes ha_first,ha_second", "failover-test", "switchover"]
)
def test_others_refuse(haos: Haos, struck: World, command: str) -> None:
    ended = haos(*command.split())
    assert ended.code == 5
    assert LEFT in ended.err
    assert HINT in ended.err


def test_restore_says_what_it_did_and_then_that_there_is_nothing(haos: Haos, struck: World) -> None:
    ended = haos("failover-test", "--restore")
    assert (ended.code, ended.out.strip()) == (
        0,
        "- undid port-down on ha_first\nPair ha_first-ha_second is restored.",
    )
    again = haos("failover-test", "--restore", "ha_first-ha_second")
    assert again.code == 0
    assert "nothing to restore" in again.out


def test_restore_injects_nothing(haos: Haos, struck: World) -> None:
    ended = haos("failover-test", "--restore", "--fault", "stop")
    assert ended.code == 2
    assert "contradict" in ended.err


def test_teardown_by_hand_undoes_it_first(haos: Haos, struck: World) -> None:
    script = haos("teardown", "--explain").out
    up, untag = script.index("openstack port set --enable"), script.index("openstack port unset --tag haos-fault:")
    assert up < untag < script.index("ssh ")


def test_the_plan_of_a_teardown_lists_it(haos: Haos, struck: World) -> None:
    assert "- fault port-down on ha_first" in haos("teardown", "--dry-run").out
