"""`haos repair --explain`: a pair brought back to its record by hand."""

from __future__ import annotations

from collections.abc import Iterator

from haos.core.keepalived import weight_path
from haos.core.repair import DropWeight, EnablePort, EndTest, Mend, TrustKey, UndoFault
from haos.view.console import Output
from haos.view.explain import Logins, by_hand, explain, on_node, variables
from haos.view.script import command, comment
from haos.workflow.cloud_side import SIDES
from haos.workflow.repair_plan import RepairPlan


def show_repair_explanation(prepared: RepairPlan, output: Output, logins: Logins) -> int:
    """Print the script."""
    for line in explain_repair(prepared, logins):
        output.verbatim(line)
    return 0


def explain_repair(prepared: RepairPlan, logins: Logins) -> Iterator[str]:
    """Yield a script that does what the plan says; what cannot be repaired stands in it as comments."""
    lines = explain(prepared.after, prepared.seen, logins)
    yield next(lines)  # which shell it is for
    yield next(lines)  # and what it is
    for trouble in prepared.beyond:
        yield comment(f"Not for haos to repair: {trouble}. {trouble.remedy or ''}".rstrip())
    yield from variables(prepared.seen) if prepared.before else ()
    for change in prepared.before.changes:
        yield from by_hand(change, prepared.before, prepared.seen.facts, logins)
    for opening in prepared.openings:
        yield from _by_hand(opening, prepared, logins)
    if prepared.openings:
        yield comment("Then look again: what else is wrong could not be seen before.")
    if prepared.after or not prepared.steps:
        yield from lines
    for weight in prepared.weights:
        yield from _by_hand(weight, prepared, logins)


def _by_hand(step: Mend, prepared: RepairPlan, logins: Logins) -> Iterator[str]:
    reservation = prepared.examined.view.reservation
    match step:
        case UndoFault(intent, node, port):
            yield comment(f"Fault {intent.fault} on {node}, which a failover test has announced.")
            if port is not None:
                yield command(*SIDES[intent.fault].by_hand(port))
            yield command("openstack", "port", "unset", "--tag", intent.tag, reservation.id)
        case EnablePort(node, port_id):
            yield comment(f"{node}'s port is administratively down.")
            yield command("openstack", "port", "set", "--enable", port_id)
        case TrustKey(node, fingerprints):
            yield comment(f"{node} was rebuilt. Its console log shows {' and '.join(fingerprints)}:")
            yield comment("log in to it once, compare, and let haos repair keep that key.")
            instance = next(one.instance for one in prepared.place.nodes if one.name == node)
            yield command("openstack", "console", "log", "show", instance.id)
        case EndTest(node):
            yield comment(f"A failover test has left something on {node}: a healer, if there is one, undoes a fault.")
            yield on_node(logins[node], "sh", "-c", "[ ! -e /run/haos/heal ] || sh /run/haos/heal")
            yield on_node(logins[node], "systemctl", "stop", "haos-watch.service")
        case DropWeight(node):
            yield comment(f"A switchover was broken off: {node} counts as its priority says again.")
            yield on_node(logins[node], "rm", "-f", weight_path(prepared.pair.name))
