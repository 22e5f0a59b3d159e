"""Control groups of the unified hierarchy: where a lab may make its own, freeze and remove them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from haos.lab.errors import LabError
from haos.lab.namespaces import is_root

POLL_S = 0.01
SCOPE = "systemd-run --user --scope -p Delegate=yes haos lab up"


def hierarchy() -> Path:
    """Return where the unified hierarchy is mounted."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, *_ = line.split(" ")
        if kind == "cgroup2":
            return Path(target)
    raise LabError("no cgroup2 file system is mounted", hint="mount -t cgroup2 cgroup2 /sys/fs/cgroup")


def own() -> Path:
    """Return the group of this process."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return hierarchy() / line[len("0::") :].strip("/")
    raise LabError("this process is in no group of the unified cgroup hierarchy")


def parent() -> Path:
    """Return the group below which the lab makes its own: the top for root, the delegated one for a user."""
    return hierarchy() if is_root() else own()


def make(group: Path) -> None:
    """Make a group, or say what stands against it."""
    try:
        group.mkdir(exist_ok=True)
        if not os.access(group.parent / "cgroup.procs", os.W_OK):
            raise PermissionError(f"{group.parent} is not delegated")
    except OSError as error:
        hint = "mount the cgroup2 file system for writing" if is_root() else f"start it with  {SCOPE}"
        raise LabError(f"no control group can be made: {error}", hint=hint) from error


def enter(group: Path) -> None:
    """Move this process into a group."""
    (group / "cgroup.procs").write_text(str(os.getpid()))


def processes(group: Path) -> Iterator[int]:
    """Yield the processes of a group and all below it, as this process sees their ids."""
    for directory, _, _ in os.walk(group):
        try:
            yield from map(int, Path(directory, "cgroup.procs").read_text().split())
        except OSError:
            continue  # removed since


def freeze(group: Path, frozen: bool, timeout_s: float = 5.0) -> None:
    """Freeze or thaw all processes of a group, and wait until it is so."""
    (group / "cgroup.freeze").write_text(str(int(frozen)))
    deadline = time.monotonic() + timeout_s
    while f"frozen {int(frozen)}" not in (group / "cgroup.events").read_text():
        if time.monotonic() > deadline:
            raise LabError(f"{group.name} did not {'freeze' if frozen else 'thaw'} within {timeout_s:g} s")
        time.sleep(POLL_S)


def kill(group: Path, timeout_s: float = 5.0) -> None:
    """Kill every process of a group and all below it, and wait until none is left."""
    deadline = time.monotonic() + timeout_s
    while found := [pid for pid in processes(group) if pid]:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise LabError(f"processes {found} of {group} cannot be killed")
        time.sleep(POLL_S)


def remove(group: Path, timeout_s: float = 5.0) -> None:
    """Remove a group without processes and all below it."""
    deadline = time.monotonic() + timeout_s
    while group.exists():
        for directory, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                break  # its last process is still on its way out
        if time.monotonic() > deadline:
            raise LabError(f"the control group {group} cannot be removed")
        if group.exists():
            time.sleep(POLL_S)
