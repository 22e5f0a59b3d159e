"""A switchover: what will be done, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator

from haos.core.keepalived import pair_path
from haos.core.leg import Leg
from haos.core.model import Mode
from haos.core.names import port_name
from haos.core.outage import Verdict
from haos.core.switchover import HIGHEST, Switchover, Way
from haos.view.changes import CHANGE, Item
from haos.view.console import Output
from haos.view.outage_text import outage_text
from haos.view.plan import HANG, STYLES
from haos.view.style import Style
from haos.view.verdicts import EXIT_NOT_PROVEN, VERDICT_STYLES
from haos.workflow.switchover import Prepared, Switched

COLUMNS = ("Pair", "VIP", "From", "To", "Moved", "Lost Probes", "Outage", "Bound", "Verdict", "Reason")


def show_move(prepared: Prepared, output: Output, style: Style) -> None:
    """Print what a switchover is going to do, and what it promises; beside a result for programs, to stderr."""
    say = output.line if is_for_people(style) else output.hint
    output.gap()
    move = prepared.move
    pair = move.before
    way = f"moves from {move.active.name} to {move.target.name}" if move.moves else f"stays on {move.target.name}"
    say(f"Pair {pair.name}: VIP {pair.vip} {way}", "bold")
    if move.nothing_to_do:
        say("Nothing to do.")
    for item in _items(move):
        say(str(item), STYLES[item.sign], hang=HANG)
    if move.moves:
        say(_promise(move))
    output.gap()


def is_for_people(style: Style) -> bool:
    """Say whether the result is a screen."""
    return style.format == "table" and not style.columns


def _items(move: Switchover) -> Iterator[Item]:
    pair = move.before
    for node, _ in move.weights:
        said = f"raised to {HIGHEST}" if node is move.target else f"lowered to {HIGHEST - 1}"
        yield Item(CHANGE, "weight", f"{node.name}: its priority is {said}, by a file and without a reload")
    if move.moves and move.way is Way.WITHDRAW:
        yield Item(CHANGE, "file", f"{move.active.name}: {pair_path(pair.name)}, aside, guarded by a timer")
    if move.after != move.before:
        changed = ", ".join(f"{node.name} {move.after.priority_of(node)}" for node in move.nodes
                            if move.after.priority_of(node) != pair.priority_of(node))  # fmt: skip
        yield Item(CHANGE, "port", f"{port_name(pair.name)}: the record ({changed})")
    for node in move.stale:
        old, new = move.filed_priority(node), move.after.priority_of(node)
        what = f"priority {old} -> {new}" if old != new else "the record in its header"
        yield Item(CHANGE, "file", f"{node.name}: {pair_path(pair.name)}, {what}")
        yield Item(CHANGE, "service", f"{node.name}: keepalived reloaded")
    for node in move.weighed:
        yield Item(CHANGE, "weight", f"{node.name}: none again")


def _promise(move: Switchover) -> str:
    timing = move.before.timing
    if move.way is Way.WITHDRAW:
        why = "the Backup waits in Fault" if timing.bfd else "without preemption a higher priority moves nothing"
        how = f"skew (256-{HIGHEST})/256 x {timing.advertisement_interval_s:g} s"
        if timing.bfd:
            how = "what BFD and the Backup's own wait take"
        return f"Predicted outage, at most: {move.bound_s:.3f} s ({how}): {why}, so the Active leaves first"
    delay = f"; {move.target.name} takes over after its preempt delay of {timing.preempt_delay_s} s"
    if move.before.mode is Mode.VMAC:
        return f"Predicted outage: none but what the network takes to follow the virtual MAC{delay}"
    return f"Predicted outage: none, no probe lost{delay}"


def show_switched(switched: Switched, output: Output, style: Style) -> int:
    """Print how a switchover ended; returns the exit code."""
    if not is_for_people(style):
        output.one(COLUMNS, _values(switched), style)
    elif switched.leg is not None:
        _show_screen(switched, switched.leg, output)
    leg = switched.leg
    failed = leg is not None and leg.verdict is not Verdict.PASS and switched.observer is not None
    return EXIT_NOT_PROVEN if failed else 0


def _show_screen(switched: Switched, leg: Leg, output: Output) -> None:
    move = switched.move
    output.gap()
    where = f"{leg.origin} -> {leg.target}" if move.moves else leg.target
    output.line(f"{leg.label:<9} {where}: {_seen(switched, leg)}", VERDICT_STYLES[leg.verdict])
    who = f"answers from {leg.target}" if switched.observer else f"is on {leg.target}, as the nodes see it"
    output.line(f"VIP {move.after.vip} of pair {move.after.name} {who}, and stays there.", "bold")
    if move.moves:
        output.hint(f"the other way: haos switchover {move.after.name} --to {leg.origin}")


def _seen(switched: Switched, leg: Leg) -> str:
    if leg.verdict is Verdict.UNKNOWN:
        return f"outage unknown ({leg.reason})"
    if switched.lost_probes == 0:
        return f"no probe lost  {leg.verdict}"
    return f"{switched.lost_probes} probes lost, {outage_text(leg)}  {leg.verdict}"


def _values(switched: Switched) -> tuple[object, ...]:
    move, leg = switched.move, switched.leg
    outage_s = None
    if leg is not None and leg.verdict is not Verdict.UNKNOWN:
        outage_s = leg.outage.outage_s if leg.outage else 0.0
    return (
        move.before.name,
        str(move.before.vip),
        move.active.name,
        move.target.name,
        leg is not None and move.moves,
        switched.lost_probes,
        outage_s,
        None if leg is None else leg.bound_s,
        None if leg is None else str(leg.verdict),
        None if leg is None else leg.reason,
    )
