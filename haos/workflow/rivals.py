"""Two runs that make the same thing at the same moment: which of the two stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from haos.workflow.context import Context

T = TypeVar("T")

RIVAL_TIMEOUT_S = 10.0
"""So long the other run is given to see that its own has to go; then it has seen nothing, and goes on with it."""
POLL_S = 0.5


def gives_way_to(own: str, rivals: Callable[[], Mapping[str, T]], ctx: Context) -> T | None:
    """Return the other of which this run has to make way, None where its own stays.

    `rivals` lists by id what others have made of the same, each time anew. Whoever looked before the other was there
    does not know of it: so the greater id goes at once, and the smaller too if the other is not given up in time.
    """
    deadline_s = ctx.clock.now_s() + RIVAL_TIMEOUT_S
    while there := rivals():
        first = min(there)
        if first < own or ctx.clock.now_s() >= deadline_s:
            return there[first]
        ctx.clock.sleep(POLL_S)
    return None
