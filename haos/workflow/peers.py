"""Where nobody observes, the nodes watch each other: whoever does not hold the VIP asks the network who does."""

from __future__ import annotations

from collections.abc import Sequence

from haos.core.model import Node, Pair
from haos.errors import RemoteError
from haos.workflow.context import Context

SEEN_TIMEOUT_S = 10.0
POLL_S = 0.2


def not_seen_by_peers(active: Node, macs: set[str], pair: Pair, nodes: Sequence[Node], ctx: Context) -> str | None:
    """Wait until another node is told that the Active has the VIP (`macs`: by which it answers).

    Returns None once it is, or where no node can ask; else why not.
    """
    askers = [node for node in nodes if node is not active and node.interface is not None]
    deadline_s = ctx.clock.now_s() + SEEN_TIMEOUT_S
    said: str | None = None
    while askers:
        for asker in askers:
            said = _answer(asker, pair, ctx)
            if said in macs:
                return None
        if ctx.clock.now_s() >= deadline_s:
            who = ", ".join(asker.name for asker in askers)
            told = f"{said} answers for it" if said else "nobody answers for it"
            return f"{active.name} holds {pair.vip}, but asked from {who} {told}"
        ctx.clock.sleep(POLL_S)
    return None


def _answer(asker: Node, pair: Pair, ctx: Context) -> str | None:
    try:
        survey = ctx.fleet.node(asker.instance).survey(asker.address, (pair.vip,), listen_s=0.0)
    except RemoteError:
        return None
    return survey.answers.get(pair.vip)
