"""JSON, and JSON in which something is not as it should be."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]
GONE = "\0gone"
"""Stands for a field that is missing."""

ODD_TEXTS = ["", " ", "x", "null", "-1", "300.1.1.1", "10.200.51.300", "10.200.51.0/33", "::1%eth0", "fd00::/129",
             "a\nb", "\u202e\x1b[31m", "😀", "\x00", "y" * 300, "../../x"]  # fmt: skip
odd_values = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 2**31, 2**128, 1.5, float("inf")]),
    st.sampled_from(ODD_TEXTS),
    st.text(max_size=8),
    st.sampled_from([[], {}, [None], [[]], [{}], {"": None}, ["x"], [1], {"id": None}]),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@dataclass(frozen=True)
class Mutation:
    """One thing that is otherwise: what lies at the path is now this, or is gone."""

    path: Path
    value: Any

    def of(self, body: Any) -> Any:
        """Return the body with it."""
        if not self.path:
            return {} if self.value == GONE else self.value
        body = copy.deepcopy(body)
        place = body
        for step in self.path[:-1]:
            place = place[step]
        if self.value == GONE:
            del place[self.path[-1]]
        else:
            place[self.path[-1]] = self.value
        return body


def paths(body: Any, at: Path = ()) -> Iterator[Path]:
    """Yield the path of everything in a body, the whole first."""
    yield at
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        yield from paths(value, (*at, key))


@st.composite
def mutations(draw: st.DrawFn, body: Any, within: Sequence[Path] | None = None) -> Mutation:
    """Draw a mutation of a body."""
    path = draw(st.sampled_from(list(within or paths(body))))
    return Mutation(path, draw(st.just(GONE) | odd_values))
