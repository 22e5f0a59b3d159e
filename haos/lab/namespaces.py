"""How programs of the lab are started: which interpreter, as whom, in which namespaces."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # an ordinary user's lacks the sbins
NAMED = Path("/run/netns")
MAPPED = ("unshare", "--user", "--map-auto", "--map-root-user")
OWN = ("--mount", "--pid", "--uts", "--ipc", "--cgroup", "--propagation", "private")


def is_root() -> bool:
    """Say whether the lab needs no user namespace."""
    return os.geteuid() == 0


def mapped() -> list[str]:
    """Return the words before a command that touches files of the instances' users."""
    return [] if is_root() else [*MAPPED, "--"]


def in_own_namespaces(*, netns: str | None = None) -> list[str]:
    """Return the words before a command that shall be process 1 of namespaces that die with it, and with us.

    Its network namespace is new too, or the one of that name, as `ip netns` has it.
    """
    network = ["--net"] if netns is None else []
    enter = [] if netns is None else ["nsenter", f"--net={NAMED / netns}", "--"]
    prefix = ["setpriv", "--pdeathsig", "KILL", *enter, *(("unshare",) if is_root() else MAPPED)]
    return [*prefix, *network, *OWN, "--fork", "--kill-child=SIGKILL", "--"]


def in_network_of(process: int, command: list[str]) -> list[str]:
    """Return the command that runs in the network namespace of another process."""
    return ["nsenter", f"--net=/proc/{process}/ns/net", "--", *command]


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of the lab; `-S`: it needs no other package, and starts sooner."""
    return [sys.executable, "-S", "-m", module, *arguments]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of the lab's own programs: the system's tools and this very haos are found."""
    here = str(Path(__file__).resolve().parents[2])
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}".lstrip(":")
    return {**os.environ, "PATH": path, "PYTHONPATH": here, "LC_ALL": "C.UTF-8", **(extra or {})}
