"""What `haos repair --rebuild-record` prints, and how it goes on as an ordinary repair: whole output."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cli.conftest import Haos
from tests.fakes import FakeCloud, World, node
from tests.records import edit_port, recorded, reservation_of
from tests.workflow.tampering import NAME
from tests.workflow.test_record_rebuild import lose_port, made

REBUILD = ("repair", NAME, "--rebuild-record", "--network", "ha_lab", "--nodes", "ha_first,ha_second")
PLAN = """\
Pair {name}: its record, as the nodes and the cloud know it
  - {old}
  + {new}
  VIP                10.200.51.2  (ha_first and ha_second's own files)
  VRID               1  (ha_first and ha_second's own files)
  mode               garp  (ha_first and ha_second's own files)
  timing             interval 0.3 s, preempt delay 5 s  (ha_first and ha_second's own files)
  priorities         ha_first 240, ha_second 230  (ha_first and ha_second's own files)
  what haos added    {added}  (ha_first and ha_second's own files; packages: haos's own marks on the nodes)
  reservation port   {where}
  proven             no  (assumed: nobody but the record knew; the next create tries a failover)
"""
ADDED = "ha_first: address pair, security group, package; ha_second: address pair, security group, package"


@pytest.fixture
def world() -> World:
    return made()


def plan(world: World, *, old: str, where: str, new: str) -> str:
    return PLAN.format(name=NAME, old=old, new=new, added=ADDED, where=where)


def test_a_record_that_was_edited(haos: Haos, world: World) -> None:
    new = reservation_of(world).description.replace("v=1", "v=0")
    edit_port(world, description="a\x1b[2J\nb")
    ended = haos(*REBUILD)
    assert (ended.code, ended.out) == (
        0,
        plan(world, old="a [2J b", where=f"haos-vip-{NAME}  (it has 10.200.51.2)", new=new)
        + f"  ~ port           haos-vip-{NAME}: the record\n"
        + "Plan: 0 to add, 1 to change, 0 to remove.\n"
        + f"Pair {NAME}: VIP 10.200.51.2 on ha_lab\n"
        + "Nothing to repair.\n"
        + f"Pair {NAME} is as its record says; nothing had to be repaired. VIP 10.200.51.2 answers from ha_first.\n",
    )
    assert reservation_of(world).description == new


def test_a_port_that_was_deleted(haos: Haos, world: World) -> None:
    new = reservation_of(world).description.replace("v=1", "v=0")
    lose_port(world)
    ended = haos(*REBUILD, "--dry-run", "--exit-code")
    assert (ended.code, ended.out) == (
        3,
        plan(world, old="the reservation port is gone", where="made anew  (none has the VIP)", new=new)
        + f"  + port           haos-vip-{NAME}: 10.200.51.2, MAC 00:00:5e:00:01:01 (VRID 1)\n"
        + f"  ~ security group haos-{NAME}: marked with its new reservation port\n"
        + "Plan: 1 to add, 1 to change, 0 to remove.\n",
    )
    assert not FakeCloud(world).reservations()
    assert haos(*REBUILD).code == 0
    assert haos("status").code == 0
    assert recorded(world).name == NAME


def test_it_goes_on_with_what_else_is_to_be_repaired(haos: Haos, world: World) -> None:
    edit_port(world, description="")
    node(world, "ha_second").daemon = False
    ended = haos(*REBUILD)
    assert ended.code == 0
    assert "  - (empty)\n" in ended.out
    assert "! ha_second: keepalived does not run" in ended.out
    assert "1 change made" in ended.out


def test_there_may_be_nothing_to_write(haos: Haos, world: World) -> None:
    ended = haos(*REBUILD, "--dry-run", "--exit-code")
    assert ended.code == 0
    assert f"    {reservation_of(world).description}\n" in ended.out
    assert ended.out.endswith("The record says so already.\n")


def test_a_program_reads_how_it_ended(haos: Haos, world: World) -> None:
    edit_port(world, description="x")
    ended = haos(*REBUILD, "-f", "json")
    assert ended.code == 0
    assert json.loads(ended.out)["Healthy"] is True
    assert "  - x\n" in ended.err


def test_by_hand(haos: Haos, world: World) -> None:
    new = reservation_of(world).description.replace("v=1", "v=0")
    lose_port(world)
    before = world.snapshot()
    ended = haos(*REBUILD, "--explain")
    assert ended.code == 0
    assert world.snapshot() == before
    lines = ended.out.splitlines()
    [made_port] = [line for line in lines if line.startswith("port=$(openstack port create")]
    assert f"--description '{new}'" in made_port
    [group] = [one for one in world.groups.values() if one.name == f"haos-{NAME}"]
    assert f'openstack security group set --description "haos:vip $port" {group.id}' in lines
    subprocess.run(["sh", "-n"], input=ended.out, text=True, check=True)


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("repair", "--rebuild-record"), "--rebuild-record goes with --network and --nodes"),
        (("repair", "--rebuild-record", "--network", "n"), "--rebuild-record goes with --network and --nodes"),
        (("repair", "--nodes", "a,b"), "--network, --nodes and --as-on go with --rebuild-record"),
        (("repair", "--as-on", "a"), "--network, --nodes and --as-on go with --rebuild-record"),
        ((*REBUILD[:-1], "ha_first,,b"), "'ha_first,,b' holds an empty name"),
        (("repair", "a/b", *REBUILD[2:]), "'a/b' cannot be a pair's name"),
    ],
)
def test_what_does_not_go_together(haos: Haos, argv: tuple[str, ...], reason: str) -> None:
    ended = haos(*argv)
    assert ended.code == 2
    assert reason in ended.err


def test_what_cannot_be_done_is_one_line_with_the_command_that_helps(haos: Haos, world: World) -> None:
    edit_port(world, description="", device_owner="compute:nova", device_id="5")
    ended = haos(*REBUILD)
    assert ended.code == 5
    assert "by now" in ended.err
    assert "hint: openstack port show" in ended.err
