"""What the reader of a failover test is told beside its figures: each case, and nothing where nothing is amiss."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haos.core.advice import advised
from haos.core.leg import Insight, Leg
from haos.core.model import Member, Timing
from haos.core.outage import Verdict
from haos.core.probe import FlowEvent
from haos.core.report import Advice, FailoverReport
from tests.reports import moved, report_of, thorough, usual


def advice(report: FailoverReport) -> dict[str, Advice]:
    """Return code -> advice; a code comes once."""
    given = advised(report).advice
    found = {one.code: one for one in given}
    assert len(found) == len(given)
    return found


def several(*legs: Leg) -> FailoverReport:
    """Return a report of several rounds, so that nothing is said of their number."""
    return report_of(legs, rounds=3)


def test_an_ordinary_run_of_several_rounds_needs_none() -> None:
    assert advice(several(*usual().legs)) == {}


def test_one_round_has_no_spread() -> None:
    assert advice(usual())["one-round"].hint == "--rounds 10"
    assert "one-round" not in advice(report_of([moved("failback", 0.0, bound_s=0.0)]))


def test_advice_that_is_there_already_stays_and_is_not_repeated() -> None:
    once = advised(replace(usual(), advice=(Advice("own", "kept"),)))
    assert once.advice[0].code == "own"
    assert advised(once) == once


def test_a_lost_observer_is_unknown() -> None:
    lost = advice(several(moved("stop", 0.03, lost="the connection broke", number=2)))
    assert lost["observer-lost"].text.startswith("the observer was lost in stop (round 2): ")
    assert "--observer" in lost["observer-lost"].hint


@pytest.mark.parametrize(("achieved_s", "said"), [(0.0149, False), (0.024, True), (None, False)])
def test_a_slow_probe_says_what_it_can_tell(achieved_s: float | None, said: bool) -> None:
    found = advice(replace(several(), achieved_interval_s=achieved_s))
    assert ("slow-probe" in found) is said
    if said:
        assert found["slow-probe"].text == (
            "observer sent a probe every 24 ms, not every 10 ms: an outage is known to ± 0.024 s"
        )
        assert "--interval 25ms" in found["slow-probe"].hint


def test_an_observer_that_stood_still_may_have_missed_something() -> None:
    leg = moved("kill", 0.5, number=2)
    assert leg.history is not None
    kept = tuple(echo for echo in leg.history.echoes if not 502.5 < echo.sent_s < 502.8)
    found = advice(several(replace(leg, history=replace(leg.history, echoes=kept))))
    assert found["observer-stalled"].text.startswith("observer itself sent nothing for 0.300 s in kill (round 2): ")


@pytest.mark.parametrize(
    ("method", "code"),
    [("ping", "ping-only"), ("icmp-dgram", "no-root"), ("icmp-raw+arp", None), ("icmp-raw+nd", None), ("", None)],
)
def test_what_the_observer_cannot_see_is_said(method: str, code: str | None) -> None:
    assert list(advice(replace(several(), method=method))) == ([code] if code else [])


def test_what_was_asked_for_and_could_not_be_measured_is_said_once() -> None:
    legs = [moved("kill", 0.5, number=number) for number in (1, 2, 3)]
    noted = [replace(leg, history=replace(leg.history, notes=("no HTTP",))) for leg in legs if leg.history]
    assert advice(several(*noted))["not-measured"].text == "observer: no HTTP"


def test_an_outage_within_the_margin_is_said_to_be_over_the_bound() -> None:
    near = several(moved("stop", 0.08, bound_s=0.03))
    assert near.legs[0].verdict is Verdict.PASS
    assert advice(near)["over-bound"].text.startswith("stop (round 1): 0.0")
    assert "over-bound" not in advice(several(moved("stop", 0.04, bound_s=0.03)))
    assert "over-bound" not in advice(several(moved("failback", 0.03, fault="stop", bound_s=0.0)))


def asked_for(max_outage_s: float, leg: Leg, **timing: object) -> dict[str, Advice]:
    report = replace(several(leg), max_outage_s=max_outage_s)
    return advice(replace(report, pair=replace(report.pair, timing=Timing(**timing))))  # type: ignore[arg-type]


def test_a_longer_outage_than_asked_for_names_the_profile_that_is_short_enough() -> None:
    found = asked_for(0.5, moved("kill", 0.8))["max-outage"]
    assert found.text == "kill: 0.800 s is over the 0.5 s asked for"
    assert found.hint == "haos create with --profile fast bounds it at 0.310 s"
    assert "--profile fastest bounds it at 0.155 s" in asked_for(0.2, moved("kill", 0.8))["max-outage"].hint
    assert "--max-outage" in asked_for(0.1, moved("kill", 0.8))["max-outage"].hint


def test_no_profile_is_named_that_the_pair_cannot_have() -> None:
    report = replace(several(moved("kill", 0.8)), max_outage_s=0.2)
    three = replace(report.pair, members=tuple(Member(f"port-{number}", 240 - number) for number in range(3)))
    assert "--profile" not in advice(replace(report, pair=three))["max-outage"].hint
    assert "--profile" not in asked_for(0.2, moved("kill", 0.8), bfd=True)["max-outage"].hint
    assert "--profile" not in asked_for(0.2, moved("check-fail", 0.8))["max-outage"].hint


def test_luck_is_no_promise() -> None:
    assert asked_for(0.9, moved("kill", 0.5))["max-outage"].text.startswith("kill may take 0.930 s, which is over")
    assert asked_for(0.95, moved("kill", 0.8))["near-max-outage"].text.endswith("is close to the 0.95 s asked for")
    assert asked_for(2.0, moved("kill", 0.8)) == {}
    split = asked_for(0.01, moved("vrrp-block", 0.0))["max-outage"]
    assert split.text == "vrrp-block may take 0.930 s, which is over the 0.01 s asked for"


def test_a_failback_is_warned_of_only_for_what_it_took() -> None:
    assert asked_for(0.01, moved("failback", 0.0, fault="kill", back=True, bound_s=0.02)) == {}
    took = asked_for(0.01, moved("failback", 0.05, fault="kill", back=True, bound_s=0.02))["max-outage"]
    assert took.text == "failback after kill: 0.050 s is over the 0.01 s asked for"


@pytest.mark.parametrize(("fault", "why"), [("hang", "nothing fences"), ("vrrp-block", "protocol 112"), ("kill", "")])
def test_two_active_nodes_are_named_with_the_reason(fault: str, why: str) -> None:
    found = advice(several(moved(fault, 0.9, both_s=2.5)))["dual-active"]
    assert found.text.startswith(f"{fault}: both answered the observer for 2.5 s: ")
    assert why in found.text + found.hint
    assert "PAIR" not in found.hint


def test_a_short_overlap_and_one_that_was_allowed_are_none() -> None:
    assert advice(several(moved("kill", 0.0, both_s=0.05))) == {}
    allowed = replace(several(moved("hang", 0.9, both_s=2.5)), max_dual_active_s=3.0)
    assert "dual-active" not in advice(allowed)


def test_a_node_that_holds_the_vip_where_nobody_hears_it_is_no_harm() -> None:
    leg = moved("partition", 0.9)
    cut_off = replace(leg, insight=replace(leg.insight, dual_active_s=3.0))
    assert advice(several(cut_off)) == {}
    blind = replace(several(cut_off), method="ping")
    assert "dual-active" not in advice(blind)
    hang = replace(cut_off, label="hang", fault="hang")
    assert "both held the VIP for 3.0 s" in advice(replace(several(hang), method="ping"))["dual-active"].text


def test_a_network_that_learns_late_is_told_from_a_late_node() -> None:
    leg = moved("kill", 0.5)
    late = replace(leg, insight=replace(leg.insight, takeover_s=1.2))
    assert "--mode vmac" in advice(several(late))["learned-late"].hint
    assert "learned-late" in advice(several(replace(leg, unheard=True)))
    assert "learned-late" not in advice(several(replace(leg, insight=Insight())))


def test_clocks_and_logs_that_tell_little_are_said() -> None:
    leg = moved("reboot", 0.5)
    assert leg.insight.holders is not None
    vague = replace(leg.insight.holders, error_s=0.25, unknown=("ha_first",))
    found = advice(several(replace(leg, insight=replace(leg.insight, holders=vague))))
    assert "± 0.250 s" in found["clocks"].text
    assert found["log-lost"].text.startswith("the log of ha_first broke off")


def test_a_connection_that_broke_counts_in_its_own_leg_alone() -> None:
    leg = moved("kill", 0.5)
    assert leg.history is not None
    broken = replace(leg, history=replace(leg.history, flow=(FlowEvent(501.5, "broken", "reset"),)))
    assert "broke in kill (round 1): " in advice(several(broken))["flow-broken"].text
    assert "flow-broken" not in advice(several(replace(broken, start_s=502.0)))


def test_where_it_happened_names_rounds_only_if_not_in_all() -> None:
    legs = [moved("kill", 0.5, number=number, lost="x") for number in (1, 3)]
    assert "in kill (rounds 1, 3):" in advice(several(*legs))["observer-lost"].text
    every = [moved("kill", 0.5, number=number, lost="x") for number in (1, 2, 3)]
    assert "in kill:" in advice(several(*every))["observer-lost"].text
    back = moved("failback", 0.5, fault="stop", back=True, lost="x")
    assert "in failback after stop (round 1):" in advice(several(back))["observer-lost"].text


def test_what_matters_most_comes_first() -> None:
    codes = [one.code for one in advised(thorough()).advice]
    assert codes[:3] == ["observer-lost", "dual-active", "max-outage"]
