"""Waiting, always with a deadline: for the daemon to serve, for instances to answer."""

from __future__ import annotations

import json
import select
import socket
import time
from typing import TextIO

from haos.lab.claims import Claim
from haos.lab.errors import LabError
from haos.lab.model import Power
from haos.lab.paths import LabPaths
from haos.lab.status import InstanceStatus, read_status

READY_S = 60.0
POLL_S = 0.02
BANNER_S = 1.0
KEYS_SHOWN = b"-----END SSH HOST KEY KEYS-----"


def await_ready(ready: TextIO, paths: LabPaths) -> None:
    """Wait for the daemon's word that it serves; raises LabError with its reason if it cannot."""
    readable, _, _ = select.select([ready], [], [], READY_S)
    text = ready.read() if readable else ""
    if not text:
        raise LabError(f"the lab did not start: {_last_line(paths)}", hint=f"see {paths.daemon_log}")
    answer = json.loads(text)
    if "error" in answer:
        raise LabError(f"the lab did not start: {answer['error']}", hint=f"see {paths.daemon_log}")


def await_login(paths: LabPaths, claim: Claim, timeout_s: float, *, only: str | None = None) -> None:
    """Wait until every instance, or one by its id, answers as sshd on its floating IP; all must be switched on."""
    deadline = time.monotonic() + timeout_s
    answered: set[str] = set()
    while True:
        candidates = [each for each in read_status(paths, claim).instances if only in (None, each.id)]
        waiting = [each for each in candidates if each.id not in answered]
        if not waiting and (candidates or only is None):
            return
        if off := [each.name for each in waiting if each.power == Power.SHUTOFF]:
            raise LabError(f"{', '.join(off)} did not boot", hint=f"see {paths.daemon_log} and {paths.consoles}")
        answered |= {each.id for each in waiting if _answers(paths, each, claim.ssh_port)}
        if time.monotonic() > deadline:
            names = ", ".join(each.name for each in waiting) or "the instance"
            raise LabError(f"{names} did not answer within {timeout_s:g} s", hint=f"see {paths.consoles}")
        if not claim.is_alive():
            raise LabError(f"the lab has ended: {_last_line(paths)}", hint=f"see {paths.daemon_log}")
        time.sleep(POLL_S)


def _answers(paths: LabPaths, instance: InstanceStatus, port: int) -> bool:
    # The console is looked at first: an attempt to connect before the instance is on the network takes seconds.
    console = paths.console(instance.id)
    if not console.exists() or KEYS_SHOWN not in console.read_bytes():
        return False
    if not instance.floating:
        return True
    try:
        with socket.create_connection((str(instance.floating[0]), port), BANNER_S) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _last_line(paths: LabPaths) -> str:
    lines = paths.daemon_log.read_text().splitlines() if paths.daemon_log.exists() else []
    return lines[-1] if lines else "it said nothing"
