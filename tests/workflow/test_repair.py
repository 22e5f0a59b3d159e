"""`haos repair`: what drifted from the record is brought back, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace

from haos.workflow.create import create, prepare
from haos.workflow.repair import request_of
from haos.workflow.request import CreateRequest
from haos.workflow.resolve import find_pair, pair_nodes, whole
from tests.fakes import FakeCloud, World, context_of, howto_world

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"), "web", advertisement_interval_s=0.1, priorities=(100, 200))


def made() -> World:
    world = howto_world(keepalived="2.2.7")
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    return world


def asked(world: World) -> CreateRequest:
    pair, _ = find_pair(FakeCloud(world), None)
    return request_of(pair, whole(pair, pair_nodes(FakeCloud(world), pair)[0]), "observer")


def test_the_request_of_a_recorded_pair_changes_nothing() -> None:
    world = made()
    assert not prepare(asked(world), context_of(world)).plan


def test_the_request_of_a_recorded_pair_puts_back_what_is_missing() -> None:
    world = made()
    before = world.snapshot()
    port = next(port for port in world.ports.values() if len(port.pairs) > 1)
    foreign = port.pairs[0]
    world.ports[port.id] = replace(port, pairs=(foreign,))
    ctx = context_of(world)
    create(prepare(asked(world), ctx), ctx, lambda _: None)
    assert foreign in world.ports[port.id].pairs
    assert world.snapshot() == before
