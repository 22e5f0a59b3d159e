"""What --log-file and --timing keep of a run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from haos.errors import HaosError, UsageError

FORMAT = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s %(message)s"
LOGGERS = ("haos", "keystoneauth", "openstack")
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
def log_to(path: Path, *, debug: bool) -> Iterator[None]:
    """Append what haos does to a file; with `debug` the requests' contents too, secrets left out by keystoneauth."""
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--log-file {path}: {error.strerror}", hint="name a file that can be written") from error
    handler.setFormatter(logging.Formatter(FORMAT, "%Y-%m-%d %H:%M:%S"))
    level = logging.DEBUG if debug else logging.INFO
    handler.setLevel(level)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level)
    try:
        yield
    except HaosError as error:
        logging.getLogger("haos").error("%s", error)
        raise
    finally:
        for logger, level_before in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level_before)
        handler.close()
