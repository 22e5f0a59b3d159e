"""A failover test as it might have been: made up, but whole, for everything that is shown or written of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

from haos.core.clocks import Moment
from haos.core.leg import Holders, Insight, Leg, Span
from haos.core.model import Member, Pair
from haos.core.outage import Verdict, judge, worst_outage
from haos.core.probe import Ask, Echo, History, Mark
from haos.core.report import FailoverReport
from haos.workflow.verify import worst

FIRST, SECOND = "fa:16:3e:8d:dc:bb", "fa:16:3e:f3:a9:a3"
NAMES = {FIRST: "ha_first", SECOND: "ha_second"}
STEP_S, ANSWER_S = 0.01, 0.0004
LEG_S = 4.0


def moved(
    label: str,
    dark_s: float,
    *,
    fault: str = "",
    number: int = 1,
    bound_s: float = 0.93,
    back: bool = False,
    both_s: float = 0.0,
    start_s: float = 500.0,
    lost: str | None = None,
) -> Leg:
    """Return a leg: the VIP is dark for a while from 1 s after its start, then answered by the other node.

    For `both_s` from the fault on both nodes answer who asks anew, and the echoes by turns.
    """
    old, new = (SECOND, FIRST) if back else (FIRST, SECOND)
    fault_s = start_s + 1.004
    back_s = fault_s + dark_s
    history = _history(start_s, fault_s, back_s, (old, new), both_s, lost)
    outage = worst_outage(history, start_s, history.now_s)
    verdict, reason = judge(outage, bound_s + 0.1, history)
    if verdict is Verdict.PASS and both_s > 1:
        verdict, reason = Verdict.FAIL, f"two nodes answered for the VIP at once for {both_s:.1f} s, over 0 s"
    spans = {
        NAMES[old]: (Span(start_s, fault_s + (both_s or 0.002)),),
        NAMES[new]: (Span(max(fault_s, back_s - 0.004), None),),
    }
    insight = Insight(
        fault_at=Moment(fault_s, 0.0015),
        detection_s=max(0.0, dark_s - 0.004),
        takeover_s=0.006,
        dual_active_s=both_s or max(0.0, 0.002 - dark_s),
        no_active_s=max(0.0, dark_s - 0.006),
        dual_answers_s=both_s,
        responders=((start_s, old), (back_s, new)),
        holders=Holders(spans, (), 0.0015),
    )
    return Leg(
        label, NAMES[old], NAMES[new], bound_s, None if lost else outage, verdict, reason, history, start_s,
        fault=fault or label, round=number, end_s=start_s + LEG_S, insight=insight, names=NAMES,
    )  # fmt: skip


def _history(
    start_s: float, fault_s: float, back_s: float, who: tuple[str, str], both_s: float, lost: str | None
) -> History:
    old, new = who
    echoes, asks = [], []
    for index in range(round(LEG_S / STEP_S)):
        at_s = start_s + index * STEP_S
        splits = fault_s + 0.2 <= at_s < fault_s + both_s
        holder = None if fault_s <= at_s < back_s and not both_s else new if at_s >= back_s else old
        if splits:
            holder = old if index % 7 else new
        echoes.append(Echo(at_s, at_s + ANSWER_S if holder else None, holder))
        if index % 10 == 0:
            asks.append(Ask(at_s, (old, new) if splits else (holder,) if holder else ()))
    end_s = start_s + LEG_S
    if lost:
        echoes, end_s = echoes[:120], start_s + 1.2
    return History(STEP_S, tuple(echoes), tuple(asks), (Mark("fault", fault_s, 0.002),), end_s, lost)


def report_of(legs: Sequence[Leg], *, rounds: int = 1, max_outage_s: float | None = None) -> FailoverReport:
    """Return the report of a run that came to these legs."""
    bad = next((leg for leg in legs if leg.verdict is not Verdict.PASS), None)
    reason = f"{bad.label} on {bad.origin}: {bad.reason}" if bad else "10.200.51.2 answers from ha_first"
    return FailoverReport(
        pair=Pair("ha_first-ha_second", "net", "project", ip_address("10.200.51.2"), 1,
                  (Member("port-1", 240), Member("port-2", 230))),
        observer="observer",
        legs=tuple(legs),
        verdict=worst([leg.verdict for leg in legs]),
        reason=reason,
        faults=tuple(dict.fromkeys(leg.fault for leg in legs)),
        rounds=rounds,
        max_outage_s=max_outage_s,
        began_at=datetime(2026, 11, 25, 21, 42, 7, tzinfo=UTC),
        achieved_interval_s=STEP_S,
        method="icmp-raw+arp",
        keepalived={"ha_first": "2.2.7", "ha_second": "2.2.7"},
    )  # fmt: skip


def usual() -> FailoverReport:
    """Return what the default faults come to on a healthy pair."""
    legs: list[Leg] = []
    for index, (fault, dark_s, bound_s) in enumerate(
        [("stop", 0.03, 0.0305), ("kill", 0.713, 0.9305), ("partition", 0.842, 0.9305)]
    ):
        legs += [
            moved(fault, dark_s, bound_s=bound_s, start_s=500.0 + 20 * index),
            moved("failback", 0.0, fault=fault, back=True, bound_s=0.0, start_s=510.0 + 20 * index),
        ]
    return report_of(legs)


def thorough() -> FailoverReport:
    """Return three rounds of faults of every outcome: PASS, FAIL with two Active nodes, an observer that was lost."""
    legs: list[Leg] = []
    for number in (1, 2, 3):
        start_s = 100.0 * number
        legs += [
            moved("partition", 0.7 + number / 20, number=number, start_s=start_s),
            moved("failback", 0.0, fault="partition", number=number, back=True, bound_s=0.0, start_s=start_s + 20),
            moved("hang", 0.9, number=number, both_s=2.5, start_s=start_s + 40),
            moved("failback", 0.0, fault="hang", number=number, back=True, bound_s=0.0, start_s=start_s + 60),
        ]
    legs.append(moved("stop", 0.03, number=1, bound_s=0.03, start_s=900.0, lost="the connection broke"))
    return report_of(legs, rounds=3, max_outage_s=0.5)


def renamed(report: FailoverReport, old: str, new: str) -> FailoverReport:
    """Return the report with a node of another name."""

    def name(one: str) -> str:
        return new if one == old else one

    legs = []
    for leg in report.legs:
        held = leg.insight.holders
        assert held is not None
        spans = {name(node): them for node, them in held.spans.items()}
        insight = replace(leg.insight, holders=replace(held, spans=spans))
        names = {mac: name(node) for mac, node in leg.names.items()}
        legs.append(replace(leg, origin=name(leg.origin), target=name(leg.target), names=names, insight=insight))
    return replace(report, legs=tuple(legs))
