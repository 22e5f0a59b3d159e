"""Probes as cells of equal length: who answered in each, or that one was lost. For terminals and pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from haos.core.outage import is_lost
from haos.core.probe import Echo

EMPTY, LOST, BOTH, SOMEBODY = " ", "·", "!", "█"
"""Nothing was sent; a probe was lost; several nodes answered; somebody did, and the observer cannot tell who."""
STRANGER = "?"
"""Answered by a MAC that is no node's."""


def letters(nodes: Iterable[str]) -> dict[str, str]:
    """Return a letter for each node: the first in which the names differ, else a number."""
    names = tuple(dict.fromkeys(nodes))
    common = _common(names) if len(names) > 1 else 0
    found = [name[common : common + 1].upper() for name in names]
    if len(set(found)) < len(names) or not all(one.isascii() and one.isalnum() for one in found):
        found = [str(number) for number in range(1, len(names) + 1)]
    return dict(zip(names, found, strict=True))


def cells(
    echoes: Iterable[Echo], first_s: float, cell_s: float, count: int, marks: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what each of `count` cells shows from `first_s` on; `marks` says MAC -> the letter of its node.

    One lost probe makes a cell LOST: an outage must not hide behind the answers around it.
    """
    found: list[set[str]] = [set() for _ in range(count)]
    for echo in echoes:
        index = int((echo.sent_s - first_s) // cell_s)
        if 0 <= index < count:
            found[index].add(LOST if is_lost(echo) else _who(echo.responder, marks))
    return tuple(_shown(cell) for cell in found)


def runs(shown: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield equal neighbours together: (what, how many)."""
    start = 0
    for index in range(1, len(shown) + 1):
        if index == len(shown) or shown[index] != shown[start]:
            yield shown[start], index - start
            start = index


def _common(names: Sequence[str]) -> int:
    """Return with how many equal characters the names begin."""
    columns = zip(*names, strict=False)
    return next((index for index, column in enumerate(columns) if len(set(column)) > 1), min(map(len, names)))


def _who(responder: str | None, marks: Mapping[str, str]) -> str:
    return SOMEBODY if responder is None else marks.get(responder, STRANGER)


def _shown(cell: set[str]) -> str:
    if len(cell) == 1:
        return next(iter(cell))
    if LOST in cell:
        return LOST
    return BOTH if cell else EMPTY
