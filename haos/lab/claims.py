"""Who runs a lab, written down before anything is started: enough to end it and to clean up after it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from haos.lab import cgroups
from haos.lab.errors import LabError
from haos.lab.files import write_atomically
from haos.lab.model import FabricKind
from haos.lab.namespaces import environment, mapped
from haos.lab.paths import LabPaths, labs_dir
from haos.lab.wire import decode, encode

SSH_PORTS = (22, 10022)  # the second for ordinary users, and where an sshd of the machine's own has the first
PREFIXES = tuple(f"127.200.{number}" for number in range(51, 151))
FIRST_INSTANCE = 32


@dataclass(frozen=True)
class Claim:
    """What a lab occupies on this machine."""

    group: str
    image: str
    prefix: str
    ssh_port: int
    fabric: FabricKind
    pid: int = 0
    started: int = 0  # the daemon's start in clock ticks since the machine's boot: with the pid, its identity

    def is_alive(self) -> bool:
        """Say whether the lab's daemon runs."""
        return self.pid > 0 and start_ticks(self.pid) == self.started


def start_ticks(pid: int) -> int | None:
    """Return when a process was started; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return int(fields[18]) if state not in "ZX" else None


def read(paths: LabPaths) -> Claim | None:
    """Return a lab's claim; None if it has none."""
    try:
        return decode(Claim, json.loads(paths.claim.read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def write(paths: LabPaths, claim: Claim) -> None:
    """Write a lab's claim down."""
    write_atomically(paths.claim, json.dumps(encode(claim)))


def living() -> Iterator[Claim]:
    """Yield the claims of all running labs of this user."""
    for file in labs_dir().glob("*/lab.json"):
        claim = read(LabPaths(file.parent.name))
        if claim is not None and claim.is_alive():
            yield claim


def images_in_use() -> Iterator[Path]:
    """Yield the images of all running labs of this user."""
    return (Path(claim.image) for claim in living())


def choose_floating(preferred: str) -> tuple[str, int]:
    """Choose a prefix for the floating addresses and the port to listen on; raises LabError if all are taken."""
    taken = {claim.prefix for claim in living()}
    prefixes = sorted(set(PREFIXES) - taken, key=lambda prefix: (prefix != preferred, PREFIXES.index(prefix)))
    for port in SSH_PORTS:
        for prefix in prefixes:
            if _can_listen(f"{prefix}.{FIRST_INSTANCE}", port):
                return prefix, port
    raise LabError(f"ports {' and '.join(map(str, SSH_PORTS))} are taken on all of 127.200.51.0 to 127.200.150.255")


def sweep(paths: LabPaths) -> None:
    """End whatever is left of a lab and remove it."""
    claim = read(paths)
    if claim is not None:
        _kill(claim)
        group = Path(claim.group)
        cgroups.kill(group)
        cgroups.remove(group)
    if paths.run.exists():
        # The instances' files belong to users of a user namespace, if an ordinary user has started the lab.
        subprocess.run([*mapped(), "rm", "-rf", "--", str(paths.run)], env=environment(), check=True)


def _kill(claim: Claim) -> None:
    alive = claim.is_alive()
    if alive:
        os.kill(claim.pid, signal.SIGKILL)
    if claim.pid:
        with contextlib.suppress(ChildProcessError):  # it is a child only of the process that started it
            os.waitpid(claim.pid, 0 if alive else os.WNOHANG)


def _can_listen(address: str, port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address, port))
            trial.listen(1)
        except OSError:
            return False
    return True
