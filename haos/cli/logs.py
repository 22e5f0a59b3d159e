"""What --log-file and --timing keep of a run."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from haos.cli.masking import MaskingFormatter
from haos.errors import HaosError, UsageError

FORMAT = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s %(message)s"
LIBRARIES = ("keystoneauth", "openstack")
LOGGERS = ("haos", *LIBRARIES)
_log = logging.getLogger("haos.requests")


class RequestLog:
    """Every request to the cloud with the seconds that it took; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.seen: list[tuple[str, float]] = []

    def note(self, method: str, url: str, seconds: float) -> None:
        """Keep one request."""
        _log.info("%s %s %.3f s", method, url, seconds)
        with self._lock:
            self.seen.append((f"{method} {url}", seconds))


@contextmanager
def log_to(path: Path, secrets: Set[str], *, debug: bool) -> Iterator[None]:
    """Append what haos does to a file, nobody else's to read; with `debug` the requests' contents too."""
    with _opened(path) as file, _handling(file, LOGGERS, logging.DEBUG if debug else logging.INFO, _dated(secrets)):
        try:
            yield
        except HaosError as error:
            logging.getLogger("haos").error("%s", error)
            raise


def _opened(path: Path) -> TextIO:
    try:
        return open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))
    except OSError as error:
        raise UsageError(f"--log-file {path}: {error.strerror}", hint="name a file that can be written") from error


def _dated(secrets: Set[str]) -> MaskingFormatter:
    return MaskingFormatter(secrets, FORMAT, "%Y-%m-%d %H:%M:%S")


@contextmanager
def debug_to_stderr(secrets: Set[str]) -> Iterator[None]:
    """Show every request and its answer."""
    with _handling(sys.stderr, LIBRARIES, logging.DEBUG, MaskingFormatter(secrets)):
        yield


@contextmanager
def _handling(stream: TextIO, names: Iterable[str], level: int, form: logging.Formatter) -> Iterator[None]:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(form)
    handler.setLevel(level)
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(min(level, logger.level or level))
    try:
        yield
    finally:
        for logger, level_before in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level_before)
