"""A failover test for programs: one JSON document, whose shape is docs/failover-report.schema.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from haos.core import vrrp
from haos.core.leg import Holders, Leg, Span
from haos.core.outage import Outage, is_lost
from haos.core.report import FailoverReport
from haos.core.spread import Spread
from haos.view.cells import within
from haos.view.failover_table import rounded, without_connection_s, without_service_s
from haos.view.tally import Tally, fault_of, known_outage_s, tallies

SCHEMA = "haos/failover-test/1"
Object = dict[str, object]


def document(report: FailoverReport) -> Object:
    """Return the whole report; keys keep their order, what is not known is null."""
    return {
        "schema": SCHEMA,
        "verdict": str(report.verdict),
        "reason": report.reason,
        "began_at": stamp(report.began_at),
        "pair": _pair(report),
        "observer": {
            "name": report.observer,
            "method": report.method or None,
            "interval_s": rounded(report.interval_s),
            "achieved_interval_s": rounded(report.achieved_interval_s),
        },
        "asked": {
            "faults": list(report.faults),
            "rounds": report.rounds,
            "max_outage_s": rounded(report.max_outage_s),
            "max_dual_active_s": rounded(report.max_dual_active_s),
            "probe": report.service.probe,
            "flow": report.service.flow,
        },
        "margin_s": vrrp.MARGIN_S,
        "faults": [_tally(group) for group in tallies(report.legs)],
        "legs": [_leg(leg) for leg in report.legs],
        "advice": [{"code": one.code, "text": one.text, "hint": one.hint or None} for one in report.advice],
    }


def stamp(moment: datetime | None) -> str | None:
    """Return a time in UTC as RFC 3339 has it."""
    return None if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _pair(report: FailoverReport) -> Object:
    pair = report.pair
    return {
        "name": pair.name,
        "vip": str(pair.vip),
        "vrid": pair.vrid,
        "mode": str(pair.mode),
        "advertisement_interval_s": rounded(pair.timing.advertisement_interval_s),
        "preempt": pair.timing.preempt,
        "bfd": pair.timing.bfd,
        "keepalived": dict(report.keepalived),
    }


def _tally(group: Tally) -> Object:
    return {
        "fault": group.fault,
        "leg": group.label,
        "rounds": len(group.legs),
        "verdict": str(group.verdict),
        "bound_s": rounded(group.bound_s),
        "outage_s": _spread(group.outages),
    }


def _spread(seen: Spread | None) -> Object | None:
    if seen is None:
        return None
    return {
        "count": seen.count,
        "min": rounded(seen.least),
        "median": rounded(seen.middle),
        "p95": rounded(seen.p95),
        "max": rounded(seen.most),
    }


def _leg(leg: Leg) -> Object:
    return {
        "fault": fault_of(leg),
        "leg": leg.label,
        "round": leg.round,
        "from": leg.origin,
        "to": leg.target,
        "verdict": str(leg.verdict),
        "reason": leg.reason,
        "bound_s": rounded(leg.bound_s),
        "outage_s": rounded(known_outage_s(leg)),
        **_gap(leg.outage),
        **_insight(leg),
        "unheard": leg.unheard,
        "start_s": rounded(leg.start_s),
        "end_s": rounded(end_of(leg)),
        "probes": _probes(leg),
        "responders": [
            {"at_s": rounded(at_s), "mac": mac, "node": leg.names.get(mac)} for at_s, mac in leg.insight.responders
        ],
        "holders": _holders(leg.insight.holders),
        "service": _service(leg),
        "flow": _flow(leg),
        "flow_outage_s": rounded(without_connection_s(leg)),
    }


def _gap(gap: Outage | None) -> Object:
    """Return what is known of the outage beside its length; of none, that it has none of it."""
    return {
        "open": gap is not None and gap.open,
        "resolution_s": rounded(gap.resolution_s) if gap else None,
        "raw_gap_s": rounded(gap.raw_gap_s) if gap else None,
        "lost_probes": gap.lost_probes if gap else None,
        "last_answer_s": rounded(gap.last_answer_s) if gap else None,
        "first_answer_s": rounded(gap.first_answer_s) if gap else None,
    }


def _insight(leg: Leg) -> Object:
    seen = leg.insight
    return {
        "fault_at_s": rounded(seen.fault_at.at_s) if seen.fault_at else None,
        "clock_error_s": rounded(seen.fault_at.error_s) if seen.fault_at else None,
        "detection_s": rounded(seen.detection_s),
        "takeover_s": rounded(seen.takeover_s),
        "dual_active_s": rounded(seen.dual_active_s),
        "no_active_s": rounded(seen.no_active_s),
        "dual_answers_s": rounded(seen.dual_answers_s),
    }


def end_of(leg: Leg) -> float:
    """Return when a leg ended; where that was not noted, how far its history reaches."""
    return leg.end_s or (leg.history.now_s if leg.history else leg.start_s)


def _probes(leg: Leg) -> Object | None:
    if leg.history is None:
        return None
    echoes = within(leg.history.echoes, leg.start_s, end_of(leg))
    return {"sent": len(echoes), "lost": sum(map(is_lost, echoes)), "observer_lost": leg.history.lost}


def _holders(held: Holders | None) -> Object | None:
    if held is None:
        return None
    nodes = {name: [_span(span) for span in spans] for name, spans in held.spans.items()}
    return {"nodes": nodes, "unknown": list(held.unknown), "error_s": rounded(held.error_s)}


def _span(span: Span) -> Mapping[str, float | None]:
    return {"from_s": rounded(span.start_s), "to_s": rounded(span.end_s)}


def _service(leg: Leg) -> Object | None:
    """Return how the service behind the VIP did, None where nobody asked it."""
    history = leg.history
    if history is None or history.service.probe is None:
        return None
    tries = within(history.tries, leg.start_s, end_of(leg))
    failed = [one for one in tries if one.failure]
    return {
        "probe": history.service.probe,
        "outage_s": rounded(without_service_s(leg)),
        "tries": len(tries),
        "failed": len(failed),
        "first_failure_s": rounded(failed[0].sent_s) if failed else None,
        "last_failure_s": rounded(failed[-1].sent_s) if failed else None,
        "failures": dict(sorted(Counter(one.failure for one in failed).items())),
    }


def _flow(leg: Leg) -> list[Object] | None:
    """Return what happened to the connection that was held open, None where none was."""
    history = leg.history
    if history is None or history.service.flow is None:
        return None
    return [
        {"at_s": rounded(event.at_s), "what": event.what, "why": event.why or None}
        for event in history.flow
        if leg.start_s <= event.at_s <= end_of(leg)
    ]
