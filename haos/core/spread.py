"""What repeated measurements of the same thing come to. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

P95 = 0.95


@dataclass(frozen=True)
class Spread:
    """Minimum, median, 95th percentile and maximum; a single value has no spread, so `p95` is None then.

    The percentile is the nearest rank: a value that was really measured, and with fewer than 20 the largest. The
    median of an even number is the middle between two.
    """

    count: int
    least: float
    middle: float
    p95: float | None
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        p95 = nearest_rank(values, P95) if len(values) > 1 else None
        return cls(len(values), min(values), statistics.median(values), p95, max(values))


def nearest_rank(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is at least as large as this share of at least one value."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
