"""A node, over one connection: each method is one POSIX sh script from `scripts/`, run as root under one lock."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Protocol, TypeVar

from haos.core import guestnet, keepalived, node_parse
from haos.core.model import Address
from haos.core.names import check_name
from haos.core.node import NodeConfig, NodeFacts, NodeFile, Removal, Removed, Sight, Survey
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
}
"""Step -> what helps where it fails; else the daemon's own log."""
PACKAGE_LOCK_TIMEOUT_S = 120
"""How long apt, dpkg or zypper may be busy with something else: a new instance's first upgrade."""
DNF_TIMEOUT_S = 600
"""dnf waits for its lock without a limit of its own."""
_VMAC_STEPS = frozenset({"configure", "withdraw", "remove"})


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


class Node:
    """A NodeAgent. Raises StepError, with the script's own reason, when a step fails there."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def facts(self, mac: str) -> NodeFacts:
        """Look at the node; `mac` names the port's device. Changes nothing."""
        return self._read("facts", {}, "looking at it", lambda out: node_parse.parse_facts(out, mac))

    def install_keepalived(self) -> str:
        """Install the package (no service is started by it) and mark it as ours; return its version."""
        lines = self._read("install", {}, "installing keepalived", node_parse.parse_lines, INSTALL_TIMEOUT_S)
        return node_parse.parse_version(dict(lines)["version"])

    def configure(self, config: NodeConfig) -> bool:
        """Put the files in place, tested before and after; return whether anything changed. Starts nothing."""
        what = f"configuring pair {config.pair}"
        lines = self._read("configure", _parameters(config), what, node_parse.parse_lines)
        return ("changed", "yes") in lines

    def activate(self) -> None:
        """Enable the daemon and let it run the files that are there now: start it, or reload it."""
        self._step("activate", {}, "activating keepalived")

    def withdraw(self, pair: str) -> None:
        """Move this pair's file aside and reload: this instance alone gives up the VIP."""
        self._step("withdraw", {"PAIR": check_name(pair)}, f"withdrawing pair {pair}")

    def reinstate(self, pair: str) -> None:
        """Move this pair's file back and reload."""
        self._step("reinstate", {"PAIR": check_name(pair)}, f"reinstating pair {pair}")

    def stop_daemon(self) -> None:
        """Stop keepalived cleanly."""
        self._step("stop", {}, "stopping keepalived")

    def start_daemon(self) -> None:
        """Start keepalived."""
        self._step("start", {}, "starting keepalived")

    def sight(self, pair: str, vip: Address) -> Sight:
        """Ask for the node's own view of the pair."""
        instance = keepalived.instance_name(pair)
        parameters = {"PAIR": pair, "VIP": str(vip)}
        return self._read(
            "sight", parameters, f"asking for pair {pair}", lambda out: node_parse.parse_sight(out, instance)
        )

    def survey(self, own: Address, addresses: Sequence[Address], *, listen_s: float) -> Survey:
        """Ask the segment of an address of its own who has others; listen for VRRP meanwhile. Changes nothing."""
        parameters = {
            "OWN": str(own),
            "ADDRESSES": " ".join(str(address) for address in addresses),
            "LISTEN_S": f"{listen_s:g}",
        }
        what = "asking on the segment"
        return self._read("survey", parameters, what, node_parse.parse_survey, LOOK_TIMEOUT_S + listen_s)

    def remove(self, removal: Removal) -> Removed:
        """Take the pair off the node; the shared files go with the last pair. Safe to repeat."""
        parameters = {
            "PAIR": check_name(removal.pair),
            "VIP": str(removal.vip),
            "PURGE": "yes" if removal.purge_package else "no",
            "RETURNING": "yes" if removal.returning else "no",
        }
        what = f"removing pair {removal.pair}"
        return self._read("remove", parameters, what, node_parse.parse_removed, INSTALL_TIMEOUT_S)

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
            timeout_s = LOOK_TIMEOUT_S if step in {"facts", "sight"} else STEP_TIMEOUT_S
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
    parts = ("common", "vmac", step) if step in _VMAC_STEPS else ("common", step)
    return preamble + "".join(_source(part) for part in parts)


@cache
def _source(name: str) -> str:
    return (resources.files("haos.adapters") / "scripts" / f"{name}.sh").read_text(encoding="utf-8")


def _parameters(config: NodeConfig) -> dict[str, str]:
    parameters = {
        "PAIR": check_name(config.pair),
        "INTERFACE": config.interface,
        "SOURCE": str(config.source),
        "PEERS": " ".join(str(peer) for peer in config.peers),
        "VRID": str(config.vrid),
        "VERSION": str(config.vip.version),
        "INCLUDE_LINE": config.include_line or "",
        "VMAC": config.vmac or "",
        "FILE_COUNT": str(len(config.files)),
    }
    for index, file in enumerate(config.files):
        parameters.update(_file_parameters(f"FILE_{index}", file))
    return parameters


def _file_parameters(prefix: str, file: NodeFile) -> dict[str, str]:
    data = file.text.encode()
    return {
        f"{prefix}_PATH": file.path,
        f"{prefix}_MODE": f"{file.mode:04o}",
        f"{prefix}_DATA": base64.b64encode(data).decode(),
        f"{prefix}_BYTES": str(len(data)),
    }


def _reason(result: CommandResult) -> str:
    """Return the script's own last word, else the last thing that anything said."""
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    own = [line.removeprefix("haos: ") for line in lines if line.startswith("haos: ")]
    said = own or lines or [f"exit code {result.returncode}"]
    return said[-1]
