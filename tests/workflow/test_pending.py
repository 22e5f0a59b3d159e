"""A fault that a failover test has left, its guardian dead too: every command names it, and two undo it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from haos.core.checks import Severity
from haos.core.intent import Intent
from haos.errors import CloudError, Interrupted, LeftoverError, UnsatisfiableError
from haos.workflow.check import check_pair
from haos.workflow.cloud_side import PAUSE, PORT_DOWN, POWER_OFF, SIDES, CloudSide
from haos.workflow.create import create, prepare
from haos.workflow.failover import plan_failover
from haos.workflow.intent import announced
from haos.workflow.listing import list_pairs
from haos.workflow.request import CreateRequest, FailoverRequest
from haos.workflow.resolve import find_pair, pair_nodes
from haos.workflow.restore import restore
from haos.workflow.status import status
from haos.workflow.teardown import plan_teardown, teardown
from tests.fakes import Killed, World, context_of, howto_world, killed_at

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))
NAMED = "was announced until"
HINT = "undo: haos failover-test --restore ha_first-ha_second"


def made() -> World:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    world.clock.sleep(10.0)
    world.effects.names.clear()
    return world


@pytest.fixture
def world() -> World:
    return made()


def make(side: CloudSide, world: World) -> None:
    """Make a fault on the first node, and end it."""
    ctx = context_of(world)
    pair, _ = find_pair(ctx.cloud, None)
    nodes, _ = pair_nodes(ctx.cloud, pair)
    node = nodes[pair.members[0].port_id]
    with announced(side, node, pair, 60.0, ctx):
        side.inject(ctx.cloud, node.port)


def kill_at(world: World, side: CloudSide, at: int, when: str) -> None:
    """Kill haos, and its guardian, at one effect of a fault."""
    world.effects.strike = killed_at(at, when)
    with pytest.raises(Killed):
        make(side, world)
    world.effects.strike = lambda *_: None


@pytest.fixture
def struck(world: World) -> World:
    """A world in which haos died while a port was down."""
    kill_at(world, PORT_DOWN, 1, "after")
    return world


def test_status_names_it_and_is_not_healthy(struck: World) -> None:
    seen = status(None, None, context_of(struck))
    assert not seen.healthy
    [line] = seen.pending
    assert line.startswith(f"fault port-down on ha_first {NAMED} ")


def test_status_is_not_healthy_with_nothing_but_the_announcement(world: World) -> None:
    assert status(None, None, context_of(world)).healthy
    kill_at(world, PAUSE, 0, "after")
    assert not status(None, None, context_of(world)).healthy


def test_list_marks_it(struck: World) -> None:
    [row] = list_pairs(context_of(struck).cloud)
    assert row.status == "fault pending: port-down on ha_first"


def test_check_names_it_first(struck: World) -> None:
    report = check_pair(None, None, context_of(struck))
    assert not report.ok
    assert (report.findings[0].code, report.findings[0].severity) == ("fault-pending", Severity.BLOCKER)
    assert report.findings[0].remedy == HINT


def test_create_refuses_and_names_the_remedy(struck: World) -> None:
    before = struck.snapshot()
    with pytest.raises(UnsatisfiableError, match=NAMED) as error:
        prepare(HOWTO, context_of(struck))
    assert error.value.hint == HINT
    assert struck.snapshot() == before


def test_create_of_another_pair_is_not_concerned(world: World) -> None:
    kill_at(world, PAUSE, 0, "after")
    assert prepare(replace(HOWTO, name="web"), context_of(world)).plan


def test_a_failover_test_refuses(struck: World) -> None:
    with pytest.raises(UnsatisfiableError, match=NAMED) as error:
        plan_failover(FailoverRequest(faults=("withdraw",)), context_of(struck))
    assert error.value.hint == HINT


@pytest.mark.parametrize("side", SIDES.values(), ids=lambda side: side.fault)
def test_teardown_undoes_it_first_whenever_haos_died(side: CloudSide) -> None:
    bare = howto_world().snapshot()
    for at in range(4):
        for when in ("before", "after"):
            world = made()
            kill_at(world, side, at, when)
            planned = plan_teardown(None, purge=True, ctx=context_of(world)).done
            torn = teardown(None, purge=True, ctx=context_of(world))
            pend = (at, when) not in ((0, "before"), (3, "after"))
            assert (f"fault {side.fault} on ha_first" in planned) == pend, (at, when)
            assert (torn.done[0] == f"undid {side.fault} on ha_first") == pend
            assert world.snapshot() == bare, (at, when)


@pytest.mark.parametrize("side", SIDES.values(), ids=lambda side: side.fault)
def test_restore_undoes_it_and_says_so(world: World, side: CloudSide) -> None:
    before = world.snapshot()
    kill_at(world, side, 1, "after")
    assert restore(None, context_of(world)).done == (f"undid {side.fault} on ha_first",)
    assert world.snapshot() == before
    world.effects.names.clear()
    assert restore(None, context_of(world)).done == ()
    assert not [name for name in world.effects.names if "ha_" in name and not name.startswith("heal")]


def note_heals(world: World, *faulty: str) -> list[str]:
    """Let every node note its name when it is healed."""
    names: list[str] = []

    def heal(name: str) -> bool:
        names.append(name)
        return name in faulty

    for node in world.nodes.values():
        node.heal = partial(heal, node.instance.name)  # type: ignore[method-assign]
    return names


def test_restore_heals_the_nodes_too(world: World) -> None:
    healed = note_heals(world, "ha_second")
    assert restore(None, context_of(world)).done == ("healed ha_second: a fault was left there",)
    assert sorted(healed) == ["ha_first", "ha_second"]


def test_a_node_that_does_not_answer_is_said_and_the_rest_is_restored(world: World) -> None:
    kill_at(world, POWER_OFF, 1, "after")
    second = next(one for one in world.instances.values() if one.name == "ha_second")
    world.unreachable.add(second.id)
    with pytest.raises(LeftoverError, match="undid power-off on ha_first") as error:
        restore(None, context_of(world))
    assert "ha_second could not be asked: ha_second does not answer" in error.value.reason
    assert "--restore ha_first-ha_second" in (error.value.hint or "")
    assert all(one.status == "ACTIVE" for one in world.instances.values())


def test_what_cannot_be_undone_does_not_keep_the_nodes_from_being_healed(struck: World) -> None:
    healed = note_heals(struck)
    ctx = context_of(struck)
    _, reservation = find_pair(ctx.cloud, None)
    struck.effects.strike = lambda index, name, when: fail(name)
    with pytest.raises(LeftoverError, match=r"port-down on port .* could not be undone"):
        restore(None, ctx)
    assert sorted(healed) == ["ha_first", "ha_second"]
    assert reservation.tags == find_pair(ctx.cloud, None)[1].tags


def fail(name: str) -> None:
    if name == "port up ha_first":
        raise CloudError("Neutron is away")


def test_an_interrupted_restore_says_so(struck: World) -> None:
    ctx = context_of(struck)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    ctx.cloud.set_port_up = interrupt  # type: ignore[method-assign, assignment]
    with pytest.raises(Interrupted):
        restore(None, ctx)


def test_two_left_faults_are_both_undone(world: World) -> None:
    before = world.snapshot()
    cloud = context_of(world).cloud
    pair, reservation = find_pair(cloud, None)
    for side, member in zip((PORT_DOWN, PAUSE), pair.members, strict=True):
        port = cloud.port(member.port_id)
        cloud.add_tag(reservation.id, Intent(side.fault, port.id, 5).tag)
        side.inject(cloud, port)
    assert restore(None, context_of(world)).done == ("undid port-down on ha_first", "undid pause on ha_second")
    assert world.snapshot() == before
