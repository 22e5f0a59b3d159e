"""The system calls that Python 3.11 does not offer, each raising OSError as Python's own do."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MNT_DETACH = 0x2

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Move this process (its children, for CLONE_NEWPID) into namespaces of its own."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system."""
    words = (os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), options.encode())
    _check(_libc.mount(*words), target)


def bind(source: str, target: str) -> None:
    """Let a file or directory be seen at a second place."""
    mount(source, target, flags=MS_BIND)


def enter_root(directory: str) -> None:
    """Make a mounted directory this mount namespace's root, and let go of the old one."""
    os.chdir(directory)
    # The old root comes to lie on top of the new one, from where it is taken off: no directory is needed for it.
    _check(_libc.pivot_root(b".", b"."), directory)
    _check(_libc.umount2(b".", MNT_DETACH), directory)
    os.chdir("/")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
