"""How a command ended, as people read it; each function returns the process's exit code."""

from __future__ import annotations

from haos.core.leg import Leg
from haos.core.outage import Verdict
from haos.view.console import Output
from haos.view.outage_text import outage_text
from haos.view.plan import count_line
from haos.view.verdicts import EXIT_NOT_PROVEN as EXIT_NOT_PROVEN
from haos.view.verdicts import VERDICT_STYLES
from haos.workflow.create import Created
from haos.workflow.restore import Restored
from haos.workflow.teardown import TornDown


def show_created(created: Created, output: Output) -> int:
    """Print what create achieved."""
    pair, seen = created.pair, created.verification
    if seen is None:
        output.line(f"Pair {pair.name} is configured, VIP {pair.vip}. Not verified, as you asked.")
        _show_floating(created, output)
        return 0
    output.gap()
    for leg in seen.legs:
        output.line(leg_line(leg), VERDICT_STYLES[leg.verdict])
    if seen.verdict is Verdict.PASS:
        who = f"answers from {seen.active} ({seen.answered_from})"
        output.line(
            f"VIP {pair.vip} of pair {pair.name} {who}{'' if created.changed else '; nothing had to change'}.", "bold"
        )
        _show_floating(created, output)
        output.hint(f"next: haos failover-test {pair.name}")
        output.hint(f"undo: haos teardown {pair.name}")
        return 0
    output.line(f"{seen.verdict}: {seen.reason}.", VERDICT_STYLES[seen.verdict])
    _show_floating(created, output)
    if created.proven:
        return 0
    output.hint("the pair was kept")
    output.hint(f"look: haos status {pair.name}")
    output.hint(f"undo: haos teardown {pair.name}")
    return EXIT_NOT_PROVEN


def _show_floating(created: Created, output: Output) -> None:
    if created.floating is not None:
        # The observer asks the VIP itself: it need not have a way to the external network.
        leads = f"Floating IP {created.floating.address} is associated with {created.pair.vip}"
        output.line(f"{leads}, as Neutron says; it was not asked from outside.")


def leg_line(leg: Leg) -> str:
    """Return a move of the VIP that was seen."""
    return f"{leg.label:<9} {leg.origin} -> {leg.target}: {outage_text(leg)}  {leg.verdict}"


def show_restored(restored: Restored, output: Output) -> int:
    """Print what a failover test that died had left, and is undone."""
    output.gap()
    for line in restored.done:
        output.line(f"  - {line}", hang=4)
    what = "is restored" if restored.done else "has no fault of haos's on it: nothing to restore"
    output.line(f"Pair {restored.pair.name} {what}.", "bold")
    return 0


def show_removal_plan(plan: TornDown, output: Output) -> int:
    """Print what a teardown would take away."""
    output.gap()
    output.line(f"Pair {plan.pair.name}: VIP {plan.pair.vip}", "bold")
    for line in plan.done:
        output.line(f"  - {line}", "red", hang=4)
    for line in plan.kept:
        output.line(f"  ! {line}", "yellow", hang=4)
    output.line(count_line(0, 0, len(plan.done)), "bold")
    output.gap()
    return 0


def show_torn_down(torn: TornDown, output: Output) -> int:
    """Print what a teardown took away."""
    output.gap()
    for line in torn.done:
        output.line(f"  - {line}", hang=4)
    for line in torn.skipped:
        output.line(f"  ! skipped: {line}", "yellow", hang=4)
    for line in torn.kept:
        output.line(f"  ! {line}", "yellow", hang=4)
    output.line(f"Pair {torn.pair.name} is gone; VIP {torn.pair.vip} is free again.", "bold")
    return 0
