"""One at a time: whoever moves a pair's VIP, to try it or for good, has its nodes for itself meanwhile."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from haos.core.model import Node, Pair
from haos.core.turn import Turn
from haos.errors import RemoteError
from haos.workflow.context import Context
from haos.workflow.parallel import attempt_each

TURN_TIMEOUT_S = 120.0
"""So long another run is waited for: two trials, or one that was killed and a trial."""
LASTS_S = 30
"""A turn ends by itself after so long, and twice the preempt delay: a trial takes no longer."""
POLL_S = 1.0


class TakenError(RemoteError):
    """Another run moves the VIP of a node."""


@contextmanager
def alone_on(
    pair: Pair, nodes: Sequence[Node], what: str, ctx: Context, *, wait_s: float = TURN_TIMEOUT_S
) -> Iterator[bool]:
    """Have the pair's nodes for this run alone; yields whether another run had to be waited for.

    Raises TakenError where one is not done in time, RemoteError where a node cannot be asked.
    """
    lasts_s = LASTS_S + 2 * (pair.timing.preempt_delay_s if pair.timing.preempt else 0)
    turn = Turn(secrets.token_hex(8), pair.name, f"{what} of pair {pair.name}", lasts_s)
    deadline_s, waited = ctx.clock.now_s() + wait_s, False
    while (taken := _claim(turn, nodes, ctx)) is not None:
        if ctx.clock.now_s() >= deadline_s:
            raise taken
        if not waited:
            ctx.progress.note(f"{taken}: waiting for its end")
        waited = True
        ctx.clock.sleep(POLL_S)
    try:
        yield waited
    finally:
        _give_back(turn, nodes, ctx)


def _claim(turn: Turn, nodes: Sequence[Node], ctx: Context) -> TakenError | None:
    """Take every node, or none. All runs go by one order, so that of two one comes through."""
    for node in sorted(nodes, key=lambda node: node.instance.id):
        holder = ctx.fleet.node(node.instance).claim(turn)
        if holder is not None:
            _give_back(turn, nodes, ctx)
            return TakenError(f"{holder} is at work on {node.name}", hint="wait for its end; haos status")
    return None


def _give_back(turn: Turn, nodes: Sequence[Node], ctx: Context) -> None:
    # What cannot be given back ends by itself.
    attempt_each(nodes, lambda node: ctx.fleet.node(node.instance).unclaim(turn))
