"""What is made side by side, and what one after the other."""

from __future__ import annotations

from dataclasses import replace

from haos.core.changes import Activate, Configure
from haos.workflow.apply import in_batches
from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest
from tests.fakes import World, context_of, howto_world

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))


def batches(world: World, request: CreateRequest) -> list[list[str]]:
    """Return the changes on the nodes, as kind and node, in the batches that they are made in."""
    made = in_batches(prepare(request, context_of(world)).plan.changes)
    return [
        [f"{type(change).__name__} {change.node}" for change in batch if isinstance(change, Configure | Activate)]
        for batch in made
        if isinstance(batch[0], Configure | Activate)
    ]


def test_new_files_are_put_on_all_nodes_at_once_and_the_preferred_daemon_starts_first() -> None:
    assert batches(howto_world(keepalived="2.2.7"), HOWTO) == [
        ["Configure ha_second", "Configure ha_first"],
        ["Activate ha_first"],
        ["Activate ha_second"],
    ]


def test_files_that_run_are_replaced_on_the_backup_first() -> None:
    world = howto_world(keepalived="2.2.7")
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    assert batches(world, replace(HOWTO, advertisement_interval_s=0.1)) == [
        ["Configure ha_second"],
        ["Configure ha_first"],
        ["Activate ha_first"],
        ["Activate ha_second"],
    ]
