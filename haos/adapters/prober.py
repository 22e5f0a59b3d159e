"""The observer: the third instance, which says what a client sees of the VIP."""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Protocol

from haos.adapters import probe_ping
from haos.adapters.probe_report import ProgramReport
from haos.adapters.probe_run import RemoteProbe
from haos.core import service_probe
from haos.core.model import Address
from haos.core.probe import NO_SERVICE, Service
from haos.errors import RemoteError

ASK_S = 0.1
DARK_S = 10.0
"""So long after the last answered echo broadcast questions are held back: see `remote/probe.py`."""
LIMIT_S = 1800.0  # a failback may wait for a preempt delay of up to 1000 s
SILENCE_S = 30.0
"""The observer's program ends by itself when it has heard nothing from haos for so long."""
START_TIMEOUT_S = 20.0
SHORT_S = 10.0

_MODULES = {
    "haos.adapters.remote.wire": "wire.py",
    "haos.adapters.remote.dial": "dial.py",
    "haos.adapters.remote.service": "service.py",
    "__main__": "probe.py",
}
"""What is streamed, in this order: each may import those before it."""
BOOTSTRAP = (
    "import sys,types;i=sys.stdin.buffer;"
    "sys.argv[1:]=i.read(int(i.readline())).decode().split(chr(10));"
    "[exec(i.read(int(i.readline())),sys.modules.setdefault(n,types.ModuleType(n)).__dict__)"
    f" for n in {tuple(_MODULES)!r}]"
)
_RIGHT = """
import socket, sys
if sys.version_info < (3, 6):
    sys.exit(1)
try:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
except OSError:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
"""
_FIND_MEANS = f"""
for python in python3 /usr/libexec/platform-python; do
    if "$python" -c '{_RIGHT}' 2>/dev/null; then
        echo "python $python"
        break
    fi
done
for interval in {probe_ping.FAST_S:g} {probe_ping.SLOW_S:g}; do
    if {probe_ping.TRY}; then
        echo "ping $interval"
        break
    fi
done
exit 0
"""
_NEIGHBOUR = re.compile(r"\blladdr ([0-9a-fA-F:]{17})\b")


class Result(Protocol):
    """How a script on the observer ended."""

    @property
    def returncode(self) -> int:
        """The script's own exit code."""

    @property
    def stdout(self) -> str:
        """What it said."""


class Door(Protocol):
    """What is needed of a connection to the observer."""

    def run(self, script: str, *, timeout_s: float, sudo: bool = False, what: str) -> Result:
        """Run a script there."""

    def spawn(self, argv: Sequence[str], *, sudo: bool = False) -> subprocess.Popen[bytes]:
        """Start a process there, with pipes."""

    def can_sudo(self) -> bool:
        """Say whether anything can be run as root."""


