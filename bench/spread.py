"""What repeated measurements come to, and whether a limit is kept."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Minimum, median and maximum of the same measurement, repeated."""

    least: float
    middle: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        return cls(min(values), statistics.median(values), max(values))

    def row(self, title: str, width: int) -> str:
        """Return one line of a table of seconds, under `heading`."""
        return f"{title:<{width}} {self.least:8.3f} {self.middle:8.3f} {self.most:8.3f}"


def heading(title: str, width: int) -> str:
    """Return the line above the rows."""
    return f"{title:<{width}} {'min':>8} {'median':>8} {'max':>8}"


def verdict(what: str, value: float, limit: float, digits: int = 3) -> str:
    """Return the line that says whether a value is at most its limit."""
    kept = "kept" if value <= limit else "MISSED"
    return f"{what}: {value:.{digits}f}, limit {limit:.{digits}f}: {kept}"
