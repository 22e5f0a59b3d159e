"""A leg of a failover as one line of the terminal: when the VIP answered, and who."""

from __future__ import annotations

from collections.abc import Iterator

from haos.core.leg import Leg

WIDTH = 60
BEFORE_S = 0.2
AFTER_S = 1.0


def timeline(leg: Leg, *, full: str, gap: str) -> Iterator[str]:
    """Yield the timeline of a leg: a cell is full if every probe in it was answered, a gap if one was not."""
    history = leg.history
    if history is None or not history.echoes:
        return
    middle_s = leg.outage.last_answer_s if leg.outage and leg.outage.last_answer_s else leg.start_s
    first_s = middle_s - BEFORE_S
    length_s = BEFORE_S + max(AFTER_S, 1.5 * (leg.outage.outage_s if leg.outage else 0.0))
    cells: list[list[bool]] = [[] for _ in range(WIDTH)]
    for echo in history.echoes:
        index = int((echo.sent_s - first_s) / length_s * WIDTH)
        if 0 <= index < WIDTH:
            cells[index].append(echo.answered_s is not None)
    bar = "".join(" " if not cell else full if all(cell) else gap for cell in cells)
    yield f"{leg.label:<9} |{bar}| {length_s:.1f} s"
