"""Measure how long the VIP is gone: `python -m bench.outages [ROUNDS [PROFILE…]]`, on a lab of its own.

haos's own failover test, for each profile: withdraw, stop, kill, partition and link-down, each with its failback, a
probe every 10 ms. Prints the table of docs/profiles-and-bounds.md. Needs what a lab needs, and a machine that has
nothing else to do: its load is printed too. HAOS_BENCH_FAULTS (comma-separated) chooses other faults.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from haos.cli.options import Settings
from haos.cli.session import session
from haos.core import vrrp
from haos.core.leg import FAILBACK, Leg
from haos.core.model import Pair
from haos.core.outage import Verdict
from haos.core.spread import Spread
from haos.lab import control
from haos.workflow.context import Context
from haos.workflow.create import create, prepare
from haos.workflow.failover import failover_test, plan_failover
from haos.workflow.request import CreateRequest, FailoverRequest
from haos.workflow.teardown import teardown

ROUNDS = 5
NODES = ("ha_first", "ha_second")
FAULTS = tuple(os.environ.get("HAOS_BENCH_FAULTS", "withdraw,stop,kill,partition,link-down").split(","))
PREEMPT_DELAY_S = 1
"""Shorter than the default: it has no part in an outage, and every round waits for it."""
INTERVAL_S = 0.01
HEADING = "| profile | fault | bound | min | median | max | within |"


@dataclass
class Measured:
    """The outages of one fault under one profile."""

    bound_s: float
    outages_s: list[float] = field(default_factory=list)
    passed: int = 0

    def add(self, leg: Leg) -> None:
        """Note one more; no outage is "no probe lost"."""
        self.outages_s.append(leg.outage.outage_s if leg.outage else 0.0)
        self.passed += leg.verdict is Verdict.PASS
        if leg.verdict is not Verdict.PASS:
            print(f"  {leg.label} of {leg.fault} on {leg.origin}: {leg.reason}", file=sys.stderr)

    def row(self, profile: str, fault: str) -> str:
        """Return the line of the table."""
        spread = Spread.of(self.outages_s)
        seen = " | ".join(f"{value:.3f} s" for value in (spread.least, spread.middle, spread.most))
        return f"| {profile} | {fault} | {self.bound_s:.3f} s | {seen} | {self.passed} of {len(self.outages_s)} |"


@contextmanager
def pair_on(lab: str, interval_s: float) -> Iterator[tuple[Pair, Context]]:
    """Make a pair with a profile, and take it away again."""
    request = CreateRequest(
        "ha_lab", NODES, name="bench", advertisement_interval_s=interval_s, preempt_delay_s=PREEMPT_DELAY_S
    )
    with session(Settings(["--os-cloud", lab], quiet=True)) as run:
        created = create(prepare(request, run.context), run.context, lambda _: None)
        try:
            yield created.pair, run.context
        finally:
            teardown(created.pair.name, purge=False, ctx=run.context)


def measure(pair: Pair, ctx: Context, rounds: int, loads: list[float]) -> dict[str, Measured]:
    """Return fault (and "failback after" it) -> what was measured, and note the machine's load after each round."""
    found: dict[str, Measured] = {}
    request = FailoverRequest(pair.name, FAULTS, interval_s=INTERVAL_S)
    for number in range(rounds):
        print(f"  round {number + 1} of {rounds}", file=sys.stderr)
        for leg in failover_test(plan_failover(request, ctx), ctx).legs:
            name = f"{FAILBACK} after {leg.fault}" if leg.label == FAILBACK else leg.label
            found.setdefault(name, Measured(leg.bound_s)).add(leg)
        loads.append(os.getloadavg()[0])
    return found


def main() -> int:
    """Print the table; the exit code is 1 if an outage was not within its bound."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    profiles = sys.argv[2:] or list(vrrp.PROFILES)
    lab = f"bench-{os.getpid()}"
    control.up(lab, progress=lambda line: print(line, file=sys.stderr))
    all_passed, rows, loads = True, [], list[float]()
    try:
        for profile in profiles:
            print(f"profile {profile}", file=sys.stderr)
            with pair_on(lab, vrrp.PROFILES[profile]) as (pair, ctx):
                for fault, measured in measure(pair, ctx, rounds, loads).items():
                    rows.append(measured.row(profile, fault))
                    all_passed = all_passed and measured.passed == len(measured.outages_s)
    finally:
        control.down(lab)
    busy = f"load {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores"
    print(f"{rounds} rounds, a probe every {INTERVAL_S:g} s, {busy}")
    print(HEADING, "|---|---|---|---|---|---|---|", *rows, sep="\n")
    return 0 if all_passed else 1


if __name__ == "__main__":
    sys.exit(main())
