"""From the observer's history and the nodes' own logs to what happened: who held the VIP, who answered. Pure.

Node logs carry the node's wall clock; every time that leaves here is on the observer's clock, with the error of the
mapping. What cannot be told is None, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import median

from haos.core.clocks import Moment, Offset
from haos.core.fault import NodeLog
from haos.core.leg import Holders, Insight, Span
from haos.core.outage import responders
from haos.core.probe import History

FLAP_INTERVALS = 3
FLAP_S = 0.3
"""One node's answers between two of another within this time: both answer. A move there and back takes longer."""


@dataclass(frozen=True)
class Witness:
    """A node's log, and how its wall clock maps to the observer's clock; `log` is None where it is lost."""

    log: NodeLog | None
    offset: Offset | None

    @property
    def usable(self) -> bool:
        """Whether anything can be told from it."""
        return self.log is not None and self.log.whole and self.offset is not None


def insight(
    history: History,
    witnesses: Mapping[str, Witness],
    names: Mapping[str, str],
    *,
    target: str | None,
    fault_at: Moment | None,
    start_s: float,
    end_s: float,
) -> Insight:
    """Return what is known of the time between two moments; `names`: MAC -> node that answers by it alone."""
    held = holders(witnesses, start_s, end_s)
    origin_s = fault_at.at_s if fault_at else start_s
    came_s = _came(held, target, origin_s, start_s)
    first_s = _first_answer(history, names, target, max(came_s, origin_s) if came_s is not None else origin_s)
    whole = not held.unknown and bool(held.spans)
    return Insight(
        fault_at=fault_at,
        detection_s=None if came_s is None else max(0.0, came_s - origin_s),
        takeover_s=None if came_s is None or first_s is None else max(0.0, first_s - came_s),
        dual_active_s=_held_by(held, start_s, end_s, lambda count: count > 1) if whole else None,
        no_active_s=_held_by(held, start_s, end_s, lambda count: count == 0) if whole else None,
        dual_answers_s=dual_answers_s(history, names, start_s, end_s),
        responders=responders(history, start_s, end_s),
        holders=held,
    )


def fault_moment(witness: Witness | None, *, healed: bool = False) -> Moment | None:
    """Return when the fault (or its healing) took place, by the log of the node that it was made on."""
    if witness is None or witness.log is None or witness.offset is None:
        return None
    at_s = witness.log.healed_s if healed else witness.log.injected_s
    return None if at_s is None else witness.offset.moment(at_s)


def holders(witnesses: Mapping[str, Witness], start_s: float, end_s: float) -> Holders:
    """Return which node held the VIP when, as far as it lies between the two moments."""
    spans: dict[str, tuple[Span, ...]] = {}
    error_s, unknown = 0.0, []
    for name, witness in witnesses.items():
        if not witness.usable:
            unknown.append(name)
            continue
        assert witness.log is not None
        assert witness.offset is not None
        error_s = max(error_s, witness.offset.error_s)
        spans[name] = tuple(_clipped(_spans(witness.log, witness.offset), start_s, end_s))
    return Holders(spans, tuple(unknown), error_s)


def _spans(log: NodeLog, offset: Offset) -> Iterable[Span]:
    since: float | None = log.began_s if log.held_at_start else None
    for event in log.events:
        if event.held and since is None:
            since = event.at_s
        elif not event.held and since is not None:
            yield Span(offset.moment(since).at_s, offset.moment(event.at_s).at_s)
            since = None
    if since is not None:
        yield Span(offset.moment(since).at_s)


def _clipped(spans: Iterable[Span], start_s: float, end_s: float) -> Iterable[Span]:
    for span in spans:
        until_s = span.end_s if span.end_s is not None and span.end_s < end_s else None
        if span.start_s < end_s and (span.end_s is None or span.end_s > start_s):
            yield Span(max(span.start_s, start_s), until_s)


def _came(held: Holders, target: str | None, origin_s: float, start_s: float) -> float | None:
    """Return when the target got the VIP after the fault, give or take the clocks' error.

    None for one that held it all along, as a node does that was cut off and is back.
    """
    spans = held.spans.get(target or "", ())
    later = [span.start_s for span in spans if span.start_s >= origin_s - held.error_s and span.start_s > start_s]
    return min(later, default=None)


def _first_answer(history: History, names: Mapping[str, str], target: str | None, since_s: float) -> float | None:
    answered = (
        echo.answered_s
        for echo in history.echoes
        if echo.answered_s is not None and echo.answered_s >= since_s and names.get(echo.responder or "") == target
    )
    return next(answered, None) if target is not None else None


def _held_by(held: Holders, start_s: float, end_s: float, wanted: Callable[[int], bool]) -> float:
    """Return for how long the number of nodes that hold the VIP is one that is wanted."""
    steps: list[tuple[float, int]] = [(start_s, 0), (end_s, 0)]
    for spans in held.spans.values():
        for span in spans:
            steps += [(span.start_s, 1), (end_s if span.end_s is None else span.end_s, -1)]
    total_s, count = 0.0, 0
    for (at_s, change), (next_s, _) in pairwise(sorted(steps)):
        count += change
        if wanted(count):
            total_s += next_s - at_s
    return total_s


def dual_answers_s(history: History, names: Mapping[str, str], start_s: float, end_s: float) -> float:
    """Return for how long the observer was answered by two nodes or more, between the two moments.

    A question that two answer stands for the time until the next one. Where both answer by one MAC (vmac mode), the
    echoes tell: they come from one and the other by turns.
    """
    asks = [ask for ask in history.asks if start_s <= ask.sent_s <= end_s]
    steps = [after.sent_s - before.sent_s for before, after in pairwise(asks)]
    step_s = median(steps) if steps else history.interval_s
    both = [
        (ask.sent_s, min(ask.sent_s + step_s, end_s))
        for ask in asks
        if len({names.get(mac, mac) for mac in ask.answers}) > 1
    ]
    return _union_s([*both, *_flaps(history, names, start_s, end_s)])


def _flaps(history: History, names: Mapping[str, str], start_s: float, end_s: float) -> Iterable[tuple[float, float]]:
    answered = [
        (echo.sent_s, names.get(echo.responder, echo.responder))
        for echo in history.echoes
        if echo.responder and echo.answered_s is not None and start_s <= echo.sent_s <= end_s
    ]
    runs = [(name, [at_s for at_s, _ in run]) for name, run in groupby(answered, key=lambda one: one[1])]
    longest_s = max(FLAP_S, FLAP_INTERVALS * history.interval_s)
    for (before, first), (_, run), (after, last) in zip(runs, runs[1:], runs[2:], strict=False):
        if before == after and last[0] - first[-1] <= longest_s:
            yield run[0], last[0]


def _union_s(stretches: Sequence[tuple[float, float]]) -> float:
    total_s, reached_s = 0.0, float("-inf")
    for first_s, last_s in sorted(stretches):
        total_s += max(0.0, last_s - max(first_s, reached_s))
        reached_s = max(reached_s, last_s)
    return total_s
