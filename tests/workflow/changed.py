"""A pair that is made and changed, over the in-memory world."""

from __future__ import annotations

import copy
from dataclasses import replace

from haos.core.model import ServiceCheck
from haos.workflow.create import Created, Prepared, create, prepare
from haos.workflow.request import CreateRequest, ModeChoice
from tests.fakes import World, context_of, howto_world

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))


CHANGES = {
    "interval": replace(HOWTO, advertisement_interval_s=0.1),
    "priorities": replace(HOWTO, priorities=(100, 200)),
    "nopreempt": replace(HOWTO, preempt=False),
    "delay": replace(HOWTO, preempt_delay_s=20),
    "checks": replace(HOWTO, checks=(ServiceCheck("tcp:80"),)),
    "bfd": replace(HOWTO, bfd=True),
    "mode": replace(HOWTO, mode=ModeChoice.VMAC),
}


def run(world: World, request: CreateRequest = HOWTO) -> Created:
    ctx = context_of(world)
    return create(prepare(request, ctx), ctx, lambda _: None)


def planned(world: World, request: CreateRequest = HOWTO) -> Prepared:
    return prepare(request, context_of(world))


def made() -> World:
    return copy.deepcopy(MADE)


def _make() -> World:
    world = howto_world(keepalived="2.2.7")
    run(world)
    return world


MADE = _make()
