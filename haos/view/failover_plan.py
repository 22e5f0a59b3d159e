"""What a failover test is going to do, and what guards each fault, as people read it."""

from __future__ import annotations

from haos.core.fault import Guard
from haos.view.console import Output
from haos.view.style import Style
from haos.workflow.failover import FailoverPlan, PlannedFault

COLUMNS = ("Fault", "What is done", "Bound", "Ended by")


def show_plan(plan: FailoverPlan, output: Output) -> None:
    """Say on stderr what comes: stdout is for the result."""
    output.hint("")
    output.hint(title_of(plan), "bold")
    width = max((len(planned.fault.name) for planned in plan.faults), default=0)
    for name, summary, bound, guard in map(_row, plan.faults):
        output.hint(f"  {name:<{width}}  {summary}; at most {bound}; ended by {guard}", hang=width + 4)
    output.hint("")


def show_dry_run(plan: FailoverPlan, output: Output, style: Style) -> int:
    """Print the plan as the result."""
    if style.format == "table":
        output.line(title_of(plan), "bold")
    output.list(COLUMNS, [_row(planned) for planned in plan.faults], style)
    return 0


def title_of(plan: FailoverPlan) -> str:
    """Return the line above the faults."""
    count, rounds = len(plan.faults), plan.request.rounds
    often = f"{count} fault{'s' * (count != 1)}" + (f", {rounds} rounds" if rounds > 1 else "")
    return f"Pair {plan.pair.name}, VIP {plan.pair.vip}: {often}, measured from {plan.observer.name}"


def _row(planned: PlannedFault) -> tuple[str, str, str, str]:
    fault = planned.fault
    return fault.name, fault.summary, f"{planned.bound_s:.3f} s", guard_text(planned)


def guard_text(planned: PlannedFault) -> str:
    """Return what ends the fault if haos cannot, and when."""
    if planned.fault.guard is Guard.ITSELF or planned.heals_after_s is None:
        return "itself"
    who = "a timer on the node" if planned.fault.guard is Guard.NODE else "a guardian on this machine"
    return f"{who}, {planned.heals_after_s:.0f} s"
