"""One clock's time on another: offsets are known only as far as round trips tell, and the error goes along. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Moment:
    """A time on the observer's clock, true within ± `error_s`."""

    at_s: float
    error_s: float = 0.0

    @property
    def earliest_s(self) -> float:
        """The earliest that it can have been."""
        return self.at_s - self.error_s

    @property
    def latest_s(self) -> float:
        """The latest that it can have been."""
        return self.at_s + self.error_s


@dataclass(frozen=True)
class Offset:
    """What must be added to one clock to get another: between `low_s` and `high_s`."""

    low_s: float
    high_s: float

    @property
    def error_s(self) -> float:
        """Half of what is not known."""
        return (self.high_s - self.low_s) / 2

    def moment(self, at_s: float) -> Moment:
        """Return that time on the other clock."""
        return Moment(at_s + (self.low_s + self.high_s) / 2, self.error_s)

    def then(self, other: Offset) -> Offset:
        """Return the offset through a clock between the two."""
        return Offset(self.low_s + other.low_s, self.high_s + other.high_s)

    def reverse(self) -> Offset:
        """Return the offset the other way."""
        return Offset(-self.high_s, -self.low_s)


def offset_of(sent_s: float, there_s: float, back_s: float) -> Offset:
    """Return here-to-there of one round trip: asked at `sent_s` here, stamped there, heard at `back_s` here."""
    return Offset(there_s - back_s, there_s - sent_s)


ROUNDING_S = 1e-6
"""Seconds since 1970 are known to a quarter of a microsecond: so far round trips may contradict and still agree."""


def narrowed(offsets: Iterable[Offset]) -> Offset:
    """Return what all round trips leave possible; where they contradict (a clock was set), all that any allows.

    Raises ValueError without any.
    """
    known = tuple(offsets)
    if not known:
        raise ValueError("no round trip")
    low_s, high_s = max(one.low_s for one in known), min(one.high_s for one in known)
    if low_s <= high_s + ROUNDING_S:
        return Offset(min(low_s, high_s), max(low_s, high_s))
    return Offset(min(one.low_s for one in known), max(one.high_s for one in known))
