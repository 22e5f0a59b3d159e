"""A lab on which haos is run, killed, and looked at afterwards."""

from __future__ import annotations

import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from haos.lab import control
from tests.crash.state import INSTANCES, State, Watcher, difference
from tests.lab.main_job import eventually, on

KILLED = -9
ENDED_S = 30.0
"""How long the processes of a haos that was killed may take to end by themselves."""
SETTLED_S = 60.0
"""How long VRRP may take: the preferred node waits for 5 s before it takes the VIP back."""
STEADY_S = 4.0
"""A state that is the same for so long stays: longer than any election, but not the wait for a failback."""


@dataclass(frozen=True)
class Point:
    """A moment of an effect, as the driver names both; the remark says more to a reader."""

    effect: str
    moment: str
    remark: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.moment} {self.effect}{f' ({self.remark})' if self.remark else ''}"


@dataclass(frozen=True)
class Ended:
    """How a run of haos ended."""

    code: int
    output: str
    reached: tuple[Point, ...]
    took_s: float


class Warm:
    """A process that has imported haos, and forks for each run: the import takes longer than many a run."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.driver", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, order: object) -> int:
        """Run haos and return its exit code, KILLED where it was killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


@dataclass
class Bench:
    """Runs haos on one lab. Several threads may run it at once."""

    lab: str
    folder: Path
    watcher: Watcher
    _warm: queue.SimpleQueue[Warm] = field(default_factory=queue.SimpleQueue)
    _all: list[Warm] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _reruns: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, *, live: bool = False) -> State:
        """Return the state of cloud and nodes as it is."""
        return self.watcher.look(live=live)

    def steady(self) -> State:
        """Return the state once it no longer changes by itself."""
        seen = [self.look(live=True)]

        def is_steady() -> bool:
            threading.Event().wait(STEADY_S)
            seen.append(self.look(live=True))
            return seen[-1] == seen[-2]

        assert eventually(is_steady, SETTLED_S), difference(seen[-1], seen[-2])
        return seen[-1]

    def becomes(self, wanted: State) -> str:
        """Wait until the state is this; return how it still differs at the deadline, "" if it does not."""
        seen: list[str] = []

        def is_it() -> bool:
            seen.append(difference(self.look(live=True), wanted))
            return not seen[-1]

        eventually(is_it, SETTLED_S)
        return seen[-1]

    def run(self, argv: Sequence[str], *, kill: Point | None = None, after_s: float | None = None) -> Ended:
        """Run haos; where it is killed, return once all that it had started on this machine has ended."""
        number = next(self._numbers)
        fresh = kill is not None or next(self._reruns) % 2 == 0
        place = self.folder / f"r{number}"
        place.mkdir()
        # What haos keeps on this machine is a cache. A run that is to be killed begins without, since it then does
        # most; one that follows finds what the killed one left, or nothing, by turns.
        cache = (place if fresh else self.folder) / "cache"
        environ = {**os.environ, **control.environment(self.lab), "XDG_CACHE_HOME": str(cache), "TMPDIR": str(place)}
        chosen = [kill.effect, kill.moment] if kill else None
        plan = {"log": str(place / "log"), "kill": chosen, "after_s": after_s}
        order = {"plan": plan, "argv": [*argv], "env": environ, "output": str(place / "output")}
        started_s = time.monotonic()
        with self._a_warm_one() as warm:
            code = warm.run(order)
        took_s = time.monotonic() - started_s
        assert eventually(lambda: not left_over(place), ENDED_S), f"haos {argv} left {left_over(place)}"
        ended = Ended(code, (place / "output").read_text(), tuple(_reached(place / "log")), took_s)
        with self._lock:
            if kill and cache.exists():
                shutil.rmtree(self.folder / "cache", ignore_errors=True)
                cache.rename(self.folder / "cache")
        shutil.rmtree(place)
        return ended

    @contextmanager
    def _a_warm_one(self) -> Iterator[Warm]:
        try:
            warm = self._warm.get_nowait()
        except queue.Empty:
            warm = Warm()
            self._all.append(warm)
        try:
            yield warm
        finally:
            self._warm.put(warm)

    def close(self) -> None:
        """End all that was started."""
        for warm in self._all:
            warm.close()
        self.watcher.close()


INSTALL = "sudo apt-get update -qq && sudo apt-get install -y -qq --no-install-recommends keepalived >/dev/null 2>&1"
PURGE = "sudo apt-get purge -y -qq --autoremove keepalived >/dev/null 2>&1"


@contextmanager
def preinstalled(lab: str) -> Iterator[None]:
    """Have keepalived on all instances as their owner would have installed it, and take it away again."""
    for node in INSTANCES:
        on(lab, node, INSTALL)
    try:
        yield
    finally:
        for node in INSTANCES:
            on(lab, node, PURGE)


@contextmanager
def bench_on(lab: str, *, wide: bool = False) -> Iterator[Bench]:
    """Have a bench on a lab that runs; `wide` as Watcher's."""
    # A socket's path is short: pytest's own folders are too deep.
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        bench = Bench(lab, Path(folder), Watcher(lab, Path(folder), wide))
        try:
            yield bench
        finally:
            bench.close()


def _reached(log: Path) -> Iterator[Point]:
    for line in log.read_text().splitlines() if log.exists() else ():
        yield Point(*json.loads(line))


def left_over(place: Path) -> list[str]:
    """Return the command lines of the processes that a run of haos has started and that are still there."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and (line := _command_line(each)) and f"{place}/" in line:
            found.append(line)
    return found


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""  # it has ended meanwhile
