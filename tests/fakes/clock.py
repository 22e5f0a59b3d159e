"""Time that passes when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

EPOCH_S = 1_795_470_000.0
"""When the fake clock's zero was."""


@dataclass
class FakeClock:
    now: float = 1000.0
    due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def now_s(self) -> float:
        return self.now

    def wall_s(self) -> float:
        return EPOCH_S + self.now

    def at(self, when_s: float, do: Callable[[], None]) -> None:
        """Let something happen as time passes."""
        self.due.append((when_s, do))

    def sleep(self, seconds: float) -> None:
        until_s = self.now + seconds
        while (first := min(self.due, key=lambda item: item[0], default=None)) and first[0] <= until_s:
            self.due.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = until_s
