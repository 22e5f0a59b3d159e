"""Clocks, holders, detection, take-over, dual and no-Active time: properties over worlds whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from haos.core.clocks import Moment, Offset, narrowed, offset_of
from haos.core.fault import AddressEvent, NodeLog
from haos.core.insight import Witness, dual_answers_s, fault_moment, holders, insight
from haos.core.judgement import Promise, judge_leg
from haos.core.leg import Span
from haos.core.outage import Verdict
from haos.core.probe import Ask, Echo, History

STEP_S, TRIP_S, LENGTH_S, EPS = 0.01, 0.0004, 4.0, 1e-6
A, B, C = "fa:16:3e:00:00:0a", "fa:16:3e:00:00:0b", "fa:16:3e:00:00:0c"
NAMES = {A: "ha_first", B: "ha_second"}


@dataclass(frozen=True)
class Truth:
    """A loses the VIP at `lost_s`, B gets it at `came_s` (either may be first); the fault is at `fault_s`."""

    fault_s: float
    lost_s: float
    came_s: float
    offset_s: float = 0.0  # the nodes' wall clocks are ahead of the observer's by so much

    def macs(self, at_s: float) -> tuple[str, ...]:
        return ((A,) if at_s < self.lost_s else ()) + ((B,) if at_s >= self.came_s else ())

    def history(self) -> History:
        times = [index * STEP_S for index in range(round(LENGTH_S / STEP_S))]
        echoes = []
        for at in times:
            macs = self.macs(at)
            echoes.append(Echo(at, at + TRIP_S, macs[-1]) if macs else Echo(at))
        asks = tuple(Ask(at, self.macs(at)) for at in times[::10] if self.macs(at))
        return History(STEP_S, tuple(echoes), asks, now_s=LENGTH_S)

    def witnesses(self, error_s: float = 0.0) -> dict[str, Witness]:
        def wall(at_s: float) -> float:
            return at_s + self.offset_s

        offset = Offset(-self.offset_s - error_s, -self.offset_s + error_s)
        first = NodeLog(wall(LENGTH_S), wall(0.0), True, (AddressEvent(wall(self.lost_s), False),),
                        injected_s=wall(self.fault_s))  # fmt: skip
        second = NodeLog(wall(LENGTH_S), wall(0.0), False, (AddressEvent(wall(self.came_s), True),))
        return {"ha_first": Witness(first, offset), "ha_second": Witness(second, offset)}


def truths() -> st.SearchStrategy[Truth]:
    after = st.floats(0.0, 1.5)
    return st.builds(
        lambda fault, lost, came, offset: Truth(fault, fault + lost, fault + came, offset),
        st.floats(0.3, 0.9), after, after, st.floats(-1e6, 1e6),
    )  # fmt: skip


@given(truths(), st.floats(0.0, 0.02))
def test_what_happened_is_told_whatever_the_clocks_say(truth: Truth, error_s: float) -> None:
    witnesses = truth.witnesses(error_s)
    fault_at = fault_moment(witnesses["ha_first"])
    assert fault_at is not None
    assert fault_at.earliest_s - EPS <= truth.fault_s <= fault_at.latest_s + EPS
    seen = insight(
        truth.history(), witnesses, NAMES, target="ha_second", fault_at=fault_at, start_s=0.0, end_s=LENGTH_S
    )
    both, none = max(0.0, truth.lost_s - truth.came_s), max(0.0, truth.came_s - truth.lost_s)
    assert seen.detection_s == pytest.approx(truth.came_s - truth.fault_s, abs=2 * error_s + EPS)
    assert seen.takeover_s == pytest.approx(0.0, abs=STEP_S + TRIP_S + EPS)
    assert seen.dual_active_s == pytest.approx(both, abs=1e-4)
    assert seen.no_active_s == pytest.approx(none, abs=1e-4)
    assert seen.dual_answers_s == pytest.approx(both, abs=0.1 + EPS)
    assert seen.holders is not None
    assert seen.holders.error_s == pytest.approx(error_s, abs=1e-4)
    assert next(mac for _, mac in seen.responders) == A
    assert [mac for _, mac in seen.responders][-1] == B


def test_a_log_that_is_lost_makes_it_unknown_never_zero() -> None:
    truth = Truth(0.5, 0.5, 1.2)
    witnesses = truth.witnesses()
    log = witnesses["ha_first"].log
    assert log is not None
    for lost in (Witness(None, None), Witness(log, None), Witness(replace(log, whole=False), Offset(0.0, 0.0))):
        seen = insight(
            truth.history(), {**witnesses, "ha_first": lost}, NAMES,
            target="ha_second", fault_at=fault_moment(lost), start_s=0.0, end_s=LENGTH_S,
        )  # fmt: skip
        assert (seen.dual_active_s, seen.no_active_s) == (None, None)
        assert seen.holders is not None
        assert seen.holders.unknown == ("ha_first",)
        assert seen.detection_s is not None, "the target's own log says when it came"


def test_a_node_that_kept_the_vip_all_along_did_not_get_it() -> None:
    truth = Truth(0.5, 99.0, 0.0)
    seen = insight(truth.history(), truth.witnesses(), NAMES, target="ha_first", fault_at=Moment(0.5, 0.1),
                   start_s=0.45, end_s=LENGTH_S)  # fmt: skip
    assert (seen.detection_s, seen.takeover_s) == (None, None)
    assert seen.dual_active_s == pytest.approx(LENGTH_S - 0.45)


def test_nobody_took_over() -> None:
    truth = Truth(0.5, 0.5, 99.0)
    seen = insight(truth.history(), truth.witnesses(), NAMES, target=None, fault_at=Moment(0.5), start_s=0.0,
                   end_s=LENGTH_S)  # fmt: skip
    assert (seen.detection_s, seen.takeover_s) == (None, None)
    assert seen.no_active_s == pytest.approx(LENGTH_S - 0.5)


def test_spans_are_those_of_the_window() -> None:
    held = holders(Truth(0.5, 1.0, 2.0).witnesses(), 0.8, 3.0)
    assert held.spans == {"ha_first": (Span(0.8, 1.0),), "ha_second": (Span(2.0, None),)}
    assert holders(Truth(0.5, 1.0, 2.0).witnesses(), 1.1, 1.9).spans == {"ha_first": (), "ha_second": ()}


def echoes(*runs: tuple[str, int]) -> History:
    macs = [mac for mac, count in runs for _ in range(count)]
    return History(
        STEP_S,
        tuple(Echo(index * STEP_S, index * STEP_S + TRIP_S, mac) for index, mac in enumerate(macs)),
        now_s=len(macs) * STEP_S,
    )


def test_answers_by_turns_are_both_where_one_mac_hides_them() -> None:
    assert dual_answers_s(echoes((A, 50), (B, 50)), NAMES, 0.0, 9.0) == 0.0
    assert dual_answers_s(echoes((A, 50), (B, 50), (A, 50)), NAMES, 0.0, 9.0) == 0.0, "moved there and back"
    assert dual_answers_s(echoes((A, 50), (B, 5), (C, 50)), NAMES, 0.0, 9.0) == 0.0, "moved on"
    flapping = echoes((A, 50), (B, 5), (A, 5), (B, 5), (A, 50))
    assert dual_answers_s(flapping, NAMES, 0.0, 9.0) == pytest.approx(0.15)


@given(
    st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8),
    st.floats(-1e6, 1e6),
)
@example([(0.0, 0.0, 0.0), (1.0, 0.0, 1.0)], 4.739854359962631e-15)  # contradict by the rounding of floats alone
def test_every_round_trip_narrows_the_offset(trips: list[tuple[float, float, float]], true_s: float) -> None:
    offsets = [offset_of(at, at + out + true_s, at + out + home) for at, out, home in trips]
    best = narrowed(offsets)
    assert best.low_s - EPS <= true_s <= best.high_s + EPS
    assert best.error_s <= min(one.error_s for one in offsets) + EPS
    there_and_back = best.then(best.reverse())
    assert there_and_back.low_s - EPS <= 0.0 <= there_and_back.high_s + EPS


def test_a_clock_that_was_set_meanwhile_widens_the_error() -> None:
    before, after = Offset(0.0, 0.01), Offset(3.0, 3.01)
    assert narrowed([before, after]) == Offset(0.0, 3.01)
    with pytest.raises(ValueError, match="no round trip"):
        narrowed([])


def judged(truth: Truth, promise: Promise, *, settled: bool = True, dual_s: float = 0.0) -> tuple[Verdict, str]:
    found = judge_leg(
        truth.history(), promise, start_s=truth.fault_s, target="ha_second", macs={B}, settled=settled,
        dual_answers_s=dual_s,
    )  # fmt: skip
    return found.verdict, found.reason


def test_verdicts() -> None:
    quick, slow = Truth(0.5, 0.5, 0.6), Truth(0.5, 0.5, 2.0)
    assert judged(quick, Promise(0.1))[0] is Verdict.PASS
    assert judged(slow, Promise(0.1)) == (Verdict.FAIL, "1.500 s ± 0.010 s is over 0.200 s")
    assert judged(quick, Promise(0.1, max_outage_s=0.05))[1] == "0.100 s is over the 0.05 s that were asked for"
    assert judged(quick, Promise(0.1, max_outage_s=0.2))[0] is Verdict.PASS
    assert judged(quick, Promise(0.1, max_dual_active_s=1.0), dual_s=2.0) == (
        Verdict.FAIL, "two nodes answered for the VIP at once for 2.0 s, over 1 s"
    )  # fmt: skip
    assert judged(quick, Promise(0.1, max_dual_active_s=1.0), dual_s=0.9)[0] is Verdict.PASS
    assert judged(quick, Promise(0.1), settled=False) == (
        Verdict.FAIL, "the observer is not answered by ha_second alone"
    )  # fmt: skip
    assert judged(quick, Promise(0.1, splits=True), settled=False)[0] is Verdict.PASS


def test_nobody_and_lost_and_led_on() -> None:
    history = Truth(0.5, 0.5, 0.6).history()
    nobody = judge_leg(history, Promise(0.1), start_s=0.5, target=None, macs=set(), settled=False)
    assert (nobody.verdict, nobody.reason) == (Verdict.FAIL, "no other node turned Active")
    lost = judge_leg(replace(history, lost="broken pipe"), Promise(0.1), start_s=0.5, target=None, macs=set(),
                     settled=False)  # fmt: skip
    assert lost.verdict is Verdict.UNKNOWN
    stuck = Truth(0.5, 99.0, 99.0).history()
    led_on = judge_leg(stuck, Promise(0.1), start_s=0.5, target="ha_second", macs={B}, settled=False)
    assert led_on.unheard
    assert led_on.reason.endswith(f"the network names {A}")
