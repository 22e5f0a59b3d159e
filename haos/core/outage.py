"""From the history of a probe run to an outage with its resolution, and a verdict. Pure.

What counts as lost: a probe that is unanswered, or answered later than `late_s`. Practice differs: ping takes any
answer that comes at all, fping in its loop mode none that takes longer than one period. The default, 0.1 s, lies
between: on one segment answers take less than a millisecond, and a stall shorter than that is no failover. But an
answer that was long under way must not count: while a client resolves an address again, its kernel keeps up to a
second's packets and sends them when it knows; the VIP was dark all that time, though each of those probes is answered
in the end.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from haos.core.probe import Ask, Echo, History

LATE_S = 0.1
RECENT_ECHOES = 200
"""So many tell what interval is achieved now: it is asked for many times a second."""
UNDECIDED_INTERVALS = 5
"""So many intervals a probe with no answered one after it may still be under way: neither answered nor lost."""


class Verdict(enum.StrEnum):
    """What a measurement says of a promise."""

    PASS = "PASS"  # noqa: S105 - a verdict, no password
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Outage:
    """A gap in the answers. All times are on the observer's clock.

    `outage_s` is the send time of the first answered probe after, minus that of the last answered one before, minus
    one interval, and never below 0. The truth is within ± `resolution_s`: the interval that was achieved, or more
    where the observer itself sent late at an edge of the gap, or the first answer after it was slow.
    """

    lost_probes: int
    last_answer_s: float | None  # send time; None where nothing was answered before
    first_answer_s: float | None  # send time; None where the gap was still open when the history ended
    raw_gap_s: float  # from the one to the other (from the first or to the last lost probe where there is none)
    outage_s: float
    resolution_s: float
    achieved_interval_s: float = 0.0

    @property
    def open(self) -> bool:
        """Whether the VIP had not come back: `outage_s` is then a lower bound."""
        return self.first_answer_s is None


def achieved_interval_s(history: History) -> float:
    """Return the median distance of probes as they really left; the asked-for one where there are too few."""
    steps = [after.sent_s - before.sent_s for before, after in pairwise(history.echoes)]
    return median(steps) if steps else history.interval_s


def is_lost(echo: Echo, late_s: float = LATE_S) -> bool:
    """Say whether a probe counts as unanswered."""
    return echo.answered_s is None or echo.answered_s - echo.sent_s > late_s


def outages(history: History, since_s: float, until_s: float, *, late_s: float = LATE_S) -> tuple[Outage, ...]:
    """Return every gap of which a lost probe left between the two moments, in order of time.

    Only probes that were sent count: an observer that fell asleep for a moment has seen no outage.
    """
    echoes = _decided(history, late_s)
    step_s = achieved_interval_s(history)
    return tuple(
        _outage(echoes, first, last, step_s)
        for first, last in _runs_of_loss(echoes, late_s)
        if echoes[last].sent_s >= since_s and echoes[first].sent_s <= until_s
    )


def worst_outage(history: History, since_s: float, until_s: float, *, late_s: float = LATE_S) -> Outage | None:
    """Return the longest of the gaps between the two moments, or None if every probe was answered."""
    return max(outages(history, since_s, until_s, late_s=late_s), key=lambda gap: gap.outage_s, default=None)


def in_a_row(history: History, count: int, *, late_s: float = LATE_S) -> Sequence[Echo]:
    """Return the last `count` echoes whose fate is known if every one was answered in time, else nothing."""
    tail = _decided(history, late_s)[-count:]
    return tail if len(tail) == count and not any(is_lost(echo, late_s) for echo in tail) else ()


def total_unanswered(history: History, since_s: float, until_s: float, *, late_s: float = LATE_S) -> int:
    """Return how many probes were lost that left between the two moments."""
    echoes = _decided(history, late_s)
    return sum(since_s <= echo.sent_s <= until_s and is_lost(echo, late_s) for echo in echoes)


def slowest_answer_s(history: History, since_s: float, until_s: float) -> float | None:
    """Return the longest time that an answer took, None without any."""
    answered = [echo for echo in history.echoes if echo.answered_s is not None and since_s <= echo.sent_s <= until_s]
    return _took_s(answered) if answered else None


def blind_s(history: History, since_s: float, until_s: float) -> float:
    """Return the longest time that the observer sent nothing: a shorter outage may have gone unseen."""
    times = [echo.sent_s for echo in history.echoes if since_s <= echo.sent_s <= until_s]
    edges = [since_s, *times, min(until_s, max(history.now_s, since_s))]
    return max((after - before for before, after in pairwise(edges)), default=0.0)


def _decided(history: History, late_s: float) -> Sequence[Echo]:
    """Leave out what left in the last moments and may still be answered."""
    echoes = history.echoes
    recent = replace(history, echoes=echoes[-RECENT_ECHOES:])
    horizon_s = history.now_s - min(
        late_s, UNDECIDED_INTERVALS * max(history.interval_s, achieved_interval_s(recent))
    )
    end = len(echoes)
    while end and echoes[end - 1].answered_s is None and echoes[end - 1].sent_s > horizon_s:
        end -= 1
    return echoes[:end]


def _runs_of_loss(echoes: Sequence[Echo], late_s: float) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for index, echo in enumerate(echoes):
        if not is_lost(echo, late_s):
            continue
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _outage(echoes: Sequence[Echo], first: int, last: int, step_s: float) -> Outage:
    first_lost_s, last_lost_s = echoes[first].sent_s, echoes[last].sent_s
    before = echoes[first - 1].sent_s if first else None
    after = echoes[last + 1].sent_s if last + 1 < len(echoes) else None
    raw_s = (last_lost_s if after is None else after) - (first_lost_s if before is None else before)
    # At an edge that was not seen, the lost probe itself is all that is certain: one interval less to take off.
    unseen = (before is None) + (after is None)
    outage_s = max(0.0, raw_s + (unseen - 1) * step_s)
    # The VIP was dark from the first lost probe to the last for certain, and at most for the whole raw gap.
    resolution_s = max(step_s, outage_s - (last_lost_s - first_lost_s), _took_s(echoes[last + 1 : last + 2]))
    return Outage(last - first + 1, before, after, raw_s, outage_s, resolution_s, step_s)


def _took_s(echoes: Sequence[Echo]) -> float:
    return max((echo.answered_s - echo.sent_s for echo in echoes if echo.answered_s is not None), default=0.0)


def judge(outage: Outage | None, bound_s: float, history: History) -> tuple[Verdict, str]:
    """Return the verdict on an outage against a bound, and why.

    A history that broke off is UNKNOWN, never 0 s; so is an outage that is over the bound only if the time counts
    in which the observer itself sent nothing. Within the resolution of an undisturbed measurement it is a PASS.
    """
    if history.lost is not None:
        return Verdict.UNKNOWN, f"the observer was lost: {history.lost}"
    if not history.echoes:
        return Verdict.UNKNOWN, "the observer has sent no probe"
    if not any(echo.answered_s is not None for echo in history.echoes):
        return Verdict.FAIL, "the VIP was never answered"
    if outage is None:
        return Verdict.PASS, "no probe was lost"
    if outage.open:
        return Verdict.FAIL, f"the VIP had not come back after {outage.outage_s:.3f} s"
    seen = f"{outage.outage_s:.3f} s ± {outage.resolution_s:.3f} s"
    if outage.outage_s - outage.resolution_s > bound_s:
        return Verdict.FAIL, f"{seen} is over {bound_s:.3f} s"
    if outage.outage_s - (outage.achieved_interval_s or outage.resolution_s) > bound_s:
        return Verdict.UNKNOWN, f"{seen} may be over {bound_s:.3f} s: the observer itself stood still"
    return Verdict.PASS, f"{seen} is within {bound_s:.3f} s"


def responders(history: History, since_s: float, until_s: float) -> tuple[tuple[float, str], ...]:
    """Return the changes of who answers: (when, MAC), from echoes and asks together.

    While two nodes answer the same question both appear, again at each question.
    """
    seen = [(echo.sent_s, echo.responder) for echo in history.echoes if echo.responder]
    seen += [(ask.sent_s, mac) for ask in history.asks for mac in ask.answers]
    changes: list[tuple[float, str]] = []
    for at_s, mac in sorted(seen, key=lambda one: one[0]):
        if since_s <= at_s <= until_s and (not changes or changes[-1][1] != mac):
            changes.append((at_s, mac))
    return tuple(changes)


def dual_answers(history: History, since_s: float, until_s: float) -> tuple[Ask, ...]:
    """Return the questions that more than one MAC answered: two nodes are Active."""
    return tuple(ask for ask in history.asks if since_s <= ask.sent_s <= until_s and len(set(ask.answers)) > 1)
