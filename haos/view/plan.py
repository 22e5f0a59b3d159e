"""The plan, as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from haos.core import vrrp
from haos.core.changes import (
    Activate,
    AdmitVip,
    AdoptPort,
    Change,
    Configure,
    DismissVip,
    InstallKeepalived,
    MakeGroup,
    MendGroup,
    RemovePair,
    ReserveVip,
    UpdateRecord,
)
from haos.core.model import AddressPair, SecurityRule, vrid_of
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
    yield "Predicted outage, at most:"
    for one in vrrp.predict(pair):
        yield f"  {one.fault:<18} {one.bound_s:.3f} s  ({one.why})"


def describe(change: Change) -> Iterator[tuple[str, str, str]]:
    """Yield (sign, kind, detail) for each thing that a change adds (+) or changes (~)."""
    match change:
        case ReserveVip(reservation):
            yield "+", "port", f"{reservation.name}: {reservation.address}, MAC {reservation.mac}"
        case AdoptPort(port, vip, vrid):
            yield "~", "port", f"{port.name or port.id}: {vip}, adopted as reservation with VRID {vrid}"
        case UpdateRecord(port):
            yield "~", "port", f"{port.name or port.id}: the record"
        case MakeGroup(name, rules):
            yield "+", "security group", f"{name}: {_flows(rules)}, nothing else"
        case MendGroup(group, rules):
            yield "~", "security group", f"{group.name}: {_flows(rules)}, nothing else"
        case AdmitVip(node, port_id, pairs, group):
            gains = [f"allowed address pair {_shown(pair)}" for pair in pairs]
            gains += ["the security group"] if group else []
            yield "~", "port", f"{port_id} ({node}): + {', '.join(gains)}"
        case DismissVip(node, port_id, pairs):
            yield "~", "port", f"{port_id} ({node}): - {', '.join(_shown(pair) for pair in pairs)}"
        case RemovePair(node, previous):
            yield "~", "service", f"pair {previous.pair} leaves {node}, to come back in its new mode"
        case InstallKeepalived(node):
            yield "+", "package", f"keepalived on {node}"
        case Configure(node, config):
            for file in config.files:
                yield "+", "file", f"{file.path} on {node}"
            if config.include_line:
                yield "~", "file", f"/etc/keepalived/keepalived.conf on {node}: + one include line"
        case Activate(node):
            yield "~", "service", f"keepalived on {node}"


def _shown(pair: AddressPair) -> str:
    virtual = " with the virtual MAC" if vrid_of(pair.mac_address) else ""
    return f"{pair.ip_address}{virtual}"


def _flows(rules: tuple[SecurityRule, ...]) -> str:
    peers = ", ".join(dict.fromkeys(str(rule.remote_ip) for rule in rules))
    kinds = dict.fromkeys(f"UDP {rule.port_min}" if rule.port_min else f"protocol {rule.protocol}" for rule in rules)
    return f"{' and '.join(kinds)} to and from {peers}"


def _details(change: Change) -> Iterator[str]:
    match change:
        case ReserveVip(reservation):
            yield f"      POST /v2.0/ports  device_owner=haos:vip device_id={reservation.device_id}"
            yield f"      description={reservation.description!r}"
        case AdoptPort(port) | UpdateRecord(port):
            yield f"      PUT /v2.0/ports/{port.id}  description={change.description!r}"
        case MendGroup(group, rules):
            yield f"      POST and DELETE /v2.0/security-group-rules, up to {len(rules)} rules of {group.id}"
        case MakeGroup(name, rules):
            yield f"      POST /v2.0/security-groups  name={name}"
            yield f"      DELETE the default egress rules, POST /v2.0/security-group-rules  ({len(rules)} rules)"
        case AdmitVip(_, port_id) | DismissVip(_, port_id):
            yield f"      PUT /v2.0/ports/{port_id}  If-Match: revision_number=…"
        case Configure(_, config):
            for file in config.files:
                yield f"      --- {file.path} ({file.mode:04o})"
                yield from (f"      {line}" for line in file.text.splitlines())
