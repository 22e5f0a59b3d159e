"""The last look at what a run has written: another may have written the same at the same moment, or taken it away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from haos.core.bodies import amended
from haos.core.changes import Undo
from haos.core.leaving import leaves_for_s, leaving_tags
from haos.core.model import Port
from haos.errors import CloudError, HaosError, NotFoundError, UnsatisfiableError
from haos.workflow.context import Context, PortAmendment
from haos.workflow.parallel import for_each

ROUNDS = 10
PAUSE_S = 1.0
"""A request of another's that is under way has come through by then."""


class TornDownError(HaosError):
    """The pair was taken away, or is being, by another run."""


class RewrittenError(HaosError):
    """Another run has given the pair another record meanwhile: what this one wrote is out of date.

    `undos` would take away what this run had done by then. The other's record may rest on it.
    """

    undos: tuple[Undo, ...] = ()


def see_written(
    wanted: Mapping[str, PortAmendment], reservation_id: str, ctx: Context, *, check: Callable[[Port | None], object]
) -> dict[str, Port]:
    """See that ports (by id) are as they were amended to be, and amend again what others have overwritten.

    Returns them and the reservation port as they are now, those that are there (1 request, if nobody interferes). A
    port that is gone carries nothing. `check` is given the reservation port, None where it is gone, before anything
    is amended: who adds and who takes away must not go on for ever. Raises what it raises, and CloudError if others
    do not stop.
    """
    for _ in range(ROUNDS):
        there = ctx.cloud.ports_by_id([*wanted, reservation_id])
        check(there.get(reservation_id))
        lost = {one: there[one] for one in wanted if one in there and amended(there[one], wanted[one])}
        if not lost:
            return there
        ctx.progress.note(f"somebody else has overwritten {', '.join(f'port {one}' for one in lost)}: once more")
        for_each(lost, partial(_amend_again, lost, wanted, ctx))
        ctx.clock.sleep(PAUSE_S)
    raise CloudError("others change the ports of the nodes again and again", hint="run the same command again")


def _amend_again(
    ports: Mapping[str, Port], wanted: Mapping[str, PortAmendment], ctx: Context, port_id: str
) -> Port | None:
    with suppress(NotFoundError):
        return ctx.cloud.amend_port(ports[port_id], wanted[port_id])
    return None


def refuse_leaving(reservation: Port | None, name: str, ctx: Context) -> None:
    """Refuse a pair that somebody is taking away. Raises UnsatisfiableError."""
    if reservation is not None and leaves_for_s(reservation, ctx.clock.wall_s()):
        raise UnsatisfiableError(
            f"pair {name} is being taken away by another run, or one died over it less than a minute ago",
            hint=f"haos teardown {name} finishes it",
        )


def forget_leaving(reservation: Port | None, ctx: Context) -> None:
    """Take away the marks of runs that died over taking the pair away."""
    for tag in leaving_tags(reservation) if reservation else ():
        ctx.cloud.remove_tag(reservation.id, tag)  # type: ignore[union-attr]
