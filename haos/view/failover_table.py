"""The table of a failover test: a row for each fault and each way back; as many columns as the terminal has room for.

For programs, a row for each leg.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from rich.cells import cell_len

from haos.core.leg import FAILBACK, Leg
from haos.core.service_probe import flow_without_s, service_outage_s
from haos.core.spread import Spread
from haos.view.tally import Tally, fault_of, known_outage_s, spread

Column = Callable[[Tally], str]
ALWAYS = ("Fault", "Outage", "Median", "Max", "Bound", "Verdict")
"""What no terminal is too narrow for."""
BOTH = "Both Answer"
SERVICE, FLOW = "Service", "Connection"
"""So long the service answered no new client; so long a client with a connection was without."""
BY_LOGS = ("Detection", "Take-over", "Dual-Active", "No-Active")
WORTH = (SERVICE, FLOW, "Rounds", BOTH, "Min", "p95", "From", "To", *BY_LOGS)
"""What else there is, what is missed most first."""
SPLIT_S = 0.1
"""Two nodes that answer for longer are no ordinary take-over; else there is no word of it."""
IF_KNOWN = (SERVICE, FLOW, *BY_LOGS)

Columns = dict[str, Sequence[str]]


def chosen_columns(groups: Sequence[Tally], width: int | None) -> tuple[Columns, Columns]:
    """Return the columns that fit, in their order, and those that do not; without a width all fit."""
    cells: Columns = {name: [column(group) for group in groups] for name, column in _columns(groups).items()}
    kept = [name for name in ALWAYS if name in cells]
    for name in (name for name in WORTH if name in cells):
        wider = [each for each in cells if each in (*kept, name)]
        if width is None or _width({each: cells[each] for each in wider}) <= width:
            kept.append(name)
    shown = {name: column for name, column in cells.items() if name in kept}
    return shown, {name: column for name, column in cells.items() if name not in kept}


def _width(columns: Columns) -> int:
    """Return how wide the table is with nothing broken."""
    return sum(max(map(cell_len, (name, *cells))) for name, cells in columns.items()) + 3 * len(columns) + 1


def _columns(groups: Sequence[Tally]) -> Mapping[str, Column]:
    """Return the columns that have anything to say, in the order in which they stand."""
    several = any(len(group.legs) > 1 for group in groups)
    found: dict[str, Column] = {
        "Fault": lambda group: group.title,
        "From": lambda group: _names(leg.origin for leg in group.legs),
        "To": lambda group: _names(leg.target for leg in group.legs),
    }
    if several:
        found |= {
            "Rounds": _rounds,
            "Min": lambda group: _outage(group, lambda seen: seen.least),
            "Median": lambda group: _outage(group, lambda seen: seen.middle),
            "p95": lambda group: _outage(group, lambda seen: seen.p95),
            "Max": lambda group: _outage(group, lambda seen: seen.most, most=True),
        }
    else:
        found |= {"Outage": lambda group: _outage(group, lambda seen: seen.most, most=True)}
    found |= {
        "Bound": lambda group: seconds(group.bound_s),
        SERVICE: lambda group: _longest(group, without_service_s),
        FLOW: lambda group: _longest(group, without_connection_s),
        "Detection": lambda group: _longest(group, lambda leg: leg.insight.detection_s),
        "Take-over": lambda group: _longest(group, lambda leg: leg.insight.takeover_s),
        BOTH: lambda group: _longest(group, lambda leg: leg.insight.dual_answers_s),
        "Dual-Active": lambda group: _longest(group, lambda leg: leg.insight.dual_active_s),
        "No-Active": lambda group: _longest(group, lambda leg: leg.insight.no_active_s),
        "Verdict": lambda group: str(group.verdict),
    }
    unknown = {name for name in IF_KNOWN if all(found[name](group) == "-" for group in groups)}
    if all(leg.insight.dual_answers_s <= SPLIT_S for group in groups for leg in group.legs):
        unknown.add(BOTH)
    return {name: column for name, column in found.items() if name not in unknown}


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _rounds(group: Tally) -> str:
    known = group.outages.count if group.outages else 0
    return str(len(group.legs)) if known == len(group.legs) else f"{known} of {len(group.legs)}"


def _outage(group: Tally, value: Callable[[Spread], float | None], *, most: bool = False) -> str:
    if group.outages is None:
        return seconds(None)
    return f"{'>' if most and group.open else ''}{seconds(value(group.outages))}"


def _longest(group: Tally, value: Callable[[Leg], float | None]) -> str:
    found = spread(group.legs, value)
    return seconds(found.most if found else None)


def without_service_s(leg: Leg) -> float | None:
    """Return how long the service answered no new client; None where it was not asked."""
    return service_outage_s(leg.history, leg.start_s, leg.end_s) if leg.history else None


def without_connection_s(leg: Leg) -> float | None:
    """Return how long a client with a connection was without one; None where none was held, or it is not over."""
    return flow_without_s(leg.history, leg.start_s, leg.end_s) if leg.history else None


def seconds(value: float | None) -> str:
    """Return a duration as a cell; "-" where it is not known."""
    return "-" if value is None else f"{value:.3f}"


def leg_rows(legs: Sequence[Leg]) -> dict[str, list[object]]:
    """Return the columns of a list of legs; a duration that is not known is None."""
    return {
        # By this column alone a failback can be told from its fault.
        "Fault": [f"failback after {fault_of(leg)}" if leg.label == FAILBACK else fault_of(leg) for leg in legs],
        "Leg": [leg.label for leg in legs],
        "Round": [leg.round for leg in legs],
        "From": [leg.origin for leg in legs],
        "To": [leg.target for leg in legs],
        "Verdict": [str(leg.verdict) for leg in legs],
        "Outage": [rounded(known_outage_s(leg)) for leg in legs],
        "Open": [leg.outage is not None and leg.outage.open for leg in legs],
        "Resolution": [rounded(leg.outage.resolution_s) if leg.outage else None for leg in legs],
        "Raw Gap": [rounded(leg.outage.raw_gap_s) if leg.outage else None for leg in legs],
        "Lost Probes": [leg.outage.lost_probes if leg.outage else 0 for leg in legs],
        "Bound": [rounded(leg.bound_s) for leg in legs],
        "Detection": [rounded(leg.insight.detection_s) for leg in legs],
        "Takeover": [rounded(leg.insight.takeover_s) for leg in legs],
        "Dual Active": [rounded(leg.insight.dual_active_s) for leg in legs],
        "No Active": [rounded(leg.insight.no_active_s) for leg in legs],
        "Dual Answers": [rounded(leg.insight.dual_answers_s) for leg in legs],
        "Service Outage": [rounded(without_service_s(leg)) for leg in legs],
        "Connection Outage": [rounded(without_connection_s(leg)) for leg in legs],
        "Reason": [leg.reason for leg in legs],
    }


def rounded(value: float | None) -> float | None:
    """Return a time to the microsecond, which is more than any of them is good for; None for what is no number."""
    if value is None or value != value or value in (float("inf"), float("-inf")):
        return None
    return round(value, 6)
