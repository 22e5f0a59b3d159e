"""Processes of the bed: started in a namespace and a session of their own, known by pid and start, ended by both."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.openstack.bed.model import CONTROL, RUN, BedError

MARK = "HAOS_OPENSTACK_BED"
"""In the environment of every process of the bed and of what it starts in turn: what is left over is found by it."""
POLL_S = 0.1
TAIL_LINES = 6


@dataclass(frozen=True)
class Identity:
    """A process that no later one with the same pid is taken for."""

    pid: int
    start_ticks: int

    def render(self) -> str:
        """Return the line of its record."""
        return f"{self.pid} {self.start_ticks}\n"

    @classmethod
    def parse(cls, text: str) -> Identity | None:
        """Return what `render` wrote, or None for a record that was cut short."""
        words = text.split()
        return cls(int(words[0]), int(words[1])) if len(words) == 2 and all(map(str.isdigit, words)) else None

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Return the identity of a running process; None if there is none, a zombie included."""
        try:
            return parse_stat(pid, Path(f"/proc/{pid}/stat").read_text())
        except OSError:
            return None

    def runs(self) -> bool:
        """Tell whether this very process still runs."""
        return Identity.of(self.pid) == self


def parse_stat(pid: int, text: str) -> Identity | None:
    """Read /proc/PID/stat; a zombie is no process."""
    # The command's name may hold spaces and parentheses; after the last one the fields are plain.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else Identity(pid, int(fields[19]))


@dataclass(frozen=True)
class Daemon:
    """What runs where, and under which name it is recorded."""

    name: str
    argv: tuple[str, ...]
    netns: str = CONTROL
    env: Mapping[str, str] = field(default_factory=dict)

    def command(self) -> list[str]:
        """Return the whole command line; `ip netns exec` becomes the program, so the pid stays."""
        return ["ip", "netns", "exec", self.netns, *self.argv]


@dataclass(frozen=True)
class Processes:
    """Starts, knows and ends the bed's processes."""

    log: Path
    home: Path
    path: str
    records: Path = RUN / "processes"
    children: list[subprocess.Popen[bytes]] = field(default_factory=list, compare=False)
    """Those that this run started: kept, so that whoever ends is reaped."""

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of the bed's programs: nothing of the caller's own gets into them."""
        base = {"PATH": self.path, "HOME": str(self.home), "LANG": "C.UTF-8", MARK: CONTROL}
        return base | dict(more or {})

    def start(self, daemon: Daemon) -> None:
        """Start a daemon unless it runs."""
        if self.runs(daemon.name):
            return
        self.records.mkdir(parents=True, exist_ok=True)
        with self.log_of(daemon.name).open("ab") as log:
            process = subprocess.Popen(
                daemon.command(), cwd=self.home, env=self.environment(daemon.env), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.children.append(process)
        if identity := Identity.of(process.pid):
            self._record_of(daemon.name).write_text(identity.render())

    def runs(self, name: str) -> bool:
        """Tell whether the daemon of that name runs."""
        identity = self.identity(name)
        return identity is not None and identity.runs()

    def identity(self, name: str) -> Identity | None:
        """Return what was recorded of a daemon."""
        record = self._record_of(name)
        return Identity.parse(record.read_text()) if record.exists() else None

    def names(self) -> list[str]:
        """Return the names of the daemons that were started and not stopped."""
        return sorted(path.name for path in self.records.iterdir()) if self.records.is_dir() else []

    def stop(self, names: Iterable[str], *, grace_s: float = 15.0) -> None:
        """End daemons, all at once, with SIGTERM to their groups, and after the grace with SIGKILL."""
        wanted = {name: identity for name in names if (identity := self.identity(name)) and identity.runs()}
        _end(list(wanted.values()), grace_s, group=True)
        for child in self.children:
            child.poll()
        for name in wanted:
            self._record_of(name).unlink(missing_ok=True)

    def run(
        self, argv: Iterable[str], *, log: str, netns: str = CONTROL, env: Mapping[str, str] | None = None
    ) -> None:
        """Run a program to its end; raises BedError with the tail of its log if it fails."""
        daemon = Daemon(log, tuple(argv), netns)
        with self.log_of(log).open("ab") as out:
            done = subprocess.run(
                daemon.command(), cwd=self.home, env=self.environment(env), check=False,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        if done.returncode:
            raise BedError(f"{Path(daemon.argv[0]).name} failed\n{self.tail(log)}", hint=f"see {self.log_of(log)}")

    def wait(self, what: str, condition: Callable[[], bool], deadline_s: float, *, daemon: str | None = None) -> None:
        """Wait for a condition; raises BedError at the deadline, or as soon as the daemon it hangs on has died."""
        deadline = time.monotonic() + deadline_s
        while not condition():
            if daemon is not None and not self.runs(daemon):
                raise BedError(f"{daemon} died\n{self.tail(daemon)}", hint=f"see {self.log_of(daemon)}")
            if time.monotonic() > deadline:
                where = f"\n{self.tail(daemon)}" if daemon else ""
                raise BedError(f"{what}: not within {deadline_s:g} s{where}", hint=f"see {self.log}")
            time.sleep(POLL_S)

    def log_of(self, name: str) -> Path:
        """Return the log of a daemon."""
        self.log.mkdir(parents=True, exist_ok=True)
        return self.log / f"{name}.log"

    def tail(self, name: str) -> str:
        """Return the last lines of a log."""
        path = self.log_of(name)
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(f"  {line}" for line in lines[-TAIL_LINES:])

    def _record_of(self, name: str) -> Path:
        return self.records / name


def left_over(namespaces: Iterable[Path]) -> list[Identity]:
    """Return the processes that carry the bed's mark, or are in one of its namespaces; never the caller's own."""
    inodes = {path.stat().st_ino for path in namespaces if path.exists()}
    own = set(_ancestors(os.getpid()))
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in own and _belongs(entry, inodes):
            identity = Identity.of(int(entry.name))
            found += [identity] if identity else []
    return found


def end(processes: list[Identity], *, grace_s: float) -> None:
    """End processes one by one: SIGTERM, and after the grace SIGKILL."""
    _end(processes, grace_s, group=False)


def _belongs(entry: Path, inodes: set[int]) -> bool:
    try:
        marked = f"{MARK}={CONTROL}".encode() in (entry / "environ").read_bytes().split(b"\0")
        return marked or (entry / "ns" / "net").stat().st_ino in inodes
    except OSError:
        return False  # ended meanwhile, or a kernel thread's


def _ancestors(pid: int) -> Iterable[int]:
    while pid > 0:
        yield pid
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _end(processes: list[Identity], grace_s: float, *, group: bool) -> None:
    for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        for identity in (each for each in processes if each.runs()):
            with suppress(ProcessLookupError):
                os.killpg(identity.pid, number) if group else os.kill(identity.pid, number)
        deadline = time.monotonic() + wait_s
        while any(each.runs() for each in processes) and time.monotonic() < deadline:
            time.sleep(POLL_S)
