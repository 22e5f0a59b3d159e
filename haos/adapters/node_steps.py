"""The steps on a node: POSIX sh scripts from `scripts/`, put together with their parameters, run as root."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Protocol, TypeVar

from haos.core import guestnet, keepalived, node_parse
from haos.core.node_checks import PACKAGE_LOCK_TIMEOUT_S
from haos.errors import StepError

T = TypeVar("T")

LOOK_TIMEOUT_S = 20.0
STEP_TIMEOUT_S = 150.0
"""The node's lock (60 s), systemd's word (30 s) and keepalived's (15 s), each with a limit of its own."""
INSTALL_TIMEOUT_S = 900.0
LOCK_TIMEOUT_S = 60
_LOG = "on the node: journalctl -u keepalived"
_HINTS = {
    "facts": "can root work there? try: sudo ip address show",
    "install": "mend it there (sudo apt-get install keepalived, or dnf, or zypper), then run the same command again",
    "survey": "run the same command again",
    "inject": "haos status shows how the pair is; on the node: systemctl list-timers 'haos-*'",
    "watch": "wait for it to end; if it was killed: haos failover-test --restore",
}
"""Step -> what helps where it fails; else the daemon's own log."""
DNF_TIMEOUT_S = 600
"""dnf waits for its lock without a limit of its own."""
_LOOKS = frozenset({"facts", "packager", "sight", "watch", "watched", "unwatch"})
_BEGINNING = {
    "configure": ("common", "vmac", "faults"),
    "remove": ("common", "vmac", "faults"),
    **dict.fromkeys(("cause", "undo", "heal"), ("common", "vmac", "pair", "faults")),
    **dict.fromkeys(("inject", "watch", "watched", "unwatch", "claim", "unclaim"), ("common", "faults")),
}
"""Step -> what comes before it, if that is more than `common`."""


class CommandResult(Protocol):
    """How a script ended, and what it said."""

    @property
    def returncode(self) -> int: ...

    @property
    def stdout(self) -> str: ...

    @property
    def stderr(self) -> str: ...


class Connection(Protocol):
    """What a node needs of SSH."""

    def run(self, script: str, *, timeout_s: float, sudo: bool = False, what: str) -> CommandResult:
        """Run a script by `sh`; raises RemoteError, LoginError, or StepError at the time limit."""


class Steps:
    """Runs steps on one node over one connection. Raises StepError, with the script's own reason, when one fails."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def _step(self, step: str, parameters: Mapping[str, str], what: str) -> None:
        self._read(step, parameters, what, node_parse.parse_lines)

    def _read(
        self,
        step: str,
        parameters: Mapping[str, str],
        what: str,
        parse: Callable[[str], T],
        timeout_s: float | None = None,
    ) -> T:
        if timeout_s is None:
            timeout_s = LOOK_TIMEOUT_S if step in _LOOKS else STEP_TIMEOUT_S
        result = self._connection.run(step_script(step, parameters), timeout_s=timeout_s, sudo=True, what=what)
        if result.returncode:
            raise StepError(f"{what} on {self._name} failed: {_reason(result)}", hint=_HINTS.get(step, _LOG))
        try:
            return parse(result.stdout)
        except node_parse.UnreadableError as error:
            raise StepError(f"{what} on {self._name} gave no readable answer: {error}", hint=_LOG) from error


def step_script(step: str, parameters: Mapping[str, str]) -> str:
    """Return the whole script of a step: parameters as quoted assignments, what all share, the step itself."""
    shared = {
        "INCLUDE": keepalived.INCLUDE_LINE,
        "OUR_LINES": "\n".join(keepalived.main_lines()),
        "LOCK_TIMEOUT_S": str(LOCK_TIMEOUT_S),
        "PACKAGE_LOCK_TIMEOUT_S": str(PACKAGE_LOCK_TIMEOUT_S),
        "DNF_TIMEOUT_S": str(DNF_TIMEOUT_S),
        "KEEP_MARKER": guestnet.KEEP_MARKER,
    }
    preamble = "".join(f"{name}={shlex.quote(value)}\n" for name, value in {**shared, **parameters}.items())
    return preamble + "".join(_source(part) for part in (*_BEGINNING.get(step, ("common",)), step))


@cache
def _source(name: str) -> str:
    return (resources.files("haos.adapters") / "scripts" / f"{name}.sh").read_text(encoding="utf-8")


def _reason(result: CommandResult) -> str:
    """Return the script's own last word, else the last thing that anything said."""
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    own = [line.removeprefix("haos: ") for line in lines if line.startswith("haos: ")]
    said = own or lines or [f"exit code {result.returncode}"]
    return said[-1]
