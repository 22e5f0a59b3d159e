"""Waiting for what a service does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE_S = 60.0
PAUSE_S = 0.1


def until(happened: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Ask again and again until it is so; fail after the deadline."""
    end = time.monotonic() + deadline_s
    while not happened():
        assert time.monotonic() < end, f"not so within {deadline_s:g} s"
        time.sleep(PAUSE_S)
