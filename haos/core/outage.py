"""From the history of a probe run to an outage with its resolution, and a verdict."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from haos.core.probe import Echo, History

LATE_S = 1.0
"""An answer that takes longer counts as lost, as ping's and fping's do at their usual time-outs."""


class Verdict(enum.StrEnum):
    """What a measurement says of a promise."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Outage:
    """A gap in the answers. All times are on the observer's clock.

    The outage is the send time of the first answered probe after, minus that of the last answered probe before, minus
    one interval; ± `resolution_s`, the interval that was really achieved.
    """

    lost_probes: int
    last_answer_s: float | None  # send time; None where nothing was answered before
    first_answer_s: float | None  # None where it was still open when the history ended
    raw_gap_s: float
    outage_s: float
    resolution_s: float

    @property
    def open(self) -> bool:
        """Whether the VIP had not come back: `outage_s` is then a lower bound."""
        return self.first_answer_s is None


def achieved_interval_s(history: History) -> float:
    """Return the median distance of probes as they really left; the asked-for one where there are too few."""
    times = [echo.sent_s for echo in history.echoes]
    steps = [after - before for before, after in pairwise(times)]
    return median(steps) if steps else history.interval_s


def is_lost(echo: Echo) -> bool:
    """Say whether a probe counts as unanswered."""
    return echo.answered_s is None or echo.answered_s - echo.sent_s > LATE_S


def worst_outage(history: History, since_s: float, until_s: float) -> Outage | None:
    """Return the longest gap with a probe lost between the two moments, or None if every one was answered.

    Only probes that were sent count: an observer that fell asleep for a moment has seen no outage.
    """
    echoes = _known(history)
    step_s = achieved_interval_s(history)
    gaps = [
        _outage(echoes, first, last, step_s)
        for first, last in _runs_of_loss(echoes)
        if echoes[last].sent_s >= since_s and echoes[first].sent_s <= until_s
    ]
    return max(gaps, key=lambda gap: gap.outage_s, default=None)


def _known(history: History) -> Sequence[Echo]:
    # What left in the last moment may still be answered: it is neither answered nor lost.
    grace_s = min(LATE_S, 5 * history.interval_s)
    return [
        echo for echo in history.echoes if echo.answered_s is not None or echo.sent_s <= history.now_s - grace_s
    ]


def _runs_of_loss(echoes: Sequence[Echo]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for index, echo in enumerate(echoes):
        if not is_lost(echo):
            continue
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _outage(echoes: Sequence[Echo], first: int, last: int, step_s: float) -> Outage:
    before = echoes[first - 1].sent_s if first else None
    after = echoes[last + 1].sent_s if last + 1 < len(echoes) else None
    start_s = before if before is not None else echoes[first].sent_s
    end_s = after if after is not None else echoes[last].sent_s
    raw_s = end_s - start_s
    return Outage(last - first + 1, before, after, raw_s, max(0.0, raw_s - step_s), step_s)


def judge(outage: Outage | None, bound_s: float, history: History) -> tuple[Verdict, str]:
    """Return the verdict on an outage against a bound, and why; a history that broke off is UNKNOWN, never 0 s."""
    if history.lost is not None:
        return Verdict.UNKNOWN, f"the observer was lost: {history.lost}"
    if not any(echo.answered_s is not None for echo in history.echoes):
        return Verdict.FAIL, "the VIP was never answered"
    if outage is None:
        return Verdict.PASS, "no probe was lost"
    if outage.open:
        return Verdict.FAIL, f"the VIP had not come back after {outage.outage_s:.3f} s"
    if outage.outage_s - outage.resolution_s > bound_s:
        return Verdict.FAIL, f"{outage.outage_s:.3f} s ± {outage.resolution_s:.3f} s is over {bound_s:.3f} s"
    return Verdict.PASS, f"{outage.outage_s:.3f} s ± {outage.resolution_s:.3f} s is within {bound_s:.3f} s"


def responders(history: History, since_s: float, until_s: float) -> tuple[tuple[float, str], ...]:
    """Return the changes of who answers: (when, MAC), from echoes and asks together."""
    seen = [(echo.sent_s, echo.responder) for echo in history.echoes if echo.responder]
    seen += [(ask.sent_s, mac) for ask in history.asks for mac in ask.answers]
    changes: list[tuple[float, str]] = []
    for at_s, mac in sorted(seen):
        if since_s <= at_s <= until_s and (not changes or changes[-1][1] != mac):
            changes.append((at_s, mac))
    return tuple(changes)
