"""Other runs that are at work on the same pair: how long they are waited for."""

from __future__ import annotations

from haos.core.leaving import leaves_for_s
from haos.core.model import Port
from haos.errors import NotFoundError
from haos.workflow.context import Context

POLL_S = 1.0


def await_left(reservation: Port, name: str, ctx: Context) -> None:
    """Wait until a pair that another run takes away is gone; not longer than its mark counts."""
    left_s = leaves_for_s(reservation, ctx.clock.wall_s())
    deadline_s = ctx.clock.now_s() + left_s
    with ctx.progress.step(f"wait for another run, which takes pair {name} away (at most {left_s:.0f} s)"):
        while ctx.clock.now_s() < deadline_s:
            ctx.clock.sleep(POLL_S)
            try:
                if not leaves_for_s(ctx.cloud.port(reservation.id), ctx.clock.wall_s()):
                    return
            except NotFoundError:
                return
