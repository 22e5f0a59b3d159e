"""How a command ended, as people read it; each function returns the process's exit code."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.table import Table

from haos.core.outage import Verdict
from haos.view.console import Output
from haos.view.timeline import timeline
from haos.workflow.create import Created
from haos.workflow.failover import FailoverReport
from haos.workflow.status import PairStatus
from haos.workflow.teardown import TornDown
from haos.workflow.trial import Leg
from haos.workflow.verify import Verification

EXIT_NOT_PROVEN = 4


def show_created(created: Created, output: Output) -> int:
    """Print what create achieved."""
    pair, seen = created.pair, created.verification
    if seen is None:
        output.line(f"Pair {pair.name} is configured, VIP {pair.vip}. Not verified, as you asked.")
        return 0
    for line in leg_lines(seen):
        output.line(line)
    if seen.verdict is Verdict.PASS:
        who = f"answers from {seen.active} ({seen.answered_from})"
        output.line(
            f"VIP {pair.vip} of pair {pair.name} {who}{'' if created.changed else '; nothing had to change'}."
        )
        output.hint(f"next: haos failover-test {pair.name}   undo: haos teardown {pair.name}")
        return 0
    output.line(f"{seen.verdict}: {seen.reason}.")
    output.hint(f"the pair was kept; look: haos status {pair.name}   undo: haos teardown {pair.name}")
    return EXIT_NOT_PROVEN


def leg_lines(seen: Verification) -> Iterator[str]:
    """Yield a line for each move of the VIP that was seen."""
    for leg in seen.legs:
        yield f"{leg.label:<9} {leg.origin} -> {leg.target}: {outage_text(leg)}  {leg.verdict}"


def outage_text(leg: Leg) -> str:
    """Return the outage of a leg with its resolution and bound."""
    if leg.verdict is Verdict.UNKNOWN:
        return f"outage unknown ({leg.reason})"
    if leg.outage is None:
        return f"no probe lost (bound {leg.bound_s:.3f} s)"
    more = "more than " if leg.outage.open else ""
    resolution = f"± {leg.outage.resolution_s:.3f} s"
    return f"outage {more}{leg.outage.outage_s:.3f} s {resolution} (bound {leg.bound_s:.3f} s)"


def show_report(report: FailoverReport, output: Output) -> int:
    """Print the table of a failover test, with a timeline of each move."""
    pair, result = report.pair, report.result
    output.line(f"Pair {pair.name}, VIP {pair.vip}, asked every 10 ms from {report.observer.name}")
    for leg in result.legs:
        if leg.history is not None:
            for line in timeline(leg, full=output.glyph("█", "#"), gap=output.glyph("·", ".")):
                output.line(line)
    table = Table(box=box.ASCII2, show_lines=False)
    for title in ("Fault", "From", "To", "Outage", "Bound", "Verdict"):
        table.add_column(title, justify="right" if title in ("Outage", "Bound") else "left")
    for leg in result.legs:
        outage = f"{leg.outage.outage_s:.3f} s" if leg.outage else "none seen"
        shown = "unknown" if leg.verdict is Verdict.UNKNOWN else outage
        table.add_row(leg.label, leg.origin, leg.target, shown, f"{leg.bound_s:.3f} s", str(leg.verdict))
    output.out.print(table)
    output.line(f"{result.verdict}: {result.reason}")
    return 0 if result.verdict is Verdict.PASS else EXIT_NOT_PROVEN


def show_status(status: PairStatus, output: Output) -> int:
    """Print the table of a pair."""
    pair = status.pair
    health = "healthy" if status.healthy else "NOT HEALTHY"
    output.line(
        f"Pair {pair.name}: VIP {pair.vip}, VRID {pair.vrid}, mode {pair.mode}, "
        f"advertisements every {pair.timing.advertisement_interval_s} s: {health}"
    )
    table = Table(box=box.ASCII2)
    for title in ("Node", "Role", "VIP", "Priority", "Keepalived", "Pair", "Config"):
        table.add_column(title, no_wrap=True)
    for node in status.nodes:
        admitted = "yes" if node.pair_admitted else "MISSING"
        holds = "yes" if node.holds_vip else "no"
        version = node.keepalived or "-"
        table.add_row(node.name, str(node.role), holds, str(node.priority), version, admitted, node.config)
    output.out.print(table)
    for node in status.nodes:
        if node.problem:
            output.line(f"{node.name}: {node.problem}")
    if status.observed is not None:
        output.line(f"observer: {status.observed.reason}")
    return 0 if status.healthy else EXIT_NOT_PROVEN


def show_removal_plan(plan: TornDown, output: Output) -> int:
    """Print what a teardown would take away."""
    output.line(f"Pair {plan.pair.name}: VIP {plan.pair.vip}")
    for line in plan.done:
        output.line(f"  - {line}")
    output.line(f"Plan: {len(plan.done)} to remove.")
    return 0


def show_torn_down(torn: TornDown, output: Output) -> int:
    """Print what a teardown took away."""
    for line in torn.done:
        output.line(f"  - {line}")
    output.line(f"Pair {torn.pair.name} is gone; VIP {torn.pair.vip} is free again.")
    return 0
