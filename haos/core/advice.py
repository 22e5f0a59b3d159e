"""What the reader of a failover test should know beside its figures, and the option or command that helps. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from haos.core import vrrp
from haos.core.leg import FAILBACK, Leg
from haos.core.outage import LATE_S, Verdict, blind_s
from haos.core.report import Advice, FailoverReport

SLOW_INTERVALS = 1.5
"""An achieved interval this many times the asked-for one is worth a word."""
NOTABLE_S = 0.1
"""Shorter than this, two nodes that hold the VIP, or a network that learns late, are an ordinary take-over."""
SHOWN_S = 0.001
"""Times are shown to the millisecond; less over a bound would read as nothing."""
NEAR = 0.8
"""Of what was asked for."""
UNFENCED = {
    "hang": (
        "nothing fences a node whose keepalived hangs: it keeps the VIP and answers for it",
        "keepalived alone cannot help; a watchdog on the node, or whoever sees it in haos status, must stop the node",
    ),
    "vrrp-block": (
        "where VRRP alone is lost, each node takes itself for the only one",
        "haos check PAIR says whether security groups and firewalls let protocol 112 through",
    ),
}
CUT_OFF = ("partition", "link-down", "port-down", "pause")
"""Faults under which the old node keeps the VIP where nobody hears it."""
SCALES = ("stop", "withdraw", "kill", "reboot", "power-off", *CUT_OFF, *UNFENCED)
"""Faults whose bound is proportional to the advertisement interval."""


def advised(report: FailoverReport) -> FailoverReport:
    """Return the report with all advice that can be given on it, each once."""
    known = {(one.code, one.text) for one in report.advice}
    more = [one for rule in RULES for one in rule(report) if (one.code, one.text) not in known]
    return replace(report, advice=(*report.advice, *more))


def _unknown(report: FailoverReport) -> Iterator[Advice]:
    lost = [leg for leg in report.legs if leg.history is not None and leg.history.lost is not None]
    if lost:
        yield Advice(
            "observer-lost",
            f"the observer was lost in {_where(lost, report)}: what it did not see is UNKNOWN, never 0 s",
            f"haos status {report.pair.name}, then again; --observer INSTANCE measures from elsewhere",
        )


def _method(report: FailoverReport) -> Iterator[Advice]:
    if report.method.startswith("ping"):
        yield Advice(
            "ping-only",
            f"{report.observer} has no Python that may send ICMP, so that ping measured: who answers is not seen",
            "python3, or sudo, on it; or --observer INSTANCE",
        )
    elif report.method and "+" not in report.method:
        yield Advice(
            "no-root",
            f"without root on {report.observer} nobody asks as a new client would: stale ARP entries go unseen",
            "sudo for the user of --ssh-user; or --observer INSTANCE",
        )


def _not_measured(report: FailoverReport) -> Iterator[Advice]:
    notes = dict.fromkeys(note for leg in report.legs if leg.history is not None for note in leg.history.notes)
    for note in notes:
        yield Advice("not-measured", f"{report.observer}: {note}", "--observer INSTANCE measures from elsewhere")


def _interval(report: FailoverReport) -> Iterator[Advice]:
    achieved_s = report.achieved_interval_s
    if achieved_s is not None and achieved_s > SLOW_INTERVALS * report.interval_s:
        yield Advice(
            "slow-probe",
            f"{report.observer} sent a probe every {achieved_s * 1000:.0f} ms, not every "
            f"{report.interval_s * 1000:.0f} ms: an outage is known to ± {achieved_s:.3f} s",
            f"--observer INSTANCE measures from elsewhere; --interval {_round_up_ms(achieved_s)}ms is what it can do",
        )


def _round_up_ms(seconds: float) -> int:
    return math.ceil(round(seconds * 1000, 3) / 5) * 5


def _stalled(report: FailoverReport) -> Iterator[Advice]:
    stalled = [(leg, blind) for leg in report.legs if (blind := _blind_s(leg)) > LATE_S]
    if stalled:
        worst_s = max(blind for _, blind in stalled)
        yield Advice(
            "observer-stalled",
            f"{report.observer} itself sent nothing for {worst_s:.3f} s in "
            f"{_where([leg for leg, _ in stalled], report)}: a shorter outage would not have been seen then",
            "is it busy? --observer INSTANCE measures from elsewhere, --rounds 5 shows whether it is the rule",
        )


def _blind_s(leg: Leg) -> float:
    if leg.history is None or leg.history.lost is not None or not leg.history.echoes:
        return 0.0
    return blind_s(leg.history, leg.start_s, leg.end_s or leg.history.now_s)


def _one_round(report: FailoverReport) -> Iterator[Advice]:
    if report.rounds == 1 and any(leg.outage is not None and leg.verdict is Verdict.PASS for leg in report.legs):
        yield Advice(
            "one-round",
            "one round says nothing of the spread: it matters how long before the fault the last advertisement was",
            "--rounds 10",
        )


def _near_bound(report: FailoverReport) -> Iterator[Advice]:
    over = [leg for leg in report.legs if leg.verdict is Verdict.PASS and _excess_s(leg) > SHOWN_S]
    if over:
        most = max(over, key=_excess_s)
        yield Advice(
            "over-bound",
            f"{_where(over, report)}: {_excess_s(most):.3f} s over the predicted bound, within the margin of "
            f"{vrrp.MARGIN_S:g} s for scheduling and the network",
            "is a node busy? -v tells detection and take-over apart, --rounds 10 shows whether it is the rule",
        )


def _excess_s(leg: Leg) -> float:
    """Return what an outage has over its bound for certain."""
    if leg.outage is None or leg.label == FAILBACK:
        return 0.0
    return leg.outage.outage_s - leg.outage.resolution_s - leg.bound_s


def _max_outage(report: FailoverReport) -> Iterator[Advice]:
    limit_s = report.max_outage_s
    if limit_s is None:
        return
    asked = f"the {limit_s:g} s asked for"
    for label, legs in _by_label(report.legs).items():
        longest_s = max((leg.outage.outage_s for leg in legs if leg.outage), default=0.0)
        bound_s = max(leg.bound_s for leg in legs)
        if longest_s > limit_s:
            hint = _faster(report, label, bound_s, limit_s)
            yield Advice("max-outage", f"{label}: {longest_s:.3f} s is over {asked}", hint)
        elif bound_s > limit_s and legs[0].label != FAILBACK:
            hint = _faster(report, label, bound_s, limit_s)
            yield Advice("max-outage", f"{label} may take {bound_s:.3f} s, which is over {asked}", hint)
        elif longest_s > NEAR * limit_s:
            hint = "--rounds 10 shows how close it comes"
            yield Advice("near-max-outage", f"{label}: {longest_s:.3f} s is close to {asked}", hint)


def _faster(report: FailoverReport, label: str, bound_s: float, limit_s: float) -> str:
    """Return which profile would keep a limit; bounds go with the interval."""
    timing, members = report.pair.timing, len(report.pair.members)
    if label in SCALES and not timing.bfd:
        for name, interval_s in vrrp.PROFILES.items():
            scaled_s = bound_s * interval_s / timing.advertisement_interval_s
            fits = members <= vrrp.FASTEST_NODES or interval_s > vrrp.PROFILES["fastest"]
            if interval_s < timing.advertisement_interval_s and scaled_s <= limit_s and fits:
                return f"haos create with --profile {name} bounds it at {scaled_s:.3f} s"
    return "no shorter interval promises it; a longer --max-outage does"


def _dual_active(report: FailoverReport) -> Iterator[Advice]:
    """Tell of two nodes that were heard: one that is cut off keeps the VIP too, and harms nobody by it."""
    for label, legs in _by_label(report.legs).items():
        answered_s = max((leg.insight.dual_answers_s for leg in legs), default=0.0)
        held_s = max((leg.insight.dual_active_s or 0.0 for leg in legs), default=0.0)
        blind = "+" not in report.method and legs[0].fault not in CUT_OFF
        if max(answered_s, held_s if blind else 0.0) <= max(NOTABLE_S, report.max_dual_active_s):
            continue
        what = f"both answered the observer for {answered_s:.1f} s"
        if blind:
            what = f"both held the VIP for {held_s:.1f} s, and who answers is not seen from {report.observer}"
        why, hint = UNFENCED.get(
            legs[0].fault or label,
            ("a node kept the VIP after another had taken it over", "haos status shows who holds it now"),
        )
        yield Advice("dual-active", f"{label}: {what}: {why}", hint.replace("PAIR", report.pair.name))


def _learned_late(report: FailoverReport) -> Iterator[Advice]:
    late = [leg for leg in report.legs if leg.unheard or (leg.insight.takeover_s or 0.0) > NOTABLE_S]
    if late:
        yield Advice(
            "learned-late",
            f"{_where(late, report)}: the VIP had moved, and the observer was still led to the old node, or nowhere",
            "does this network pass gratuitous ARP on? haos create with --mode vmac does without",
        )


def _clocks(report: FailoverReport) -> Iterator[Advice]:
    held = [leg.insight.holders for leg in report.legs if leg.insight.holders is not None]
    worst_s = max((one.error_s for one in held), default=0.0)
    if worst_s > NOTABLE_S:
        yield Advice(
            "clocks",
            f"the nodes' clocks are known to ± {worst_s:.3f} s: so are detection, dual-Active and no-Active time",
            "run it from nearer by; the outage itself is measured on one clock and does not suffer",
        )
    broken = dict.fromkeys(name for one in held for name in one.unknown)
    if broken:
        yield Advice(
            "log-lost",
            f"the log of {' and '.join(broken)} broke off: who held the VIP when is not known for all legs",
            "a node that restarts loses it; what the observer saw is not touched by that",
        )


def _connection(report: FailoverReport) -> Iterator[Advice]:
    broken = [leg for leg in report.legs if _flow_broke(leg)]
    if broken:
        yield Advice(
            "flow-broken",
            f"the connection that was held open broke in {_where(broken, report)}: a VIP moves, connections do not",
            "clients must connect anew; haos switchover moves the VIP without an outage, not connections either",
        )


def _flow_broke(leg: Leg) -> bool:
    history = leg.history
    if history is None:
        return False
    end_s = leg.end_s or history.now_s
    return any(event.what == "broken" and leg.start_s <= event.at_s <= end_s for event in history.flow)


def _by_label(legs: Sequence[Leg]) -> dict[str, list[Leg]]:
    """Return the legs by what they are called in a text: a failback by its fault too."""
    found: dict[str, list[Leg]] = {}
    for leg in legs:
        failback = leg.label == FAILBACK and leg.fault
        found.setdefault(f"failback after {leg.fault}" if failback else leg.label, []).append(leg)
    return found


def _where(legs: Sequence[Leg], report: FailoverReport) -> str:
    """Return "partition, rounds 1 and 3" and the like."""
    parts = []
    for label, found in _by_label(legs).items():
        rounds = [str(leg.round) for leg in found]
        some = report.rounds > 1 and len(rounds) < report.rounds
        parts.append(f"{label} (round{'s' * (len(rounds) > 1)} {', '.join(rounds)})" if some else label)
    return ", ".join(parts)


RULES: tuple[Callable[[FailoverReport], Iterator[Advice]], ...] = (
    _unknown,
    _dual_active,
    _max_outage,
    _learned_late,
    _near_bound,
    _stalled,
    _interval,
    _method,
    _not_measured,
    _clocks,
    _connection,
    _one_round,
)
"""In the order of what matters most."""
