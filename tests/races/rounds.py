"""Which round of `python -m tests.races` this is: each plays other orders. The quick tier plays those of round 0."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

ROUNDS = 20
"""After so many rounds every order that can be enumerated was played."""
ROUND = int(os.environ.get("HAOS_RACES_ROUND", "0"))


def share(orders: Iterable[T]) -> Iterator[T]:
    """Yield the orders that are this round's."""
    return islice(orders, ROUND % ROUNDS, None, ROUNDS)
