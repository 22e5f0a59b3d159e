"""Files and folders that nobody else can read, write or put something in the place of, whatever the umask is."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

FOLDER, FILE = 0o700, 0o600
OTHERS = 0o077
_WRITABLE = 0o022


class ForeignError(PermissionError):
    """A file or folder that somebody else could have put there, or could change."""


def private_folder(path: Path) -> Path:
    """Make a folder, and its parents, for oneself; take others' rights away from one that is there.

    Raises ForeignError for one that is somebody else's (root is nobody else), OSError where it cannot be made.
    """
    for missing in reversed([one for one in (path, *path.parents) if not one.exists()]):
        missing.mkdir(FOLDER, exist_ok=True)  # not by `parents`, which would make those as the umask has it
    _refuse_foreign(path, os.lstat(path))  # a link that somebody else has set
    found = os.stat(path)
    _refuse_foreign(path, found)
    if found.st_uid == os.geteuid() and found.st_mode & OTHERS:
        path.chmod(FOLDER)
    return path


def read_private(path: Path, limit: int = -1) -> bytes:
    """Read a file that nobody else can have written, in a folder of which that is true too.

    Raises ForeignError, or OSError where it cannot be read.
    """
    for one in (os.lstat(path.parent), os.stat(path.parent)):
        _refuse_foreign(path.parent, one, writable=True)
    with open(path, "rb", opener=_not_by_a_link) as file:
        _refuse_foreign(path, os.fstat(file.fileno()), writable=True)
        return file.read(limit)


def open_private(path: Path, mode: str = "w") -> IO[str]:
    """Open a file in a private folder for writing; one that is new is for nobody else."""
    return open(path, mode, encoding="utf-8", opener=_not_by_a_link)


def _not_by_a_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, FILE)


def _refuse_foreign(path: Path, found: os.stat_result, *, writable: bool = False) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise ForeignError(f"{path} belongs to another user (uid {found.st_uid})")
    if writable and found.st_mode & _WRITABLE and not stat.S_ISLNK(found.st_mode):
        raise ForeignError(f"{path} can be written by other users (mode {stat.S_IMODE(found.st_mode):04o})")
