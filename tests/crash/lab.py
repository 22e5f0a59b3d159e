"""The enumeration as a test: the numbers are printed past pytest's capture, the differences are its failure."""

from __future__ import annotations

import sys
from contextlib import nullcontext

from tests.crash.bench import bench_on, preinstalled
from tests.crash.enumeration import Enumeration, Tally
from tests.crash.flows import FLOWS


def enumerate_on(lab: str, name: str, *, every: int = 1) -> Tally:
    """Enumerate a flow on a lab that runs, and leave the lab as it was."""
    flow = FLOWS[name]
    with preinstalled(lab) if flow.preinstalled else nullcontext(), bench_on(lab) as bench:
        return Enumeration(flow, bench).run(every=every)


def hold(lab: str, name: str, *, every: int = 1) -> None:
    """Fail unless nothing is lost at any point of a flow."""
    tally = enumerate_on(lab, name, every=every)
    print(f"\n{tally}", file=sys.__stdout__, flush=True)
    assert not tally.differences, "\n\n".join(tally.differences)
    assert tally.points >= tally.effects, "no effect was passed over"
