"""The plan, as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from haos.core import vrrp
from haos.core.changes import Activate, AdmitVip, Change, Configure, InstallKeepalived, MakeGroup, ReserveVip
from haos.core.plan import Plan
from haos.view.console import Output
from haos.workflow.create import Prepared


def show_plan(prepared: Prepared, output: Output, *, verbose: bool) -> None:
    """Print what create is going to do, and the outage that the configuration predicts."""
    for finding in prepared.warnings:
        output.hint(f"warning: {finding.reason}" + (f" ({finding.remedy})" if finding.remedy else ""))
    for line in plan_lines(prepared.plan, verbose=verbose):
        output.line(line)


def plan_lines(plan: Plan, *, verbose: bool = False) -> Iterator[str]:
    """Yield the lines of the plan."""
    pair, desired = plan.desired.pair, plan.desired
    yield f"Pair {pair.name}: VIP {pair.vip} on {desired.network.name} ({desired.subnet.cidr}), VRID {pair.vrid}"
    if not plan:
        yield "Nothing to change."
        return
    counts = {"+": 0, "~": 0}
    for change in plan.changes:
        for sign, what, detail in describe(change):
            counts[sign] += 1
            yield f"  {sign} {what:<16} {detail}"
        if verbose:
            yield from _details(change)
    yield f"Plan: {counts['+']} to add, {counts['~']} to change."
    backups = [member.priority for member in pair.members[1:]]
    stop_s, crash_s = vrrp.bound_of_clean_stop_s(pair.timing, backups), vrrp.bound_of_crash_s(pair.timing, backups)
    yield f"Predicted outage: clean stop at most {stop_s:.3f} s, crash at most {crash_s:.2f} s (RFC 9568 timers)."


def describe(change: Change) -> Iterator[tuple[str, str, str]]:
    """Yield (sign, kind, detail) for each thing that a change adds (+) or changes (~)."""
    match change:
        case ReserveVip(reservation):
            yield "+", "port", f"{reservation.name}: {reservation.address}, MAC {reservation.mac}"
        case MakeGroup(name, rules):
            peers = ", ".join(dict.fromkeys(str(rule.remote_ip) for rule in rules))
            yield "+", "security group", f"{name}: protocol 112 to and from {peers}, nothing else"
        case AdmitVip(node, port_id, pair, group):
            gains = [f"allowed address pair {pair.ip_address}"] * bool(pair) if pair else []
            gains += ["the security group"] if group else []
            yield "~", "port", f"{port_id} ({node}): + {', '.join(gains)}"
        case InstallKeepalived(node):
            yield "+", "package", f"keepalived on {node}"
        case Configure(node, config):
            for file in config.files:
                yield "+", "file", f"{file.path} on {node}"
            if config.include_line:
                yield "~", "file", f"/etc/keepalived/keepalived.conf on {node}: + one include line"
        case Activate(node):
            yield "~", "service", f"keepalived on {node}"


def _details(change: Change) -> Iterator[str]:
    match change:
        case ReserveVip(reservation):
            yield f"      POST /v2.0/ports  device_owner=haos:vip device_id={reservation.device_id}"
            yield f"      description={reservation.description!r}"
        case MakeGroup(name, rules):
            yield f"      POST /v2.0/security-groups  name={name}"
            yield f"      DELETE the default egress rules, POST /v2.0/security-group-rules  ({len(rules)} rules)"
        case AdmitVip(_, port_id, _, _):
            yield f"      PUT /v2.0/ports/{port_id}  If-Match: revision_number=…"
        case Configure(_, config):
            for file in config.files:
                yield f"      --- {file.path} ({file.mode:04o})"
                yield from (f"      {line}" for line in file.text.splitlines())
