"""The access log: one line a request, and the same in memory for those who count."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from haos.lab.api.routing import Doc, Request


class AccessLog:
    """Every request that was not about the lab itself. Status 0: the client got no answer."""

    def __init__(self, path: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._since_reset: list[Doc] = []
        self._file = path.open("a", buffering=1) if path else None

    def note(self, request: Request, status: int, size: int) -> None:
        """Write one line."""
        when = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._lock:
            self._since_reset.append({"method": request.method, "target": request.target, "status": status})
            if self._file is not None:
                self._file.write(f"{when} {request.method} {request.target} {status} {size}\n")

    def listed(self) -> list[Doc]:
        """Return the requests since the last reset."""
        with self._lock:
            return list(self._since_reset)

    def reset(self) -> None:
        """Count from zero."""
        with self._lock:
            self._since_reset.clear()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