class RemoteObserver:
    """Implements `Observer`: with root where it can, without where it must, by ping where there is no Python."""

    def __init__(self, connection: Door) -> None:
        self._connection = connection
        self._means: Mapping[str, str] | None = None

    def abilities(self) -> frozenset[str]:
        """Return what it can: "root", "python" (one that may send ICMP), "ping"; asked once."""
        root = {"root"} if self._connection.can_sudo() else set()
        return frozenset({*root, *self._find_means()})

    def neighbour(self, vip: Address) -> str | None:
        """Return the MAC that the observer's own neighbour table has for the VIP."""
        said = self._connection.run(f"ip neigh show to {vip}", timeout_s=SHORT_S, what="reading the neighbour table")
        found = _NEIGHBOUR.search(said.stdout)
        return found[1].lower() if found else None

    def start_probe(
        self, vip: Address, *, interval_s: float, service: Service = NO_SERVICE, limit_s: float = LIMIT_S
    ) -> RemoteProbe:
        """Start probing; returns once the first probe has left. Raises RemoteError.

        The run ends by itself after `limit_s`, which leaves nothing behind on the observer whatever happens here.
        """
        sudo = self._connection.can_sudo()
        reason = "the observer has no Python 3.6 or newer that may send ICMP"
        if python := self._find_means().get("python"):
            report = ProgramReport(interval_s, time.monotonic(), service)
            process = self._connection.spawn([python, "-c", BOOTSTRAP], sudo=sudo)
            probe = RemoteProbe(process, report)
            feed(process, arguments(vip, interval_s, limit_s, service))
            failure = probe.await_start(START_TIMEOUT_S)
            if failure is None:
                return probe
            probe.stop()
            reason = failure
        return self._start_ping(vip, interval_s, limit_s, reason, service)

    def _find_means(self) -> Mapping[str, str]:
        """Return "python" -> how it is called, "ping" -> the shortest interval that it allows, as far as there."""
        if self._means is None:
            sudo = self._connection.can_sudo()
            found = self._connection.run(
                _FIND_MEANS, timeout_s=SHORT_S, sudo=sudo, what="looking for Python and ping"
            )
            lines = (line.split() for line in found.stdout.splitlines())
            self._means = {
                words[0]: words[1] for words in lines if len(words) == 2 and words[0] in {"python", "ping"}
            }
        return self._means

    def _start_ping(
        self, vip: Address, interval_s: float, limit_s: float, reason: str, service: Service
    ) -> RemoteProbe:
        if "ping" not in self._find_means():
            raise RemoteError(
                f"the observer cannot probe: {reason}; and its ping does not work",
                hint="install python3 or iputils-ping there, or name another --observer",
            )
        step_s = max(interval_s, float(self._find_means()["ping"]))
        report = probe_ping.PingReport(interval_s, self._look_at_clock(), service)
        script = probe_ping.run_script(vip, step_s, limit_s)
        sudo = self._connection.can_sudo()
        probe = RemoteProbe(self._connection.spawn(["sh", "-c", script], sudo=sudo), report)
        failure = probe.await_start(START_TIMEOUT_S)
        if failure is not None:
            probe.stop()
            raise RemoteError(
                f"the observer cannot probe: {reason}; and its ping failed: {failure}", hint="name another --observer"
            )
        return probe

    def _look_at_clock(self) -> tuple[float, float, float]:
        asked_s = time.monotonic()
        said = self._connection.run("date +%s.%N", timeout_s=SHORT_S, what="reading the clock").stdout.strip()
        try:
            return asked_s, float(said), time.monotonic()
        except ValueError:
            raise RemoteError(f"the observer's clock says {said!r}", hint="name another --observer") from None


def arguments(vip: Address, interval_s: float, limit_s: float, service: Service = NO_SERVICE) -> list[str]:
    """Return the program's arguments."""
    options = {"interval": interval_s, "ask": ASK_S, "dark": DARK_S, "limit": limit_s, "silence": SILENCE_S}
    words = [f"vip={vip}", *(f"{name}={value:g}" for name, value in options.items())]
    if service.probe is not None:
        asked = service_probe.question_of(service.probe)
        words += [f"service={asked.kind} {asked.port} {asked.host} {asked.path}"]
        words += [f"every={max(interval_s, asked.interval_s):g}"]
    if service.flow is not None:
        words += [f"flow={service.flow}"]
    return words


def feed(process: subprocess.Popen[bytes], words: Sequence[str]) -> None:
    """Hand its arguments and its source to the Python that waits for them; one that has died the reader notices.

    What is asked of a service may be in a URL that is not for everybody on the observer, who can list processes.
    """
    assert process.stdin is not None
    folder = resources.files("haos.adapters.remote")
    with contextlib.suppress(BrokenPipeError):
        for text in ("\n".join(words).encode(), *(folder.joinpath(file).read_bytes() for file in _MODULES.values())):
            process.stdin.write(b"%d\n%s" % (len(text), text))
        process.stdin.flush()
