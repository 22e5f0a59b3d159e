"""`haos switchover`: the whole of what it prints, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest
from tests.cli.conftest import Haos
from tests.fakes import World, context_of

PLAN = """\
Pair ha_first-ha_second: VIP 10.200.51.2 moves from ha_first to ha_second
  ~ weight         ha_second: its priority is raised to 254, by a file and without a reload
  ~ port           haos-vip-ha_first-ha_second: the record (ha_first 230, ha_second 240)
  ~ file           ha_second: /etc/keepalived/haos.d/ha_first-ha_second.conf, priority 230 -> 240
  ~ service        ha_second: keepalived reloaded
  ~ file           ha_first: /etc/keepalived/haos.d/ha_first-ha_second.conf, priority 240 -> 230
  ~ service        ha_first: keepalived reloaded
  ~ weight         ha_second: none again
Predicted outage: none, no probe lost; ha_second takes over after its preempt delay of 5 s
"""
RESULT = """\
switchover ha_first -> ha_second: no probe lost  PASS
VIP 10.200.51.2 of pair ha_first-ha_second answers from ha_second, and stays there.
"""


@pytest.fixture
def pair(world: World) -> Callable[..., None]:
    """Make a pair as a request says."""

    def make(**wanted: object) -> None:
        for node in world.nodes.values():
            node.package = "2.2.7"
        ctx = context_of(world)
        request = CreateRequest("ha_lab", ("ha_first", "ha_second"), **wanted)  # type: ignore[arg-type]
        create(prepare(request, ctx), ctx, lambda _: None)
        world.effects.names.clear()

    return make


def test_it_says_what_it_does_and_how_it_ended(haos: Haos, pair: Callable[..., None]) -> None:
    pair()
    ended = haos("switchover")
    assert ended.code == 0
    assert ended.out == PLAN + RESULT
    titles = [line.split(maxsplit=1)[1].rsplit("  ", 1)[0] for line in ended.err.splitlines() if " ok " in line]
    assert titles[2:] == [
        "ask 10.200.51.2 from observer",
        "raise ha_second",
        "wait until ha_second is Active, after its preempt delay of 5 s",
        "write the record",
        "write the new priority on ha_second",
        "write the new priority on ha_first",
        "let ha_second count as its priority says",
        "see that ha_second keeps the VIP",
    ]
    assert ended.err.splitlines()[-1] == "the other way: haos switchover ha_first-ha_second --to ha_first"


def test_a_dry_run_changes_nothing(haos: Haos, world: World, pair: Callable[..., None]) -> None:
    pair()
    ended = haos("switchover", "--dry-run")
    assert (ended.code, ended.out) == (0, PLAN)
    assert world.effects.names == []


def test_back_and_already_there(haos: Haos, pair: Callable[..., None]) -> None:
    pair()
    there = haos("switchover", "--back")
    assert there.code == 0
    assert there.out == "Pair ha_first-ha_second: VIP 10.200.51.2 stays on ha_first\nNothing to do.\n"
    assert haos("switchover", "--to", "ha_second", "-q").out == PLAN + RESULT
    assert "moves from ha_second to ha_first" in haos("switchover", "--back").out


def test_programs_get_one_object_and_nothing_else_on_stdout(haos: Haos, pair: Callable[..., None]) -> None:
    pair()
    ended = haos("switchover", "-f", "json")
    assert json.loads(ended.out) == {
        "Pair": "ha_first-ha_second",
        "VIP": "10.200.51.2",
        "From": "ha_first",
        "To": "ha_second",
        "Moved": True,
        "Lost Probes": 0,
        "Outage": 0.0,
        "Bound": 0.02,
        "Verdict": "PASS",
        "Reason": "no probe was lost",
    }
    assert PLAN.splitlines()[0] in ended.err
    there = json.loads(haos("switchover", "--to", "ha_second", "-f", "json").out)
    assert (there["Moved"], there["Verdict"]) == (False, None)


@pytest.mark.parametrize(
    ("wanted", "promise"),
    [
        (
            {"preempt": False},
            "Predicted outage, at most: 0.002 s (skew (256-254)/256 x 0.3 s): without preemption a higher priority "
            "moves nothing, so the Active leaves first",
        ),
        (
            {"bfd": True},
            "Predicted outage, at most: 0.180 s (what BFD and the Backup's own wait take): the Backup waits in "
            "Fault, so the Active leaves first",
        ),
    ],
)
def test_where_the_active_has_to_leave_first_the_bound_is_said(
    haos: Haos, pair: Callable[..., None], wanted: dict[str, object], promise: str
) -> None:
    pair(**wanted)
    ended = haos("switchover")
    assert promise in ended.out.splitlines()
    assert "ha_first: /etc/keepalived/haos.d/ha_first-ha_second.conf, aside, guarded by a timer\n" in ended.out
    assert ended.code == 0


def test_what_was_lost_is_counted_and_more_than_was_promised_is_no_success(
    haos: Haos, world: World, pair: Callable[..., None]
) -> None:
    pair(preempt=False)
    world.takeover_s = 0.5
    ended = haos("switchover")
    assert ended.code == 4
    assert "switchover ha_first -> ha_second: 50 probes lost, outage 0.500 s" in ended.out
    assert "answers from ha_second, and stays there" in ended.out


def test_without_an_observer_that_is_said(haos: Haos, world: World, pair: Callable[..., None]) -> None:
    pair()
    for key, one in world.instances.items():
        if one.name == "observer":
            del world.instances[key]
            break
    ended = haos("switchover")
    assert ended.code == 0
    assert "outage unknown (no observer watched: nobody saw from outside how long the VIP was gone)" in ended.out
    assert "is on ha_second, as the nodes see it, and stays there." in ended.out


def test_to_and_back_contradict_each_other(haos: Haos) -> None:
    ended = haos("switchover", "--to", "ha_second", "--back")
    assert ended.code == 2
    assert "--to and --back say where to, both" in ended.err


def test_a_person_is_asked(
    haos: Haos, world: World, pair: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair()
    monkeypatch.setattr("haos.cli.asking.on_terminal", lambda: True)
    monkeypatch.setattr("haos.cli.asking.ask", lambda _: False)
    refused = haos("switchover")
    assert refused.code == 1
    assert "you said no; nothing was changed" in refused.err
    assert world.effects.names == []
    assert haos("switchover", "--yes").code == 0
