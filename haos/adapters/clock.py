"""The machine's own time, as the workflows' Clock."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's own time."""

    def now_s(self) -> float:
        """Return seconds on the monotonic clock."""
        return time.monotonic()

    def wall_s(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let time pass between two looks at a condition."""
        time.sleep(seconds)
