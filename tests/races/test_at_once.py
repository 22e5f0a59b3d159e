"""Many runs of haos at once over the lab's real API, each with a session of its own: nothing of anybody's is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.races.bed import made_bed
from tests.races.races import Tally, race_round
from tests.races.rounds import ROUND

FEW = 5
"""Pairs; `python -m tests.races` has twenty."""


@pytest.mark.parametrize("careless", [False, True], ids=["atomic", "careless"])
def test_runs_at_once_lose_nothing(tmp_path: Path, careless: bool) -> None:
    tally = Tally()
    with made_bed(tmp_path, pairs=FEW, careless=careless) as bed:
        race_round(bed, ROUND, tally)
    assert tally.lost == []
    assert (tally.vips, tally.vrids) == (FEW, FEW)
    assert tally.whole + tally.none == 1
    assert bool(tally.by_hand) is not careless
