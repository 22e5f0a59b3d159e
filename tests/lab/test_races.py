"""Twenty `create`s at once, and the small races beside each other, on a lab whose first nodes are real instances."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.races.lab_bed import lab_bed
from tests.races.races import Tally, race_round

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
ROUNDS = 3


def test_whoever_comes_at_once_loses_nothing(lab_name: str, record_property: Callable[[str, object], None]) -> None:
    tally = Tally()
    with lab_bed(lab_name) as bed:
        for number in range(ROUNDS):
            race_round(bed, number, tally)
    record_property("numbers", f"races: {tally}")
    assert tally.lost == []
    assert tally.crowds == tally.vips == tally.vrids
