"""The enumeration as a test: the numbers go into the summary of pytest, the differences are its failure."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from tests.crash.bench import bench_on, preinstalled
from tests.crash.chance import Chances
from tests.crash.enumeration import Enumeration
from tests.crash.flows import FLOWS

Record = Callable[[str, object], None]


@dataclass(frozen=True)
class Wanted:
    """How much of a flow: one point of `every`, or so many chains of runs killed at random times."""

    every: int = 1
    chains: int = 0
    seed: int = 1


def enumerate_on(lab: str, name: str, wanted: Wanted) -> tuple[str, list[str]]:
    """Enumerate a flow on a lab that runs, leave the lab as it was, and return the numbers and the differences."""
    flow = FLOWS[name]
    before = preinstalled(lab) if flow.preinstalled else nullcontext()
    with before, bench_on(lab, wide=flow.wide) as bench:
        if wanted.chains:
            chances = Chances(flow, bench, wanted.seed)
            return chances.chains(wanted.chains), chances.tally.differences
        tally = Enumeration(flow, bench).run(every=wanted.every)
        assert (tally.points + tally.missed) * wanted.every >= 2 * tally.effects, "no effect was passed over"
        # Of a sample those that are left must still be as many as there were to be.
        enough = tally.missed * 10 <= tally.points or tally.points * wanted.every >= 2 * tally.effects
        assert enough, f"too many moments did not come again: {tally}"
        return str(tally), tally.differences


def hold(lab: str, name: str, record: Record, wanted: Wanted | None = None) -> None:
    """Fail unless nothing is lost at any point of a flow; the numbers are recorded for the summary."""
    numbers, differences = enumerate_on(lab, name, wanted or Wanted())
    record("numbers", numbers)
    assert not differences, "\n\n".join(differences)
