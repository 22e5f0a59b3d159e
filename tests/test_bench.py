"""The arithmetic of the benchmarks."""

from __future__ import annotations

from dataclasses import replace

from bench.outages import HEADING, Measured
from bench.spread import heading, row, verdict
from bench.switchover import HEADING as LOST_HEADING
from bench.switchover import Lost
from haos.core.leg import Leg
from haos.core.outage import Outage, Verdict
from haos.core.spread import Spread


def test_rows_stand_under_their_heading() -> None:
    line = row("haos", Spread.of([1.0, 2.5, 30.25]), 10)
    assert line == "haos          1.000    2.500   30.250"
    assert len(line) == len(heading("seconds", 10))


def test_a_limit_is_kept_up_to_the_limit_itself() -> None:
    assert verdict("ratio", 0.5, 0.5) == "ratio: 0.500, limit 0.500: kept"
    assert verdict("ratio", 0.501, 0.5) == "ratio: 0.501, limit 0.500: MISSED"
    assert verdict("took", 12.34, 20.0, digits=1) == "took: 12.3, limit 20.0: kept"


def test_an_outages_row_counts_no_lost_probe_as_none_and_a_fail_as_not_within() -> None:
    measured = Measured(0.93)
    leg = Leg("partition", "ha_first", "ha_second", 0.93, Outage(80, 1.0, 1.81, 0.81, 0.8, 0.01), Verdict.PASS, "")
    measured.add(leg)
    measured.add(replace(leg, outage=None))
    measured.add(replace(leg, outage=Outage(150, 1.0, 2.51, 1.51, 1.5, 0.01), verdict=Verdict.FAIL))
    line = measured.row("standard", "partition")
    assert line == "| standard | partition | 0.930 s | 0.000 s | 0.800 s | 1.500 s | 2 of 3 |"
    assert line.count("|") == HEADING.count("|")


def test_a_switchover_that_lost_a_probe_is_counted_and_one_in_ten_may() -> None:
    lost = Lost(0.02, [0] * 9 + [1], 0.01)
    assert lost.row("garp") == "| garp | 10 | 9 | 0 0 0 0 0 0 0 0 0 1 | 0.010 s | 0.020 s |"
    assert lost.row("garp").count("|") == LOST_HEADING.count("|")
    assert lost.as_promised("garp")
    assert not replace(lost, probes=[0] * 8 + [1, 1]).as_promised("garp")
    assert replace(lost, probes=[14] * 10).as_promised("bfd")
    assert not replace(lost, failed=1).as_promised("bfd")
