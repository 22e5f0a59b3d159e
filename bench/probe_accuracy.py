"""Measure outages of known length with haos's prober, fping and ping at the same time.

Run it as `python -m bench.probe_accuracy [ROUNDS] [service]`, as root or where user namespaces are allowed; with
`service`, haos asks a service behind the VIP and holds a connection to it all the while. All three probe every 10 ms;
ping and fping are judged by the same formula: send time of the first answered probe after the gap, minus that of the
last one before it, minus one interval.
"""

from __future__ import annotations

import ipaddress
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median, pstdev

from haos.adapters.prober import RemoteObserver
from haos.core.outage import worst_outage
from haos.core.probe import NO_SERVICE, History, Service
from tests.lab.probe_net import PORT, VIP, ProbeNet, can_make_namespaces

LENGTHS_S = (0.055, 0.423, 1.707)
INTERVAL_S = 0.01
ROUNDS = 10
PAUSE_S = 0.3
OTHERS = {
    "fping": ("-D", "-l", "-p", f"{1000 * INTERVAL_S:g}", VIP),
    "ping": ("-n", "-D", "-i", f"{INTERVAL_S:g}", VIP),
}
ANSWERS = {
    "fping": re.compile(r"\[(?P<at>[\d.]+)\] \S+ : \[\d+\], \d+ bytes, (?P<ms>[\d.]+) ms"),
    "ping": re.compile(r"\[(?P<at>[\d.]+)\] .*icmp_seq=\d+ .*time=(?P<ms>[\d.]+) ms"),
}


@dataclass(frozen=True)
class Cut:
    """An outage that was made, on CLOCK_MONOTONIC."""

    began_s: float
    ended_s: float

    @property
    def length_s(self) -> float:
        """How long it was."""
        return self.ended_s - self.began_s


@dataclass(frozen=True)
class Seen:
    """What one prober made of the cuts: its outages, None where it saw none, and its distances between probes."""

    name: str
    outages_s: list[float | None]
    steps_s: list[float]


def of_haos(history: History, cuts: list[Cut]) -> Seen:
    """Judge by the functions that haos itself uses."""
    found = [worst_outage(history, cut.began_s - 0.05, cut.ended_s + 0.05) for cut in cuts]
    steps = [after.sent_s - before.sent_s for before, after in pairwise(history.echoes)]
    return Seen("haos", [outage.outage_s if outage else None for outage in found], steps)


def of_lines(name: str, lines: str, cuts: list[Cut]) -> Seen:
    """Judge by the answers that the program printed, with its own stamps on the wall clock."""
    ahead_s = time.time() - time.monotonic()
    sent = [
        float(found["at"]) - float(found["ms"]) / 1000 - ahead_s
        for found in map(ANSWERS[name].match, lines.splitlines())
        if found
    ]
    pairs = list(pairwise(sent))
    steps = [after - before for before, after in pairs if after - before < 5 * INTERVAL_S]
    outages: list[float | None] = []
    for cut in cuts:
        gaps = [after - before for before, after in pairs if before < cut.ended_s and after > cut.began_s]
        gap = max(gaps, default=0.0) - median(steps)
        outages.append(gap if gap > INTERVAL_S else None)
    return Seen(name, outages, steps)


def measure(length_s: float, rounds: int, service: Service) -> tuple[list[Cut], list[Seen]]:
    """Make outages of one length, all seen by the three probers at once."""
    with ProbeNet() as net:
        net.serve(1)
        net.hold(1)
        net.await_answer()
        others = {name: Other(net, name, *options) for name, options in OTHERS.items() if shutil.which(name)}
        observer = RemoteObserver(net.door())
        probe = observer.start_probe(ipaddress.ip_address(VIP), interval_s=INTERVAL_S, service=service)
        cuts: list[Cut] = []
        for number in range(rounds):
            probe.wait(reaches(time.monotonic() + PAUSE_S), 10.0)
            cuts.append(Cut(*net.cut(1, length_s, phase_s=number * INTERVAL_S / rounds)))
        probe.wait(reaches(time.monotonic() + PAUSE_S), 10.0)
        history = probe.stop()
        said = {name: other.finish() for name, other in others.items()}
    return cuts, [of_haos(history, cuts), *(of_lines(name, lines, cuts) for name, lines in said.items())]


def reaches(at_s: float) -> Callable[[History], bool]:
    """Return a condition: the report has come so far."""
    return lambda history: history.now_s > at_s


class Other:
    """Another prober beside ours."""

    def __init__(self, net: ProbeNet, *argv: str) -> None:
        # A pipe that nobody reads meanwhile would fill up and stop it.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in finish()
        self._process = subprocess.Popen([*net.observer.enter, *argv], stdout=self._said, stderr=subprocess.DEVNULL)

    def finish(self) -> str:
        """End it and return what it said."""
        self._process.send_signal(signal.SIGINT)  # fping would keep its last lines to itself on SIGTERM
        self._process.wait()
        with self._said:
            self._said.seek(0)
            return self._said.read().decode()


def main() -> int:
    """Print one table."""
    if reason := can_make_namespaces():
        print(reason, file=sys.stderr)
        return 1
    rounds = next((int(word) for word in sys.argv[1:] if word.isdigit()), ROUNDS)
    service = Service(f"tcp:{PORT}", PORT) if "service" in sys.argv[1:] else NO_SERVICE
    for name in OTHERS:
        if not shutil.which(name):
            print(f"{name} is not installed: nothing to compare with", file=sys.stderr)
    print(
        f"{'outage':>9} {'prober':<6} {'median':>9} {'error: mean':>12} {'worst':>8} {'within 15 ms':>13}   interval"
    )
    for length_s in LENGTHS_S:
        cuts, all_seen = measure(length_s, rounds, service)
        for seen in all_seen:
            print(row(cuts, seen))
    return 0


def row(cuts: list[Cut], seen: Seen) -> str:
    """Return a prober's line of the table, in milliseconds."""
    pairs = [(found, cut) for found, cut in zip(seen.outages_s, cuts, strict=True) if found is not None]
    length_ms = 1000 * median(cut.length_s for cut in cuts)
    if not pairs or len(seen.steps_s) < 2:
        return f"{length_ms:8.1f}  {seen.name:<6} saw nothing"
    errors = [1000 * (found - cut.length_s) for found, cut in pairs]
    good = sum(abs(error) <= 1000 * INTERVAL_S + 5 for error in errors)
    middle = 1000 * median(found for found, _ in pairs)
    worst = max(errors, key=abs)
    steps = [1000 * step for step in seen.steps_s]
    share = f"{good} of {len(cuts)}"
    return (
        f"{length_ms:8.1f}  {seen.name:<6} {middle:9.1f} {mean(errors):+12.1f} {worst:+8.1f} {share:>13}   "
        f"{mean(steps):.2f}, sd {pstdev(steps):.2f}, max {max(steps):.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
