"""The mark of a pair that is being taken away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haos.core.leaving import LASTS_S, is_leaving, leaves_for_s, leaving_tag, leaving_tags, wants_renewal
from haos.core.model import Port

PORT = Port("p", "n", "project", "fa:16:3e:00:00:01", ())
NOW_S = 1_795_470_000.5


def test_a_mark_counts_for_its_time_and_is_seen_after_it() -> None:
    tag = leaving_tag(NOW_S, "c0ffee")
    marked = replace(PORT, tags=("mine", tag))
    assert tag == "haos-leaving:1795470061:c0ffee"
    assert leaving_tags(marked) == (tag,)
    assert is_leaving(marked)
    assert leaves_for_s(marked, NOW_S) == LASTS_S
    assert leaves_for_s(marked, NOW_S + 40) == 20.5
    assert leaves_for_s(marked, NOW_S + LASTS_S + 1) == 0


def test_of_two_marks_the_younger_counts() -> None:
    marked = replace(PORT, tags=(leaving_tag(NOW_S, "aaaaaa"), leaving_tag(NOW_S + 30, "bbbbbb")))
    assert leaves_for_s(marked, NOW_S + 80) == 10.5


def test_a_mark_by_a_clock_that_is_wrong_counts_no_longer_than_another() -> None:
    assert leaves_for_s(replace(PORT, tags=(leaving_tag(NOW_S + 1e6, "aaaaaa"),)), NOW_S) == LASTS_S


@pytest.mark.parametrize(
    "tag", ["haos-leaving", "haos-leaving:", "haos-leaving:1:zz", "haos-leaving:0:aaaaaa", "mine"]
)
def test_any_other_tag_is_none(tag: str) -> None:
    marked = replace(PORT, tags=(tag,))
    assert not is_leaving(marked)
    assert leaves_for_s(marked, NOW_S) == 0


@pytest.mark.parametrize(
    ("later_s", "renewed"), [(0, False), (14, False), (16, True), (LASTS_S + 5, True), (-0.5, False), (-3600, True)]
)
def test_a_mark_is_renewed_long_before_it_counts_no_more(later_s: float, renewed: bool) -> None:
    assert wants_renewal(leaving_tag(NOW_S, "c0ffee"), NOW_S + later_s) is renewed
