"""`status --watch` over the in-memory world and its clock: what happens is told once, in order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from haos.core.model import InstanceAction, Role
from haos.errors import CloudError, NotFoundError, RemoteError
from haos.workflow import lookout
from haos.workflow.context import Context
from haos.workflow.create import create, prepare
from haos.workflow.watch import Frame, watch
from tests.fakes import FakeFleet, FakeNode, World, change_port, context_of, howto_world, port_of
from tests.workflow.test_status import HOWTO, nodes

Deed = Callable[[], object]


@pytest.fixture
def world() -> World:
    made = howto_world()
    ctx = context_of(made)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    made.effects.names.clear()
    return made


def watched(world: World, *deeds: tuple[float, Deed], for_s: float, ctx: Context | None = None) -> list[Frame]:
    """Watch for a time of the world's clock, each deed done after so many seconds."""
    ctx = ctx or context_of(world)
    started_s, left = world.clock.now, list(deeds)
    seen: list[Frame] = []
    with closing(watch(None, None, ctx, every_s=2.0)) as frames:
        for frame in frames:
            seen.append(frame)
            while left and world.clock.now - started_s >= left[0][0]:
                left.pop(0)[1]()
            if world.clock.now - started_s >= for_s:
                return seen
    raise AssertionError("a watch does not end by itself")


def switch(node: FakeNode, *, on: bool) -> Deed:
    """Return the deed of starting or stopping a node's keepalived."""

    def deed() -> None:
        node.daemon = on
        node.world.elect()

    return deed


def told(frames: list[Frame]) -> list[str]:
    return [event.text for frame in frames for event in frame.events]


def test_nothing_happens(world: World) -> None:
    frames = watched(world, for_s=30.0)
    assert told(frames) == []
    assert all(frame.status.healthy for frame in frames)
    assert world.effects.names == []


def test_a_failover_and_the_failback(world: World) -> None:
    first = nodes(world)[0]
    world.takeover_s = 0.81
    first.preempt_delay_s = 5.0
    frames = watched(world, (3.0, switch(first, on=False)), (8.0, switch(first, on=True)), for_s=20.0)
    assert told(frames) == [
        "VIP moved ha_first -> ha_second, gone for 0.81 s",
        "ha_first: Active -> stopped",
        "ha_second: Backup -> Active",
        "ha_first: keepalived does not run",
        "ha_first: stopped -> Backup",
        "ha_first: no longer so: keepalived does not run",
        "VIP moved ha_second -> ha_first, no probe lost",
        "ha_first: Backup -> Active",
        "ha_second: Active -> Backup",
    ]
    [moved, back] = [event for frame in frames for event in frame.events if event.kind == "moved"]
    assert (moved.origin, moved.target) == ("ha_first", "ha_second")
    assert moved.gone_s == pytest.approx(0.81, abs=0.011)
    assert frames[-1].status.healthy
    assert back.at_s - moved.at_s == pytest.approx(8.0 + 5.0 - 3.81, abs=0.5)


def test_a_move_is_told_before_the_nodes_say_so_and_never_as_a_contradiction(world: World) -> None:
    frames = watched(world, (3.1, switch(nodes(world)[0], on=False)), for_s=8.0)
    at = next(index for index, frame in enumerate(frames) if frame.events)
    assert frames[at].events[0].kind == "moved"
    codes = {trouble.code for frame in frames for trouble in frame.status.troubles}
    assert codes <= {"keepalived", "no-backup"}


def test_a_vip_that_stays_dark_is_told_before_it_is_back(world: World) -> None:
    world.takeover_s = 5.0
    frames = watched(world, (3.0, switch(nodes(world)[0], on=False)), for_s=12.0)
    seen = [event for frame in frames for event in frame.events if event.kind in ("dark", "moved", "answers")]
    assert [event.text for event in seen] == [
        "VIP does not answer",
        "VIP moved ha_first -> ha_second, gone for 5.00 s",
    ]
    assert any(trouble.code == "observer" for frame in frames for trouble in frame.status.troubles)


def test_a_lost_node_is_shown_and_comes_back(world: World) -> None:
    second = nodes(world)[1].instance.id
    frames = watched(world, (3.0, lambda: world.unreachable.add(second)), (9.0, world.unreachable.clear), for_s=20.0)
    assert told(frames) == [
        "ha_second: Backup -> unknown",
        "ha_second: ha_second does not answer on port 22",
        "ha_second: unknown -> Backup",
        "ha_second answers again",
    ]


