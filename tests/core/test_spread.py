"""The spread of repeated measurements: properties against what its words mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core.spread import Spread, nearest_rank

values = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


@given(values, st.randoms())
def test_order_does_not_matter(seen: list[float], random: object) -> None:
    shuffled = sorted(seen, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert Spread.of(shuffled) == Spread.of(seen)


@given(values)
def test_each_part_is_what_it_is_called(seen: list[float]) -> None:
    spread = Spread.of(seen)
    assert (spread.count, spread.least, spread.most) == (len(seen), min(seen), max(seen))
    assert spread.least <= spread.middle <= spread.most
    assert sum(value <= spread.middle for value in seen) * 2 >= len(seen)
    assert sum(value >= spread.middle for value in seen) * 2 >= len(seen)


@given(values, st.floats(0.01, 1.0))
def test_a_rank_is_a_measured_value_that_so_many_do_not_exceed(seen: list[float], share: float) -> None:
    rank = nearest_rank(seen, share)
    assert rank in seen
    assert sum(value <= rank for value in seen) >= share * len(seen) - 1e-9
    assert sum(value < rank for value in seen) < share * len(seen) + 1e-9


@pytest.mark.parametrize(("count", "p95"), [(1, None), (2, 2.0), (19, 19.0), (20, 19.0), (100, 95.0)])
def test_the_percentile_is_the_nearest_rank_and_none_of_a_single_value(count: int, p95: float | None) -> None:
    assert Spread.of([float(number) for number in range(count, 0, -1)]).p95 == p95


def test_the_median_of_an_even_number_is_the_middle_between_two() -> None:
    assert Spread.of([4.0, 1.0, 2.0, 10.0]).middle == 3.0
    assert Spread.of([3.0, 1.0, 10.0]).middle == 3.0
