"""The legs of a failover test put together: all rounds of one fault, and all of its failbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from haos.core.leg import FAILBACK, Leg
from haos.core.outage import Verdict
from haos.core.spread import Spread
from haos.workflow.verify import worst


@dataclass(frozen=True)
class Tally:
    """All rounds of the same move."""

    fault: str
    label: str  # the fault's name, or "failback"
    legs: tuple[Leg, ...]

    @property
    def title(self) -> str:
        """How a table calls it, below the fault that it belongs to."""
        return f"- {self.label}" if self.is_failback else self.label

    @property
    def is_failback(self) -> bool:
        """Whether it is the end of a fault."""
        return self.label == FAILBACK

    @property
    def verdict(self) -> Verdict:
        """The worst of all rounds."""
        return worst([leg.verdict for leg in self.legs])

    @property
    def bound_s(self) -> float:
        """The longest bound: that of all rounds, unless the nodes changed places."""
        return max(leg.bound_s for leg in self.legs)

    @property
    def outages(self) -> Spread | None:
        """The outages of the rounds in which one could be told."""
        return spread(self.legs, known_outage_s)

    @property
    def open(self) -> bool:
        """Whether an outage had not ended: the longest is then a lower bound."""
        return any(leg.outage is not None and leg.outage.open for leg in self.legs)


def tallies(legs: Iterable[Leg]) -> tuple[Tally, ...]:
    """Return the legs grouped, in the order of their first appearance."""
    groups: dict[tuple[str, str], list[Leg]] = {}
    for leg in legs:
        groups.setdefault((fault_of(leg), leg.label), []).append(leg)
    faults = dict.fromkeys(fault for fault, _ in groups)
    return tuple(
        Tally(fault, label, tuple(group))
        for wanted in faults
        for (fault, label), group in groups.items()
        if fault == wanted
    )


def fault_of(leg: Leg) -> str:
    """Return the fault that a leg belongs to."""
    return leg.fault or leg.label


def known_outage_s(leg: Leg) -> float | None:
    """Return how long the VIP was gone, 0 where no probe was lost, None where that cannot be told."""
    if leg.verdict is Verdict.UNKNOWN or (leg.outage is None and leg.history is None):
        return None
    return leg.outage.outage_s if leg.outage else 0.0


def spread(legs: Sequence[Leg], value: Callable[[Leg], float | None]) -> Spread | None:
    """Return the spread of what is known of the legs, None without any."""
    known = [found for leg in legs if (found := value(leg)) is not None]
    return Spread.of(known) if known else None
