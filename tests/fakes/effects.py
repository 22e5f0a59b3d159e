"""Outside effects, counted: a test can fail, or kill haos, at each of them in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


class Killed(BaseException):
    """SIGKILL: nothing of haos runs after it."""


@dataclass
class Effects:
    """Counts outside effects; `strike` is called with (index, name, "before" | "after")."""

    names: list[str] = field(default_factory=list)
    strike: Callable[[int, str, str], None] = lambda index, name, when: None
    _killed_by: Callable[[int, str, str], None] | None = None

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        index = len(self.names)
        self.names.append(name)
        try:
            self.strike(index, name, "before")
            yield
            self.strike(index, name, "after")
        except Killed:
            self._killed_by = self.strike
            raise

    @property
    def killed(self) -> bool:
        """Whether haos was killed: what it would do while Python unwinds, and counts for no effect, is not done."""
        return self._killed_by is self.strike


def killed_at(at: int, when: str) -> Callable[[int, str, str], None]:
    """Return a strike that kills haos at one effect: no later one comes to anything, though Python still unwinds."""

    def strike(index: int, _: str, moment: str) -> None:
        if index > at or (index, moment) == (at, when):
            raise Killed

    return strike
