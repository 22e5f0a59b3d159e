"""Count the probes that a switchover loses: `python -m bench.switchover [TIMES [KIND…]]`, on labs of their own.

The VIP goes there and back again and again, asked every 10 ms. Kinds: garp, fast (0.1 s), vmac (on the fabric
`learning`), nopreempt, bfd. Prints a row of the table of docs/profiles-and-bounds.md for each. It needs what a lab
needs, and a machine that has nothing else to do: its load is printed too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from haos.cli.options import Settings
from haos.cli.session import session
from haos.core.outage import Verdict
from haos.lab import control
from haos.workflow.context import Context
from haos.workflow.create import create
from haos.workflow.create import prepare as prepare_create
from haos.workflow.request import CreateRequest, ModeChoice
from haos.workflow.switchover import Switched, prepare, switchover
from haos.workflow.teardown import teardown

TIMES = 10
WANTED = 0.9
"""In so many of them no probe is to be lost, where none is promised to be."""
PAIR = "bench"
BASE = CreateRequest("ha_lab", ("ha_first", "ha_second"), name=PAIR, preempt_delay_s=1, verify=False)
KINDS = {
    "garp": BASE,
    "fast": replace(BASE, advertisement_interval_s=0.1),
    "vmac": replace(BASE, mode=ModeChoice.VMAC),
    "nopreempt": replace(BASE, preempt=False, preempt_delay_s=None),
    "bfd": replace(BASE, bfd=True),
}
LOSSLESS = frozenset({"garp", "fast"})
FABRICS = {"vmac": "learning"}
HEADING = "| pair | switchovers | no probe lost | lost probes of each | longest outage | bound |"


@dataclass
class Lost:
    """What the switchovers of one kind of pair lost."""

    bound_s: float = 0.0
    probes: list[int] = field(default_factory=list)
    longest_s: float = 0.0
    failed: int = 0

    def add(self, switched: Switched) -> None:
        """Note one more."""
        leg = switched.leg
        if leg is None or switched.lost_probes is None or leg.verdict is Verdict.UNKNOWN:
            raise SystemExit(f"not measured: {leg.reason if leg else 'the VIP was there already'}")
        self.bound_s = leg.bound_s
        self.probes.append(switched.lost_probes)
        self.longest_s = max(self.longest_s, leg.outage.outage_s if leg.outage else 0.0)
        self.failed += leg.verdict is Verdict.FAIL

    @property
    def spotless(self) -> int:
        """How many lost nothing."""
        return self.probes.count(0)

    def row(self, kind: str) -> str:
        """Return the line of the table."""
        each = " ".join(map(str, self.probes))
        return (
            f"| {kind} | {len(self.probes)} | {self.spotless} | {each} | "
            f"{self.longest_s:.3f} s | {self.bound_s:.3f} s |"
        )

    def as_promised(self, kind: str) -> bool:
        """Say whether it is as good as it has to be."""
        return not self.failed and (kind not in LOSSLESS or self.spotless >= WANTED * len(self.probes))


@contextmanager
def pair_on(lab: str, request: CreateRequest) -> Iterator[Context]:
    """Make a pair, and take it away again."""
    with session(Settings(["--os-cloud", lab], quiet=True)) as run:
        create(prepare_create(request, run.context), run.context, lambda _: None)
        try:
            yield run.context
        finally:
            teardown(PAIR, purge=False, ctx=run.context)


def measure(ctx: Context, times: int, loads: list[float]) -> Lost:
    """Move the VIP so many times, and note the machine's load after each."""
    lost = Lost()
    for _ in range(times):
        prepared = prepare(PAIR, None, back=False, observer_ref=None, ctx=ctx)
        lost.add(switchover(prepared, ctx))
        loads.append(os.getloadavg()[0])
        print(f"  lost: {lost.probes[-1]}", file=sys.stderr)
    return lost


def main() -> int:
    """Print the table; the exit code is 1 if more was lost than promised."""
    times = int(sys.argv[1]) if len(sys.argv) > 1 else TIMES
    kinds = sys.argv[2:] or list(KINDS)
    good, rows, loads = True, [], list[float]()
    for kind in kinds:
        print(f"pair {kind}", file=sys.stderr)
        lab = f"bench-{os.getpid()}"
        control.up(lab, fabric=FABRICS.get(kind, "ovs"), progress=lambda line: print(line, file=sys.stderr))
        try:
            with pair_on(lab, KINDS[kind]) as ctx:
                lost = measure(ctx, times, loads)
        finally:
            control.down(lab)
        rows.append(lost.row(kind))
        good = good and lost.as_promised(kind)
    busy = f"load {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores"
    print(f"a probe every 0.01 s, {busy}")
    print(HEADING, "|---|---|---|---|---|---|", *rows, sep="\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
