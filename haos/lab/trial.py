"""Try, in namespaces as the lab's, what the lab will do there: `python -m haos.lab.trial DIRECTORY FABRIC`.

It ends with 0 if all of it works, and else prints the reason in one line, with the remedy after a tab.
"""

from __future__ import annotations

import sys
from pathlib import Path

from haos.lab import fabric
from haos.lab.boot import overlay_options
from haos.lab.model import FabricKind
from haos.lab.syscalls import MS_NOEXEC, MS_NOSUID, mount

UNMASKED = "run the lab where /proc and /sys are not masked (in a container: --privileged)"
ELSEWHERE = "set XDG_CACHE_HOME to a directory on ext4, xfs or btrfs"


def problem(directory: Path, switch: FabricKind = FabricKind.OVS) -> tuple[str, str] | None:
    """Return the reason why the lab would not work here, and the remedy; None if it would."""
    for name in ("upper", "work", "lower", "root"):
        (directory / name).mkdir()
    for kind, target, options, remedy in (
        ("proc", "/proc", "", UNMASKED),
        ("sysfs", str(directory / "lower"), "", UNMASKED),
        ("devpts", str(directory / "root"), "newinstance,ptmxmode=0600,mode=600", UNMASKED),
        ("overlay", str(directory / "root"), overlay_options(directory / "lower", directory), ELSEWHERE),
    ):
        try:
            mount(kind, target, kind, MS_NOSUID | MS_NOEXEC, options)
        except OSError as error:
            return f"no {kind} file system can be mounted in the lab's namespaces ({error.strerror})", remedy
    reason, _, remedy = (fabric.missing(kind=switch) or "").rpartition(": ")
    return (reason, remedy) if reason else None


if __name__ == "__main__":
    if found := problem(Path(sys.argv[1]), FabricKind(sys.argv[2])):
        sys.exit("\t".join(found))
