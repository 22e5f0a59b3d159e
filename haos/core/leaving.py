"""The mark of a pair that is being taken away: a tag on the reservation port, there before anything is taken.

    haos-leaving:1795470603:c0ffee

Whoever makes or mends the pair at the same moment looks for it last: what was done before the mark, the one who takes
the pair away sees and removes; who finds the mark takes back what was done after it. So nothing is left by either.
The time (seconds since the epoch) is when a mark counts no more: whoever left it has died, since one who is at work
renews it. The last part tells two runs apart.
"""

from __future__ import annotations

import math
import re

from haos.core.model import Port

PREFIX = "haos-leaving"
LASTS_S = 60
RENEWED_AFTER_S = 15
"""Early enough for a request that is answered late, and three that fail."""
_TAG = re.compile(rf"{PREFIX}:(?P<until>[1-9][0-9]{{0,9}}):[0-9a-f]{{6}}")


def leaving_tag(now_s: float, run: str) -> str:
    """Return the mark that counts from now on; `now_s` is a wall clock's, `run` six hexadecimal digits of its own."""
    return f"{PREFIX}:{math.ceil(now_s) + LASTS_S}:{run}"


def wants_renewal(tag: str, now_s: float) -> bool:
    """Say whether a run's own mark is to be renewed; also if its clock was set back meanwhile."""
    match = _TAG.fullmatch(tag)
    left_s = int(match["until"]) - now_s if match else 0.0
    return not LASTS_S - RENEWED_AFTER_S < left_s <= LASTS_S + 1


def leaving_tags(port: Port) -> tuple[str, ...]:
    """Return the marks on a reservation port, those that count no more included."""
    return tuple(tag for tag in port.tags if _TAG.fullmatch(tag))


def is_leaving(port: Port) -> bool:
    """Say whether somebody takes the pair away, or died over it."""
    return bool(leaving_tags(port))


def leaves_for_s(port: Port, now_s: float) -> float:
    """Return how long the youngest mark counts; 0 if it does not. One from a clock that is wrong counts no longer."""
    until = [int(match["until"]) for tag in port.tags if (match := _TAG.fullmatch(tag))]
    return min(max(0.0, max(until, default=0) - now_s), float(LASTS_S))