def test_what_changes_in_the_cloud_is_told(world: World) -> None:
    first, second = nodes(world)
    pairs = port_of(world, first).pairs
    cloud = context_of(world).cloud
    frames = watched(
        world,
        (1.0, lambda: change_port(world, first, pairs=())),
        (15.0, lambda: change_port(world, first, pairs=pairs)),
        (33.0, lambda: cloud.instance_action(second.instance.id, InstanceAction.STOP)),
        for_s=45.0,
    )
    kinds = [event.text for frame in frames for event in frame.events if event.kind in ("trouble", "mended")]
    assert kinds == [
        "ha_first: its port lacks the address pair 10.200.51.2",
        "ha_first: no longer so: its port lacks the address pair 10.200.51.2",
        "ha_second: ha_second does not answer on port 22",
        "ha_second: its instance is SHUTOFF",
    ]
    assert [node.role for node in frames[-1].status.nodes] == [Role.ACTIVE, Role.UNKNOWN]


def test_an_api_that_fails_is_told_and_the_watch_goes_on(world: World) -> None:
    ctx = context_of(world)
    working = ctx.cloud.reservations

    def fail() -> None:
        def failing() -> None:
            raise CloudError("the API is on fire")

        ctx.cloud.reservations = failing  # type: ignore[method-assign,assignment]

    def mend() -> None:
        ctx.cloud.reservations = working  # type: ignore[method-assign]

    frames = watched(world, (1.0, fail), (15.0, mend), for_s=35.0, ctx=ctx)
    assert told(frames) == ["the cloud did not answer: the API is on fire", "the cloud answers again"]
    assert frames[-1].status.healthy


def test_a_lost_observer_is_told_and_started_again(world: World) -> None:
    ctx = context_of(world)
    assert isinstance(ctx.fleet, FakeFleet)
    watcher = ctx.fleet.watcher

    def lose() -> None:
        watcher.probes[-1].lost = "connection reset"

    frames = watched(world, (3.0, lose), (3.0, switch(nodes(world)[0], on=False)), for_s=15.0, ctx=ctx)
    assert [text for text in told(frames) if not text.startswith("ha_")] == [
        "observer: the observer was lost: connection reset",
        "VIP moved ha_first -> ha_second, not known how long it was gone",
        "observer answers again",
    ]
    assert len(watcher.probes) == 2


def test_an_observer_that_cannot_be_reached_is_tried_again(world: World) -> None:
    ctx = context_of(world)
    assert isinstance(ctx.fleet, FakeFleet)
    start, tries = ctx.fleet.watcher.start_probe, []

    def failing(*args: object, **options: object) -> object:
        tries.append(world.clock.now)
        if len(tries) < 3:
            raise RemoteError("observer does not answer", hint="is it up?")
        return start(*args, **options)  # type: ignore[arg-type]

    ctx.fleet.watcher.start_probe = failing  # type: ignore[method-assign,assignment]
    frames = watched(world, for_s=15.0, ctx=ctx)
    assert [trouble.remedy for trouble in frames[0].status.troubles] == ["is it up?"]
    assert told(frames) == ["observer answers again"]
    assert frames[-1].status.healthy
    assert len(tries) == 3


def test_a_node_of_which_nova_says_that_it_is_off_is_not_believed_its_last_word(world: World) -> None:
    first = nodes(world)[0]
    off = replace(first.instance, status="SHUTOFF")
    frames = watched(world, (9.9, lambda: world.instances.update({off.id: off})), for_s=11.0)
    assert frames[-1].status.nodes[0].role is Role.UNKNOWN


def test_a_probe_run_is_replaced_before_it_grows_too_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "RUN_S", 10.0)
    ctx = context_of(world)
    assert isinstance(ctx.fleet, FakeFleet)
    assert told(watched(world, for_s=25.0, ctx=ctx)) == []
    assert len(ctx.fleet.watcher.probes) == 3


def test_a_vip_that_changes_is_followed(world: World) -> None:
    ctx = context_of(world)
    reservation = next(port for port in world.ports.values() if port.device_owner == "haos:vip")
    [fixed] = reservation.fixed_ips

    def move() -> None:
        world.ports[reservation.id] = replace(reservation, fixed_ips=(replace(fixed, address=fixed.address + 1),))

    frames = watched(world, (1.0, move), for_s=15.0, ctx=ctx)
    assert "its record was changed" in told(frames)
    assert isinstance(ctx.fleet, FakeFleet)
    assert [str(probe.vip) for probe in ctx.fleet.watcher.probes] == ["10.200.51.2", "10.200.51.3"]


def test_a_pair_that_is_not_there_is_an_error_at_once(world: World) -> None:
    with (
        pytest.raises(NotFoundError, match="no pair named 'web'"),
        closing(watch("web", None, context_of(world), every_s=2.0)) as frames,
    ):
        next(frames)
