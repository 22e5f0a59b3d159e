"""Other runs that are at work on the same pair: how long they are waited for."""

from __future__ import annotations

from haos.core.leaving import leaves_for_s
from haos.core.model import Port
from haos.errors import NotFoundError
from haos.workflow.context import Context

POLL_S = 1.0
LONGEST_S = 300.0
"""Who takes a pair away may wait for a package manager; whoever waits for that is told rather."""


def await_left(reservation: Port, name: str, ctx: Context) -> None:
    """Wait until a pair that another run takes away is gone, or its mark counts no more: that run has died then."""
    left_s = leaves_for_s(reservation, ctx.clock.wall_s())
    deadline_s = ctx.clock.now_s() + LONGEST_S
    limits = f"{left_s:.0f} s if it has died, at most {LONGEST_S:.0f} s"
    with ctx.progress.step(f"wait for another run, which takes pair {name} away ({limits})"):
        while ctx.clock.now_s() < deadline_s:
            ctx.clock.sleep(POLL_S)
            try:
                if not leaves_for_s(ctx.cloud.port(reservation.id), ctx.clock.wall_s()):
                    return
            except NotFoundError:
                return
