"""haos, killed before and after every effect on the in-memory world: nothing is lost, and nothing left."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from tests.crash.fake_flows import FLOWS, FakeFlow, tearing_down
from tests.fakes import Killed, World, killed_at

QUIET_S = 60.0
"""Longer than any election and any failback."""


def prepared(flow: FakeFlow) -> World:
    """The world in which the command begins."""
    world = flow.bare()
    for act in flow.setup:
        act(world)
    world.effects.names.clear()
    return world


def state_of(world: World) -> list[str]:
    """All that could be compared once nothing moves any more; ids that a second run makes otherwise are named."""
    world.clock.sleep(QUIET_S)
    labels = {port.id: f"<port of {port.device_owner} {port.device_id}>" for port in world.ports.values()}
    labels |= {group.id: f"<group {group.name}>" for group in world.groups.values()}
    labels |= {ip.id: f"<floating IP {ip.address}>" for ip in world.floating.values()}
    lines = [
        *(repr(replace(port, revision=None)) for port in world.ports.values()),
        *(repr(group) for group in world.groups.values()),
        *(repr(replace(ip, revision=None)) for ip in world.floating.values()),
        *(repr(instance) for instance in world.instances.values()),
        *(f"{node.instance.name} {node.snapshot()} runs {sorted(node.running)}" for node in world.nodes.values()),
        f"the VIP is at {world.holder()}",
    ]
    for found, label in labels.items():
        lines = [line.replace(found, label) for line in lines]
    return sorted(lines)


def killed(flow: FakeFlow, start: World, index: int, when: str) -> World:
    """A world whose haos was killed there."""
    world = copy.deepcopy(start)
    world.effects.strike = killed_at(index, when)
    with pytest.raises(Killed):
        flow.command(world)
    world.effects.strike = lambda *_: None
    world.clock.sleep(QUIET_S)
    return world


def effects_of(flow: FakeFlow, world: World) -> list[str]:
    """Run the command once more and return what it still does."""
    world.effects.names.clear()
    flow.command(world)
    return list(world.effects.names)


@pytest.mark.parametrize("flow", FLOWS, ids=[flow.name for flow in FLOWS])
def test_killed_anywhere_nothing_is_lost(flow: FakeFlow) -> None:
    bare, start = state_of(flow.bare()), prepared(flow)
    undisturbed = copy.deepcopy(start)
    flow.command(undisturbed)
    done, effects = state_of(undisturbed), tuple(undisturbed.effects.names)
    assert effects, "the command does something"
    settled = effects_of(flow, undisturbed)
    for index, name in enumerate(effects):
        for when in ("before", "after"):
            world = killed(flow, start, index, when)
            completed = copy.deepcopy(world)
            flow.command(completed)
            assert state_of(completed) == done, f"{when} {name}, then the same again"
            assert effects_of(flow, completed) == settled, f"{when} {name}: completed, but not seen to be"
            for left in (world, completed):
                for pair in flow.pairs:
                    tearing_down(pair)(left)
            assert state_of(world) == bare, f"{when} {name}, then teardown"
            assert state_of(completed) == bare, f"{when} {name}, then the same again and teardown"
