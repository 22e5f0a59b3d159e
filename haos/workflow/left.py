"""What a teardown could not take away, and what it therefore did not begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from haos.core.model import Pair
from haos.errors import HaosError, LeftoverError

T = TypeVar("T")


def or_left(pair: Pair, what: str, work: Callable[[], T], ahead: Sequence[str] = ()) -> T:
    """Do it, or raise LeftoverError that names it, and what is `ahead` of it."""
    try:
        return work()
    except HaosError as error:
        raise _left(pair, [f"{what}: {error}"], ahead) from error


def raise_if_left(pair: Pair, left: Sequence[str], ahead: Sequence[str], *, unreachable: bool = False) -> None:
    """Raise LeftoverError if anything is left; nodes may have been `unreachable`."""
    if left:
        raise _left(pair, left, ahead, unreachable=unreachable)


def _left(pair: Pair, left: Sequence[str], ahead: Sequence[str], *, unreachable: bool = False) -> LeftoverError:
    skip = f"; for a node that will not come back: haos teardown {pair.name} --force" if unreachable else ""
    waiting = f". Not begun: {', '.join(ahead)}" if ahead else ""
    return LeftoverError(
        f"pair {pair.name} is not wholly torn down. Left: {'; '.join(left)}{waiting}",
        hint=f"mend that and run it again: haos teardown {pair.name}{skip}",
    )
