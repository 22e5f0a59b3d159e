"""Files that people asked for: refused early if they cannot be written, and then written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from haos.errors import HaosError, UsageError

MODE = 0o644


def check_writable(paths: Sequence[Path]) -> None:
    """Refuse files that cannot be written, before there is anything to lose. Raises UsageError."""
    for path in paths:
        if sum(os.path.realpath(path) == os.path.realpath(other) for other in paths) > 1:
            raise UsageError(f"{path} was named twice", hint="each report needs a file of its own")
        try:
            _try_to_write(path)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}", hint="name a file elsewhere") from error


def _try_to_write(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a file in it")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {path}: its folder is not there", hint=f"mkdir -p {path.parent}")
    if _is_special(path):
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    else:
        with _beside(path):
            pass


def write_file(path: Path, text: str) -> None:
    """Write a file, whole or not at all; what is there is replaced. Raises HaosError."""
    try:
        if _is_special(path):
            path.write_text(text, encoding="utf-8")
            return
        with _beside(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(os.path.realpath(path))
    except OSError as error:
        raise HaosError(f"cannot write {path}: {error.strerror}", hint="is there room where it goes?") from error


def append(path: Path, text: str) -> None:
    """Add to a file that others write too. Raises HaosError."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise HaosError(f"cannot write {path}: {error.strerror}", hint="is there room where it goes?") from error


def _is_special(path: Path) -> bool:
    """Say whether it is a pipe or a device, say /dev/stdout: nothing may be put in its place."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Make an empty file in the same folder, with the mode of one that the user made; taken away if left."""
    real = Path(os.path.realpath(path))
    temporary = real.with_name(f".{real.name[:200]}.{os.getpid()}.tmp")
    # Created by open, so that the user's umask counts; a temporary file of tempfile is nobody else's to read.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE))
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
