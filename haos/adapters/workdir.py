"""A private folder for as long as haos runs; what a haos that was killed has left is removed by the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

PREFIX = "haos-"
_ALIVE = "alive"
"""A file that is locked while its haos lives: the kernel gives the lock back however that ends."""
_PATH_LIMIT = 60
"""A UNIX socket's path is at most 107 bytes, of which ssh and we need some."""


class Workdir:
    """A folder (0700) for sockets and files, its path short enough and free of what ssh expands."""

    def __init__(self) -> None:
        parent = tempfile.gettempdir()
        if len(parent) > _PATH_LIMIT or any(char in parent for char in "%$ \"'\\"):
            parent = "/tmp"  # noqa: S108 - mkdtemp makes the private folder in it
        _sweep(Path(parent))
        self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        # Locked before it has the name by which it is looked for.
        self._alive = os.open(self.path / "new", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._alive, fcntl.LOCK_EX)
        os.rename(self.path / "new", self.path / _ALIVE)

    def remove(self) -> None:
        """Remove it with all that is in it; safe to repeat."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1


def _sweep(parent: Path) -> None:
    """Remove this user's folders whose haos is gone."""
    for folder in parent.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and _is_dead(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_dead(folder: Path) -> bool:
    """Say whether nobody holds the lock; raises OSError where there is none, or it is held."""
    alive = os.open(folder / _ALIVE, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(alive)
    return True
