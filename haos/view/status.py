"""A pair as the cloud, the nodes and the observer see it: a screen for people, one object for programs."""

from __future__ import annotations

from haos.core.intent import restore_hint
from haos.core.model import Role
from haos.view.console import Output
from haos.view.result import EXIT_NOT_PROVEN
from haos.view.style import Style
from haos.workflow.status import NodeStatus, PairStatus

COLUMNS = (
    "Name",
    "VIP",
    "VRID",
    "Mode",
    "Advert Interval",
    "Healthy",
    "Active",
    "Nodes",
    "Faults Pending",
    "Observer Verdict",
    "Observer Reason",
)


def show_status(status: PairStatus, output: Output, style: Style) -> int:
    """Print a pair; returns the exit code."""
    if style.format == "table" and not style.columns:
        _show_screen(status, output)
    else:
        output.one(COLUMNS, _values(status), style)
    return 0 if status.healthy else EXIT_NOT_PROVEN


def _show_screen(status: PairStatus, output: Output) -> None:
    pair = status.pair
    output.gap()
    health, color = ("healthy", "green") if status.healthy else ("NOT HEALTHY", "bold red")
    output.line(
        f"Pair {pair.name}: VIP {pair.vip}, VRID {pair.vrid}, mode {pair.mode}, "
        f"advertisements every {pair.timing.advertisement_interval_s} s: {health}",
        color,
    )
    rows = [
        (
            node.name,
            str(node.role),
            "yes" if node.holds_vip else "no",
            node.priority,
            node.keepalived or "-",
            "yes" if node.pair_admitted else "MISSING",
            node.config,
        )
        for node in status.nodes
    ]
    output.table(("Node", "Role", "VIP", "Priority", "Keepalived", "Pair", "Config"), rows)
    for node in status.nodes:
        if node.problem:
            output.line(f"{node.name}: {node.problem}", "bold red")
    for line in status.pending:
        output.line(line, "bold red", hang=2)
    if status.pending:
        output.hint(restore_hint(pair))
    if status.observed is not None:
        output.line(f"observer: {status.observed.reason}")


def _values(status: PairStatus) -> tuple[object, ...]:
    pair, seen = status.pair, status.observed
    active = [node.name for node in status.nodes if node.role is Role.ACTIVE]
    return (
        pair.name,
        str(pair.vip),
        pair.vrid,
        str(pair.mode),
        pair.timing.advertisement_interval_s,
        status.healthy,
        active[0] if len(active) == 1 else None,
        [_node(node) for node in status.nodes],
        list(status.pending),
        None if seen is None else str(seen.verdict),
        None if seen is None else seen.reason,
    )


def _node(node: NodeStatus) -> dict[str, object]:
    return {
        "name": node.name,
        "role": str(node.role),
        "holds_vip": node.holds_vip,
        "priority": node.priority,
        "keepalived": node.keepalived,
        "pair_admitted": node.pair_admitted,
        "config": node.config,
        "problem": node.problem,
    }
