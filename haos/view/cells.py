"""Probes as cells of equal length: who answered in each, or that one was lost. For terminals and pictures."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from haos.core.outage import is_lost
from haos.core.probe import Ask, Echo

EMPTY, LOST, BOTH, SOMEBODY = " ", "·", "!", "█"
"""Nothing was sent; a probe was lost; several nodes answered; somebody did, and the observer cannot tell who."""
STRANGER = "?"
"""Answered by a MAC that is no node's."""


STANDS_S = 0.25
"""So long a question stands until the next one at most: while the VIP is dark none is asked, and nothing known."""


class _Sent(Protocol):
    @property
    def sent_s(self) -> float: ...


Sample = TypeVar("Sample", bound=_Sent)


def within(samples: Sequence[Sample], first_s: float, last_s: float) -> Sequence[Sample]:
    """Return the samples, whose times ascend, that were sent from the one moment up to the other."""
    first, last = (bisect_left(samples, at_s, key=lambda one: one.sent_s) for at_s in (first_s, last_s))
    return samples[first:last]


def letters(nodes: Iterable[str]) -> dict[str, str]:
    """Return a letter for each node: the first in which the names differ, else a number."""
    names = tuple(dict.fromkeys(nodes))
    common = _common(names) if len(names) > 1 else 0
    found = [name[common : common + 1].upper() for name in names]
    if len(set(found)) < len(names) or not all(one.isascii() and one.isalnum() for one in found):
        found = [str(number) for number in range(1, len(names) + 1)]
    return dict(zip(names, found, strict=True))


def cells(
    echoes: Iterable[Echo],
    first_s: float,
    cell_s: float,
    count: int,
    marks: Mapping[str, str],
    asks: Iterable[Ask] = (),
) -> tuple[str, ...]:
    """Return what each of `count` cells shows from `first_s` on; `marks` says MAC -> the letter of its node.

    One lost probe makes a cell LOST: an outage must not hide behind the answers around it. A cell in which the VIP
    moves is the new node's; BOTH where nodes answer by turns, or one of the `asks` together.
    """
    found: list[list[str]] = [[] for _ in range(count)]
    for echo in echoes:
        index = int((echo.sent_s - first_s) // cell_s)
        if 0 <= index < count:
            what = LOST if is_lost(echo) else _who(echo.responder, marks)
            if found[index][-1:] != [what]:
                found[index].append(what)
    shown = [_shown(cell) for cell in found]
    for start_s, end_s in _answered_by_several(asks):
        for index in range(max(0, int((start_s - first_s) // cell_s)), min(count, int((end_s - first_s) / cell_s))):
            shown[index] = BOTH if shown[index] not in (EMPTY, LOST) else shown[index]
    return tuple(shown)


def _answered_by_several(asks: Iterable[Ask]) -> Iterator[tuple[float, float]]:
    """Yield (from, to) of each question that several nodes answered."""
    for ask, following in pairwise(asks):
        if len(set(ask.answers)) > 1:
            yield ask.sent_s, min(following.sent_s, ask.sent_s + STANDS_S)


def filled(shown: Sequence[str], most: int) -> tuple[str, ...]:
    """Return the cells with gaps of at most so many between probes closed: what was seen stands until the next."""
    found = list(shown)
    index = 0
    for what, count in tuple(runs(shown)):
        if what == EMPTY and count <= most and index + count < len(found):
            found[index : index + count] = [found[index - 1] if index else found[count]] * count
        index += count
    return tuple(found)


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
    return SOMEBODY if responder is None or not marks else marks.get(responder, STRANGER)


def _shown(cell: Sequence[str]) -> str:
    if LOST in cell:
        return LOST
    if not cell:
        return EMPTY
    return BOTH if len(cell) > 2 else cell[-1]
