"""Faults made through the API: announced on the reservation port before, undone and seen to be undone after."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from haos.core.intent import Intent, naming, pending, restore_hint, where
from haos.core.model import Node, Pair, Port
from haos.core.replace import goes_on
from haos.errors import (
    AuthenticationError,
    CloudError,
    ForbiddenError,
    LeftoverError,
    NotFoundError,
    UnsatisfiableError,
)
from haos.workflow.cloud_side import SIDES, CloudSide
from haos.workflow.context import Clock, Cloud, Context

UNDO_TIMEOUT_S = 180.0
"""An instance that is shutting down has to come to its end first: Nova gives it a minute by default."""
POLL_S = 0.5


def intent_for(side: CloudSide, port: Port, lasts_s: float, clock: Clock) -> Intent:
    """Return the announcement of a fault that lasts so long at the most, from now on."""
    return Intent(side.fault, port.id, math.ceil(clock.wall_s() + lasts_s))


@contextmanager
def announced(side: CloudSide, node: Node, pair: Pair, lasts_s: float, ctx: Context) -> Iterator[Intent]:
    """Have a guardian ready and the fault announced before it is made, and undo it at the end whatever happens.

    Raises CloudError where there is no guardian, or no announcement, for it: nothing was done then. Raises
    LeftoverError where it could not be undone; the guardian goes on trying then.
    """
    intent = intent_for(side, node.port, lasts_s, ctx.clock)
    with ctx.guardian.watch_over(pair, intent):
        ctx.cloud.add_tag(pair.reservation_id, intent.tag)
        try:
            yield intent
        except (Exception, KeyboardInterrupt):
            _end(intent, node, pair, ctx)
            raise
        _end(intent, node, pair, ctx)


def _end(intent: Intent, node: Node, pair: Pair, ctx: Context) -> None:
    with ctx.progress.step(f"see that {intent.fault} on {node.name} is undone"):
        _undo_or_say(intent, node.port, pair, ctx)


def _undo_or_say(intent: Intent, port: Port, pair: Pair, ctx: Context) -> None:
    try:
        undo(intent, port, ctx.cloud, ctx.clock)
        ctx.cloud.remove_tag(pair.reservation_id, intent.tag)
    except CloudError as error:
        raise LeftoverError(
            f"{intent.fault} on port {port.id} could not be undone: {error}", hint=restore_hint(pair)
        ) from error


def undo(intent: Intent, port: Port, cloud: Cloud, clock: Clock, timeout_s: float = UNDO_TIMEOUT_S) -> None:
    """Undo a fault and wait until it is seen to be undone; what is gone needs no undoing. Raises CloudError."""
    side, deadline_s, ordered = SIDES[intent.fault], clock.now_s() + timeout_s, False
    while True:
        try:
            if not ordered:
                side.restore(cloud, port)
                ordered = True
            if side.is_undone(cloud, port):
                return
            trouble = CloudError(
                f"it is not seen to be undone after {timeout_s:.0f} s", hint="openstack port show, server show"
            )
        except NotFoundError:
            return
        except (AuthenticationError, ForbiddenError):
            raise
        except CloudError as error:  # the API is away, or the instance is on its way to another state
            trouble = error
        if clock.now_s() >= deadline_s:
            raise trouble
        clock.sleep(POLL_S)


def restore_intents(
    pair: Pair, reservation: Port, nodes: Mapping[str, Node], ports: Iterable[Port], ctx: Context
) -> list[str]:
    """Undo every fault that is announced for a member, take the announcement back, and say what was done.

    `nodes` and `ports` are what pair_nodes returns. Raises LeftoverError, the announcement kept, where one could not
    be undone.
    """
    there, done = {port.id: port for port in ports}, []
    for intent in pending(pair, reservation):
        hit = where(intent, names_of(nodes))
        if intent.port_id in there:
            with ctx.progress.step(f"undo {intent.fault} on {hit}"):
                _undo_or_say(intent, there[intent.port_id], pair, ctx)
            done.append(f"undid {intent.fault} on {hit}")
        else:
            ctx.cloud.remove_tag(pair.reservation_id, intent.tag)
            done.append(f"forgot {intent.fault} on {hit}, which is gone")
    return done


def refuse_pending(pair: Pair, reservation: Port, nodes: Mapping[str, Node]) -> None:
    """Refuse to work on a pair under a fault that is announced, or on its way. Raises UnsatisfiableError."""
    if found := naming(pair, reservation, names_of(nodes)):
        raise UnsatisfiableError("; ".join(found), hint=restore_hint(pair))
    if exchange := goes_on(pair, names_of(nodes)):
        raise UnsatisfiableError(exchange[0], hint=exchange[1])


def names_of(nodes: Mapping[str, Node]) -> dict[str, str]:
    """Return the nodes' names by port id."""
    return {port_id: node.name for port_id, node in nodes.items()}
