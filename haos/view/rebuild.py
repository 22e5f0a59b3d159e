"""A record that is written anew: what stands there, what shall, how each part is known; and the same by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import assert_never

from haos.core.changes import AdoptPort, ReserveVip, UpdateRecord
from haos.core.model import RESERVATION_OWNER
from haos.core.names import floating_mark, group_mark
from haos.core.rebuild_cloud import MarkFloatingIp, MarkGroup, RebuildChange, RebuiltRecord
from haos.view.changes import ADD, CHANGE, REMOVE, Item, describe
from haos.view.console import Output
from haos.view.explain import PORT, reserve
from haos.view.plain import harmless
from haos.view.plan import HANG, STYLES, Line, count_line, print_lines
from haos.view.script import Variable, Word, command, comment
from haos.view.style import Style
from haos.view.switchover import is_for_people

WHAT_WIDTH = 18


def show_rebuild_plan(planned: RebuiltRecord, output: Output, style: Style) -> None:
    """Print what will be written, and from where it is known; beside a result for programs, to stderr."""
    output.gap()
    if is_for_people(style):
        print_lines(plan_lines(planned), output)
    else:
        for line in plan_lines(planned):
            output.hint(line.text, line.style, hang=line.hang or 0)
    output.gap()


def plan_lines(planned: RebuiltRecord) -> Iterator[Line]:
    """Yield the lines of the plan."""
    yield Line(f"Pair {planned.pair.name}: its record, as the nodes and the cloud know it", "bold")
    if planned.old is None:
        yield Line(f"  {REMOVE} the reservation port is gone", STYLES[REMOVE])
    elif planned.old != planned.new:
        yield Line(f"  {REMOVE} {harmless(planned.old) or '(empty)'}", STYLES[REMOVE], None)
    is_new = planned.old != planned.new
    yield Line(f"  {ADD if is_new else ' '} {planned.new}", STYLES[ADD] if is_new else "", None)
    for known in planned.known:
        yield Line(f"  {known.what:<{WHAT_WIDTH}} {known.value}  ({known.how})", "", WHAT_WIDTH + 3)
    for note in planned.notes:
        yield Line(f"! {note}", "yellow")
    counts: Counter[str] = Counter()
    for change in planned.changes:
        for item in describe_change(change):
            counts[item.sign] += 1
            yield Line(str(item), STYLES[item.sign], HANG)
    if planned.changes:
        yield Line(count_line(counts[ADD], counts[CHANGE], counts[REMOVE]), "bold")
    else:
        yield Line("The record says so already.")


def describe_change(change: RebuildChange) -> Iterator[Item]:
    """Yield what a change adds or changes."""
    match change:
        case MarkGroup(group):
            yield Item(CHANGE, "security group", f"{group.name}: marked with its new reservation port")
        case MarkFloatingIp(floating):
            leads = "" if floating.port_id else ", and associated with the VIP"
            yield Item(CHANGE, "floating IP", f"{floating.address}: marked with its new reservation port{leads}")
        case AdoptPort(port):
            yield Item(CHANGE, "port", f"{port.name or port.id}: marked as the reservation, with the record")
        case ReserveVip() | UpdateRecord():
            yield from describe(change, {})
        case _:
            assert_never(change)


def show_rebuild_explanation(planned: RebuiltRecord, output: Output) -> int:
    """Print a script that does the same by hand."""
    for line in explain_record(planned):
        output.verbatim(line)
    return 0


def explain_record(planned: RebuiltRecord) -> Iterator[str]:
    """Yield the script; nothing in it depends on haos."""
    yield "#!/bin/sh"
    yield comment(f"What haos would write for the record of pair {planned.pair.name}, by hand.")
    if not planned.changes:
        yield comment("Nothing: it says all of that already.")
        return
    yield "set -e"
    if planned.reservation is not None:
        yield f"{PORT.name}={command(planned.reservation.id)}"
    for change in planned.changes:
        yield from _by_hand(change, planned)
    yield comment(f"Then what else is not as recorded: haos repair {planned.pair.name} --explain")


def _by_hand(change: RebuildChange, planned: RebuiltRecord) -> Iterator[str]:
    match change:
        case ReserveVip(reservation):
            yield comment("The reservation port, made anew.")
            yield reserve(reservation)
        case AdoptPort(_, _, _, device_id, description):
            yield comment("The port that has the VIP becomes the reservation again.")
            marks = ("--device-owner", RESERVATION_OWNER, "--device", device_id, "--description", description)
            yield command("openstack", "port", "set", *marks, PORT)
        case UpdateRecord(_, description):
            yield comment("The record.")
            yield command("openstack", "port", "set", "--description", description, PORT)
        case MarkGroup(group):
            yield comment(f"Security group {group.name} is the pair's by its description.")
            mark = Variable(PORT.name, group_mark(""))
            yield command("openstack", "security", "group", "set", "--description", mark, group.id)
        case MarkFloatingIp(floating):
            yield comment(f"Floating IP {floating.address} is the pair's by its description.")
            mark = Variable(PORT.name, floating_mark(""))
            to: tuple[Word, ...] = ("--port", PORT, "--fixed-ip-address", str(planned.pair.vip))
            leads = () if floating.port_id else to
            yield command("openstack", "floating", "ip", "set", "--description", mark, *leads, floating.id)
        case _:
            assert_never(change)
