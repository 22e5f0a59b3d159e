"""Every sample of a failover test as CSV, for those who want to count themselves: docs/failover-report.md."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from haos.core.leg import Leg
from haos.core.probe import History
from haos.core.report import FailoverReport
from haos.view.cells import within

COLUMNS = ("leg", "fault", "round", "kind", "at_s", "answered_s", "mac", "node", "note")
DIGITS = 6


@dataclass(frozen=True)
class Sample:
    """One line of the file; times are on the observer's clock."""

    kind: str
    at_s: float
    answered_s: float | None = None
    mac: str = ""
    note: str = ""


def raw(report: FailoverReport) -> str:
    """Return the file's text: the samples in order of time, each once, by the leg that was under way."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    after_s = float("-inf")
    for number, leg in enumerate(report.legs, start=1):
        if leg.history is not None and leg.history.now_s < after_s:
            after_s = float("-inf")  # another run, on a clock that began anew
        last = number == len(report.legs) or leg.end_s == 0.0
        until_s = float("inf") if last else leg.end_s
        for sample in _samples(leg, after_s, until_s):
            writer.writerow(_row(number, leg, sample))
        after_s = max(after_s, leg.history.now_s if leg.history and last else leg.end_s)
    return text.getvalue()


def _samples(leg: Leg, after_s: float, until_s: float) -> Sequence[Sample]:
    found = [*_of_history(leg.history, after_s, until_s)] if leg.history is not None else []
    return sorted([*found, *_of_nodes(leg)], key=lambda sample: sample.at_s)


def _of_history(history: History, after_s: float, until_s: float) -> Iterator[Sample]:
    for echo in within(history.echoes, after_s, until_s):
        yield Sample("echo", echo.sent_s, echo.answered_s, echo.responder or "")
    for ask in within(history.asks, after_s, until_s):
        for mac in ask.answers or ("",):
            yield Sample("ask", ask.sent_s, mac=mac)
    for one in within(history.tries, after_s, until_s):
        yield Sample("try", one.sent_s, one.answered_s, note=one.failure)
    for event in history.flow:
        if after_s <= event.at_s < until_s:
            yield Sample("flow", event.at_s, note=f"{event.what} {event.why}".strip())
    for mark in history.marks:
        if after_s <= mark.at_s < until_s:
            yield Sample("mark", mark.at_s, note=f"{mark.label} (at most {mark.error_s:.6f} s late)")


def _of_nodes(leg: Leg) -> Iterator[Sample]:
    """Yield what the nodes wrote down; with what error their clocks are known stands in the note."""
    seen = leg.insight
    if seen.fault_at is not None:
        what = "end of the fault" if leg.label != leg.fault and leg.fault else "fault"
        yield Sample("fault", seen.fault_at.at_s, note=f"{what} (± {seen.fault_at.error_s:.6f} s)")
    if seen.holders is None:
        return
    error = f"(± {seen.holders.error_s:.6f} s)"
    for name, spans in seen.holders.spans.items():
        for span in spans:
            yield Sample("held", span.start_s, note=f"{name} has the VIP {error}")
            if span.end_s is not None:
                yield Sample("held", span.end_s, note=f"{name} has it no more {error}")


def _row(number: int, leg: Leg, sample: Sample) -> tuple[object, ...]:
    answered = "" if sample.answered_s is None else f"{sample.answered_s:.{DIGITS}f}"
    node = leg.names.get(sample.mac, "")
    return (number, leg.fault or leg.label, leg.round, sample.kind, f"{sample.at_s:.{DIGITS}f}", answered,
            sample.mac, node, sample.note)  # fmt: skip
