"""Measure how long the VIP is gone: `python -m bench.outages [ROUNDS [PROFILE…]]`, on a lab of its own.

Each round withdraws the pair's instance and stops the daemon, through haos's own `failover-test`, and then cuts the
cable of the Active node at the switch: every frame is lost both ways, the carrier stays up, Neutron knows nothing.
That is how a dead hypervisor looks from the network. haos's own prober asks every 10 ms in all of them. Prints the
table of docs/profiles-and-bounds.md. Needs what a lab needs, and a machine that has nothing else to do: its load is
printed too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from haos.cli.options import Settings
from haos.cli.session import session
from haos.core import vrrp
from haos.core.model import Instance, Node, Pair
from haos.core.outage import Outage, Verdict, judge, worst_outage
from haos.core.spread import Spread
from haos.lab import control
from haos.workflow.context import Context, Probe
from haos.workflow.create import create, prepare
from haos.workflow.failover import failover_test
from haos.workflow.request import CreateRequest
from haos.workflow.teardown import teardown
from haos.workflow.trial import PROBE_INTERVAL_S, await_one_active, has_settled, macs_of
from haos.workflow.verify import ANSWER_TIMEOUT_S, is_answered

ROUNDS = 5
NODES = ("ha_first", "ha_second")
FAULTS = ("withdraw", "stop")
PREEMPT_DELAY_S = 1
"""Shorter than the default: it has no part in an outage, and every round waits for it twice."""
SETTLE_TIMEOUT_S = 30.0
HEADING = "| profile | fault | bound | min | median | max | within |"


@dataclass
class Measured:
    """The outages of one fault under one profile."""

    bound_s: float
    outages_s: list[float] = field(default_factory=list)
    passed: int = 0

    def add(self, outage: Outage | None, verdict: Verdict) -> None:
        """Note one more; None is "no probe lost"."""
        self.outages_s.append(outage.outage_s if outage else 0.0)
        self.passed += verdict is Verdict.PASS

    def row(self, profile: str, fault: str) -> str:
        """Return the line of the table."""
        spread = Spread.of(self.outages_s)
        seen = " | ".join(f"{value:.3f} s" for value in (spread.least, spread.middle, spread.most))
        return f"| {profile} | {fault} | {self.bound_s:.3f} s | {seen} | {self.passed} of {len(self.outages_s)} |"


@dataclass(frozen=True)
class Bench:
    """A pair on a lab, and who watches it."""

    lab: str
    pair: Pair
    nodes: tuple[Node, ...]
    observer: Instance
    context: Context

    def measure(self, rounds: int, at_each: Callable[[], None]) -> dict[str, Measured]:
        """Return fault -> what was measured, the ways back included; `at_each` is called in every round."""
        found: dict[str, Measured] = {}
        for number in range(rounds):
            print(f"  round {number + 1} of {rounds}", file=sys.stderr)
            report = failover_test(self.pair.name, FAULTS, self.observer.id, self.context)
            for leg in report.result.legs:
                found.setdefault(leg.label, Measured(leg.bound_s)).add(leg.outage, leg.verdict)
            for fault, bound_s, outage, verdict in self._partition():
                found.setdefault(fault, Measured(bound_s)).add(outage, verdict)
            at_each()
        return found

    def _partition(self) -> Iterator[tuple[str, float, Outage | None, Verdict]]:
        """Cut the cable of the Active node, and mend it: yield both ways' outages.

        The cut node cannot be asked, since SSH goes through the same port: the observer alone says who answers.
        """
        active, others = self.nodes[0], self.nodes[1:]
        if await_one_active(self.pair, self.nodes, self.context)[0] is not active:
            raise SystemExit(f"{active.name} is not the Active node")
        bound_s = vrrp.bound_of_crash_s(self.pair.timing, vrrp.backups_of(self.pair))
        probe = self.context.fleet.observer(self.observer).start_probe(self.pair.vip, interval_s=PROBE_INTERVAL_S)
        try:
            if not probe.wait(is_answered, ANSWER_TIMEOUT_S):
                raise SystemExit("the VIP does not answer")
            yield "partition", bound_s, *self._seen(probe, "partition", lambda: self._cut(True), others, bound_s)
            yield "heal", 0.0, *self._seen(probe, "heal", lambda: self._cut(False), [active], 0.0)
        finally:
            self._cut(False)
            probe.stop()

    def _cut(self, dark: bool) -> None:
        control.cut_port(self.lab, self.nodes[0].port.id, dark=dark)

    def _seen(
        self, probe: Probe, label: str, act: Callable[[], None], targets: Sequence[Node], bound_s: float
    ) -> tuple[Outage | None, Verdict]:
        macs = {mac for node in targets for mac in macs_of(node, self.pair)}
        probe.mark(label)
        act()
        if not probe.wait(lambda history: has_settled(history, label, macs), SETTLE_TIMEOUT_S):
            raise SystemExit(f"{label}: the observer is not answered as it should be within {SETTLE_TIMEOUT_S:g} s")
        history = probe.history()
        mark = history.mark(label)
        outage = worst_outage(history, mark.at_s - mark.error_s - 2 * PROBE_INTERVAL_S, history.now_s)
        return outage, judge(outage, bound_s + vrrp.MARGIN_S, history)[0]


@contextmanager
def bench_of(lab: str, interval_s: float) -> Iterator[Bench]:
    """Make a pair with a profile, and take it away again."""
    request = CreateRequest(
        "ha_lab", NODES, name="bench", advertisement_interval_s=interval_s, preempt_delay_s=PREEMPT_DELAY_S
    )
    with session(Settings(["--os-cloud", lab], quiet=True)) as run:
        prepared = prepare(request, run.context)
        created = create(prepared, run.context, lambda _: None)
        observer = prepared.place.observer
        assert observer is not None, "a lab has an observer"
        try:
            yield Bench(lab, created.pair, prepared.place.nodes, observer, run.context)
        finally:
            teardown(created.pair.name, purge=False, ctx=run.context)


def main() -> int:
    """Print the table; the exit code is 1 if an outage was not within its bound."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    profiles = sys.argv[2:] or list(vrrp.PROFILES)
    lab = f"bench-{os.getpid()}"
    control.up(lab, progress=lambda line: print(line, file=sys.stderr))
    all_passed, rows, loads = True, [], []
    try:
        for profile in profiles:
            print(f"profile {profile}", file=sys.stderr)
            with bench_of(lab, vrrp.PROFILES[profile]) as bench:
                for fault, measured in bench.measure(rounds, lambda: loads.append(os.getloadavg()[0])).items():
                    rows.append(measured.row(profile, fault))
                    all_passed = all_passed and measured.passed == len(measured.outages_s)
    finally:
        control.down(lab)
    busy = f"load {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores"
    print(f"{rounds} rounds, a probe every {PROBE_INTERVAL_S:g} s, {busy}")
    print(HEADING, "|---|---|---|---|---|---|---|", *rows, sep="\n")
    return 0 if all_passed else 1


if __name__ == "__main__":
    sys.exit(main())
