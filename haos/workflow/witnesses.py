"""The nodes as witnesses: each writes down when the VIP came and went; its clock is mapped to the observer's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from haos.core.clocks import Offset, narrowed, offset_of
from haos.core.fault import NodeLog
from haos.core.insight import Witness
from haos.core.model import Instance, Node, Pair
from haos.errors import HaosError, RemoteError
from haos.workflow.context import Context, Probe
from haos.workflow.parallel import attempt_each, for_each

ROUND_TRIPS = 5
LIMIT_S = 1800.0
"""The nodes stop writing by themselves after so long, should haos be gone."""


class Witnesses:
    """The nodes' logs of one trial."""

    def __init__(self, nodes: Sequence[Node], probe: Probe, ctx: Context) -> None:
        self._nodes = nodes
        self._probe = probe
        self._ctx = ctx
        self._offsets: dict[str, list[Offset]] = {node.name: [] for node in nodes}

    def synchronise(self) -> None:
        """Compare the clocks of the nodes that answer; every time narrows what is known."""
        attempt_each(self._nodes, self._compare)

    def _compare(self, node: Node) -> None:
        agent = self._ctx.fleet.node(node.instance)
        for _ in range(ROUND_TRIPS):
            sent_s = self._ctx.clock.now_s()
            there_s = agent.wall_s()
            back_s = self._ctx.clock.now_s()
            here = self._probe.when(back_s)
            to_observer = Offset(here.earliest_s - back_s, here.latest_s - back_s)
            self._offsets[node.name].append(offset_of(sent_s, there_s, back_s).reverse().then(to_observer))

    def read(self) -> dict[str, Witness]:
        """Return what every node wrote down; one that cannot be asked is there without a log."""
        logs, _ = attempt_each(self._nodes, self._log)
        return {node.name: Witness(logs.get(node), self._offset(node)) for node in self._nodes}

    def _log(self, node: Node) -> NodeLog:
        return self._ctx.fleet.node(node.instance).watched()

    def _offset(self, node: Node) -> Offset | None:
        known = self._offsets[node.name]
        return narrowed(known) if known else None


@contextmanager
def watching(pair: Pair, nodes: Sequence[Node], probe: Probe, ctx: Context) -> Iterator[Witnesses]:
    """Let the nodes write down who holds the VIP, and stop it whatever happens.

    Raises StepError where another failover test is at work.
    """
    begun: list[Instance] = []

    def begin(node: Node) -> None:
        ctx.fleet.node(node.instance).watch(pair.vip, limit_s=LIMIT_S)
        begun.append(node.instance)

    def end(instance: Instance) -> None:
        with contextlib.suppress(RemoteError):  # it ends by itself
            ctx.fleet.node(instance).unwatch()

    try:
        for_each(nodes, begin)
        witnesses = Witnesses(nodes, probe, ctx)
        witnesses.synchronise()
        yield witnesses
    finally:
        with contextlib.suppress(HaosError):
            attempt_each(begun, end)
