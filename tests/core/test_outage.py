"""From a history to an outage: properties over synthetic histories whose outage is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core.outage import (
    LATE_S,
    Verdict,
    achieved_interval_s,
    blind_s,
    dual_answers,
    judge,
    outages,
    responders,
    slowest_answer_s,
    total_unanswered,
    worst_outage,
)
from haos.core.probe import Ask, Echo, History

STEP_S = 0.01
TRIP_S = 0.0004
EPS = 1e-6
OLD, NEW = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"


def observed(dark: list[tuple[float, float]], length_s: float = 6.0, step_s: float = STEP_S) -> History:
    """Return what an observer sees of a VIP that is dark from, to."""
    times = [index * step_s for index in range(round(length_s / step_s))]
    echoes = tuple(
        Echo(at) if any(begin <= at < end for begin, end in dark) else Echo(at, at + TRIP_S, OLD) for at in times
    )
    return History(step_s, echoes, now_s=length_s)


starts = st.floats(0.5, 1.5)
lengths = st.floats(0.0, 3.0)


@given(starts, lengths, st.sampled_from([0.005, 0.01, 0.2]))
def test_the_outage_is_found_within_one_interval_at_any_phase(start_s: float, length_s: float, step_s: float) -> None:
    history = observed([(start_s, start_s + length_s)], step_s=step_s)
    outage = worst_outage(history, 0.0, 6.0)
    if outage is None:
        assert length_s <= step_s + EPS
        return
    assert abs(outage.outage_s - length_s) <= step_s + EPS
    assert outage.outage_s >= 0
    assert outage.resolution_s == pytest.approx(step_s)
    assert outage.achieved_interval_s == pytest.approx(step_s)
    assert outage.raw_gap_s == pytest.approx(outage.outage_s + step_s)
    assert outage.lost_probes == total_unanswered(history, 0.0, 6.0)
    assert not outage.open


@given(starts, st.floats(0.02, 3.0), st.floats(-1e5, 1e5))
def test_the_clocks_origin_does_not_matter(start_s: float, length_s: float, shift_s: float) -> None:
    history = observed([(start_s, start_s + length_s)])
    moved = replace(
        history,
        now_s=history.now_s + shift_s,
        echoes=tuple(
            replace(echo, sent_s=echo.sent_s + shift_s, answered_s=echo.answered_s and echo.answered_s + shift_s)
            for echo in history.echoes
        ),
    )
    here, there = worst_outage(history, 0.0, 6.0), worst_outage(moved, shift_s - EPS, 6.0 + shift_s)
    assert here is not None
    assert there is not None
    assert there.outage_s == pytest.approx(here.outage_s, abs=EPS)
    assert there.lost_probes == here.lost_probes


@given(st.floats(0.005, 0.5))
def test_nothing_lost_is_no_outage(step_s: float) -> None:
    history = observed([], step_s=step_s)
    assert worst_outage(history, 0.0, 6.0) is None
    assert judge(None, 0.05, history) == (Verdict.PASS, "no probe was lost")


@given(st.floats(0.03, 1.0), st.floats(0.03, 1.0))
def test_the_longest_of_several_is_the_worst_and_all_are_listed(one_s: float, two_s: float) -> None:
    history = observed([(1.0, 1.0 + one_s), (3.0, 3.0 + two_s)])
    both = outages(history, 0.0, 6.0)
    assert [gap.lost_probes > 0 for gap in both] == [True, True]
    worst = worst_outage(history, 0.0, 6.0)
    assert worst is not None
    assert worst.outage_s == max(gap.outage_s for gap in both)
    assert outages(history, 2.5, 6.0) == both[1:]
    assert outages(history, 0.0, 2.5) == both[:1]


@given(st.floats(0.02, 2.0))
def test_an_observer_that_slept_saw_no_outage(asleep_s: float) -> None:
    history = observed([])
    slept = tuple(echo for echo in history.echoes if not 1.0 <= echo.sent_s < 1.0 + asleep_s)
    history = replace(history, echoes=slept)
    assert worst_outage(history, 0.0, 6.0) is None
    assert blind_s(history, 0.0, 6.0) == pytest.approx(asleep_s, abs=2 * STEP_S)


def test_an_observer_that_slept_at_the_edge_of_a_gap_says_how_little_it_knows() -> None:
    history = observed([(1.0, 1.095)])
    slept = replace(history, echoes=tuple(echo for echo in history.echoes if not 1.045 < echo.sent_s < 1.595))
    outage = worst_outage(slept, 0.0, 6.0)
    assert outage is not None
    assert outage.outage_s - outage.resolution_s <= 0.095 <= outage.outage_s
    assert judge(outage, 0.2, slept)[0] is Verdict.UNKNOWN
    assert judge(outage, 0.7, slept)[0] is Verdict.PASS
    assert judge(outage, 0.02, slept)[0] is Verdict.FAIL


def test_a_gap_that_is_still_open_is_a_lower_bound_and_fails() -> None:
    history = observed([(5.0, 9.0)])
    outage = worst_outage(history, 0.0, 6.0)
    assert outage is not None
    assert outage.open
    assert outage.first_answer_s is None
    assert 0.9 <= outage.outage_s <= 1.0
    verdict, reason = judge(outage, 10.0, history)
    assert verdict is Verdict.FAIL
    assert "had not come back" in reason


def test_a_gap_with_nothing_before_it_begins_with_its_first_lost_probe() -> None:
    outage = worst_outage(observed([(0.0, 0.4)]), 0.0, 6.0)
    assert outage is not None
    assert outage.last_answer_s is None
    assert outage.outage_s == pytest.approx(0.4)


def test_what_has_just_left_is_neither_answered_nor_lost() -> None:
    history = observed([(5.97, 9.0)])
    assert worst_outage(history, 0.0, 6.0) is None
    assert total_unanswered(history, 0.0, 6.0) == 0
    later = replace(history, now_s=7.0)
    assert total_unanswered(later, 0.0, 6.0) == 3


@given(st.floats(0.0, 0.9))
def test_an_answer_that_was_kept_back_does_not_hide_an_outage(waited_s: float) -> None:
    """A client that resolves the VIP anew queues its packets; they are answered together when it knows."""
    back_s = 1.0 + waited_s
    history = observed([])
    echoes = tuple(
        replace(echo, answered_s=back_s + TRIP_S) if 1.0 <= echo.sent_s < back_s else echo for echo in history.echoes
    )
    history = replace(history, echoes=echoes)
    outage = worst_outage(history, 0.0, 6.0)
    if waited_s <= LATE_S - TRIP_S - STEP_S:
        assert outage is None
    if waited_s > LATE_S + STEP_S:
        assert outage is not None
    if outage is not None:
        assert outage.outage_s <= waited_s + STEP_S + EPS
        assert outage.outage_s + outage.resolution_s >= waited_s - STEP_S - EPS
        assert outage.resolution_s <= LATE_S + STEP_S
    assert (slowest_answer_s(history, 0.0, 6.0) or 0) >= waited_s - STEP_S - EPS


def test_how_late_is_too_late_can_be_said() -> None:
    echoes = [Echo(at / 10, at / 10 + TRIP_S) for at in range(30)]
    echoes[10] = Echo(1.0, 1.5)
    history = History(0.1, tuple(echoes), now_s=4.0)
    assert total_unanswered(history, 0.0, 4.0) == 1
    assert total_unanswered(history, 0.0, 4.0, late_s=0.6) == 0
    assert worst_outage(history, 0.0, 4.0, late_s=0.6) is None


@given(st.floats(0.05, 2.0))
def test_a_lost_observer_is_unknown_whatever_it_had_seen(length_s: float) -> None:
    history = replace(observed([(1.0, 1.0 + length_s)]), lost="the connection broke")
    for outage in (None, worst_outage(history, 0.0, 6.0)):
        verdict, reason = judge(outage, 100.0, history)
        assert verdict is Verdict.UNKNOWN
        assert "the connection broke" in reason


def test_no_probe_is_unknown_and_no_answer_is_a_failure() -> None:
    assert judge(None, 1.0, History(STEP_S))[0] is Verdict.UNKNOWN
    silent = observed([(0.0, 9.0)])
    assert judge(worst_outage(silent, 0.0, 6.0), 100.0, silent) == (Verdict.FAIL, "the VIP was never answered")


@given(st.floats(0.02, 2.0), st.floats(0.01, 2.0))
def test_the_verdict_follows_the_bound_up_to_the_resolution(length_s: float, bound_s: float) -> None:
    history = observed([(1.0, 1.0 + length_s)])
    outage = worst_outage(history, 0.0, 6.0)
    verdict, _ = judge(outage, bound_s, history)
    if length_s <= bound_s:
        assert verdict is Verdict.PASS
    elif length_s > bound_s + 2 * STEP_S + EPS:
        assert verdict is Verdict.FAIL


def test_the_achieved_interval_is_measured_not_believed() -> None:
    slow = replace(observed([], step_s=0.0165), interval_s=0.01)
    assert achieved_interval_s(slow) == pytest.approx(0.0165)
    assert achieved_interval_s(History(0.25, (Echo(1.0),))) == 0.25


def test_who_answers_over_time_comes_from_echoes_and_asks() -> None:
    history = History(
        STEP_S,
        (Echo(1.0, 1.1, OLD), Echo(1.1), Echo(1.2, 1.3, NEW), Echo(1.3, 1.4, None)),
        (Ask(0.9, (OLD,)), Ask(1.05, ()), Ask(1.25, (NEW, OLD))),
        now_s=2.0,
    )
    assert responders(history, 0.0, 2.0) == ((0.9, OLD), (1.2, NEW), (1.25, OLD))
    assert responders(history, 1.15, 1.22) == ((1.2, NEW),)
    assert dual_answers(history, 0.0, 2.0) == (Ask(1.25, (NEW, OLD)),)
    assert dual_answers(history, 0.0, 1.2) == ()
