"""Many runs that choose at the same moment, each the lowest of what is free: how they part ways. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")

WIDEST = 64
"""No further is anybody sent: there are 255 VRIDs, and a network may have few free addresses."""


def gives_room(name: str, conflicts: int) -> int:
    """Return how many free ones a pair leaves to others who were faster so often: each pair another number.

    After one conflict none: a single rival is done with. A crowd in which all go on to the next would lose to each of
    its members in turn.
    """
    widest = min(4 ** (conflicts - 1), WIDEST) if conflicts else 1
    return crc32(f"{name} {conflicts}".encode()) % widest


def beyond(free: Iterable[T], passed: int) -> Iterator[T]:
    """Yield what is free from behind the first so many on; those come last."""
    them = iter(free)
    first = list(islice(them, passed))
    yield from them
    yield from first
