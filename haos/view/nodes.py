"""Who had a part in a failover test."""

from __future__ import annotations

from haos.core.leg import Leg
from haos.core.report import FailoverReport
from haos.view.tally import fault_of

NOBODY = "nobody"


def nodes_of(report: FailoverReport) -> tuple[str, ...]:
    """Return the names of all nodes that had a part in it, whoever was Active first before the others."""
    held = [name for leg in report.legs if leg.insight.holders for name in leg.insight.holders.spans]
    found = [name for leg in report.legs for name in (leg.origin, leg.target, *leg.names.values())]
    return tuple(name for name in dict.fromkeys([*found, *held]) if name != NOBODY)


def leg_name(leg: Leg, report: FailoverReport) -> str:
    """Return what a leg is called where it stands alone."""
    name = leg.label if leg.label == fault_of(leg) else f"{leg.label} after {fault_of(leg)}"
    return f"{name}, round {leg.round}" if report.rounds > 1 else name
