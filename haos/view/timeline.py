"""A leg of a failover as one line: who answered when, the fault, and when the VIP had moved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from haos.core.leg import Leg
from haos.view.cells import BOTH, LOST, SOMEBODY, STRANGER, cells, filled, within

BEFORE_S, AFTER_S = 0.2, 1.0
SHORTEST_S = 0.4
"""What comes after a leg is not its own; but a picture of its last moments alone would say little."""
LONGEST_LEAD_S = 1.5
"""A fault that came longer before the move is not in the picture: a failback waits for its preempt delay."""
UNREMARKABLE_INTERVALS = 3
"""So long nothing is seen between two probes, one of them a little late; longer, and it shows."""
ASK_S = 1.0
"""Questions for the VIP are closer together than this: one before and one after the picture count too."""
FAULT, TAKEOVER = "▼", "▶"
MEANINGS = {
    LOST: "lost",
    BOTH: "both answer",
    SOMEBODY: "answered",
    STRANGER: "answered by no node of the pair",
    FAULT: "fault, or its end",
    TAKEOVER: "VIP on the other node, by its own log",
}


@dataclass(frozen=True)
class Window:
    """The stretch of time that a picture shows."""

    first_s: float
    last_s: float

    @property
    def length_s(self) -> float:
        """How long it is."""
        return self.last_s - self.first_s

    def share(self, at_s: float) -> float | None:
        """Return where in the picture a moment is, from 0 to 1; None outside."""
        share = (at_s - self.first_s) / self.length_s
        return share if 0 <= share < 1 else None


def moments(leg: Leg) -> dict[str, float]:
    """Return when the fault was, and when the VIP was on the target, as far as known."""
    fault_at, detection_s = leg.insight.fault_at, leg.insight.detection_s
    if fault_at is None:
        return {}
    return {FAULT: fault_at.at_s} | ({} if detection_s is None else {TAKEOVER: fault_at.at_s + detection_s})


def window(leg: Leg) -> Window:
    """Return the stretch around the outage, else around the move; with the fault if it is near."""
    known = moments(leg)
    gap = leg.outage
    if gap is not None and gap.last_answer_s is not None:
        begin_s = end_s = gap.last_answer_s
        end_s += (1.0 if gap.open else 1.5) * gap.outage_s - AFTER_S * (not gap.open)
    else:
        begin_s = end_s = known.get(TAKEOVER, known.get(FAULT, leg.start_s))
    if FAULT in known and begin_s - LONGEST_LEAD_S <= known[FAULT] < begin_s:
        begin_s = known[FAULT]
    last_s = max(begin_s, end_s, known.get(TAKEOVER, begin_s)) + AFTER_S
    if leg.end_s > begin_s:
        last_s = min(last_s, max(leg.end_s, begin_s + SHORTEST_S))
    return Window(begin_s - BEFORE_S, last_s)


def strip(leg: Leg, letters: Mapping[str, str], width: int) -> tuple[str, ...]:
    """Return the cells of a leg, the fault and the take-over as cells of their own between them."""
    history, view = leg.history, window(leg)
    if history is None or not history.echoes:
        return ()
    # In the order of `moments`, where both were at the same time.
    there = [(sign, at_s) for sign, at_s in moments(leg).items() if view.share(at_s) is not None]
    marked = sorted(there, key=lambda one: one[1])
    count = width - len(marked)
    cell_s = view.length_s / count
    macs = {mac: letters[name] for mac, name in leg.names.items() if name in letters}
    echoes = within(history.echoes, view.first_s, view.last_s)
    asks = within(history.asks, view.first_s - ASK_S, view.last_s + ASK_S)
    seen = cells(echoes, view.first_s, cell_s, count, macs, asks)
    shown = list(filled(seen, math.ceil(UNREMARKABLE_INTERVALS * history.interval_s / cell_s)))
    for sign, at_s in reversed(marked):
        shown.insert(int((at_s - view.first_s) / cell_s), sign)
    return tuple(shown)


def legend(strips: Sequence[Sequence[str]], letters: Mapping[str, str]) -> list[str]:
    """Return what the signs mean that appear."""
    seen = {cell for strip in strips for cell in strip}
    nodes = [f"{letter} {name}" for name, letter in letters.items() if letter in seen]
    return nodes + [f"{sign} {meaning}" for sign, meaning in MEANINGS.items() if sign in seen]
