"""The exact requests to Neutron that a plan comes to, beforehand: the bodies are made by what will send them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

from haos.core.bodies import amended, association_body, floating_body, reservation_body, rule_body
from haos.core.changes import (
    Activate,
    AdmitVip,
    AdoptPort,
    Change,
    Configure,
    DismissVip,
    InstallKeepalived,
    LeavePair,
    MakeFloatingIp,
    MakeGroup,
    MendGroup,
    PortAmendment,
    RemovePair,
    ReserveVip,
    TakeFloatingIp,
    UpdateRecord,
)
from haos.core.model import RESERVATION_OWNER, AddressPair, Port, SecurityRule
from haos.core.names import floating_mark, group_mark
from haos.core.plan import Plan, Seen
from haos.core.security import rule_changes

NEW_PORT, NEW_GROUP = "RESERVATION_PORT_ID", "SECURITY_GROUP_ID"
"""Stand for what Neutron will choose."""
DEFAULT_RULE = "DEFAULT_RULE_ID"


@dataclass(frozen=True)
class Call:
    """A request."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    if_match: int | None = None

    def lines(self) -> Iterator[str]:
        """Yield it as text, the body as JSON."""
        guard = "" if self.if_match is None else f"  If-Match: revision_number={self.if_match}"
        yield f"{self.method} {self.path}{guard}"
        if self.body is not None:
            yield from json.dumps(self.body, indent=2).splitlines()


class Requests:
    """Goes through a plan's changes in their order; a later change of a port builds on the earlier ones."""

    def __init__(self, plan: Plan, seen: Seen) -> None:
        self.ports: dict[str, Port] = {node.port.id: node.port for node in plan.desired.nodes}
        self.port_id = seen.reservation.id if seen.reservation else NEW_PORT
        self.group_id = seen.group.id if seen.group else NEW_GROUP

    def of(self, change: Change) -> Iterator[Call]:
        """Yield the requests of the next change."""
        match change:
            case ReserveVip(reservation):
                yield Call("POST", "/v2.0/ports", {"port": reservation_body(reservation)})
            case AdoptPort(port):
                marks = {"device_owner": RESERVATION_OWNER, "device_id": change.device_id}
                body = {**marks, "description": change.description}
                yield Call("PUT", f"/v2.0/ports/{port.id}", {"port": body}, port.revision)
            case UpdateRecord(port, description):
                yield Call("PUT", f"/v2.0/ports/{port.id}", {"port": {"description": description}}, port.revision)
            case MakeGroup(name, rules):
                group = {"name": name, "description": group_mark(self.port_id)}
                yield Call("POST", "/v2.0/security-groups", {"security_group": group})
                yield self._rules(rules)
                yield Call("DELETE", f"/v2.0/security-group-rules/{DEFAULT_RULE}  (each rule that it is born with)")
            case MendGroup(group, rules):
                _, missing, unwanted = rule_changes(group.rules, rules)
                if missing:
                    yield self._rules(missing)
                yield from (Call("DELETE", f"/v2.0/security-group-rules/{rule.id}") for rule in unwanted)
            case AdmitVip(_, port_id, pairs, group):
                gains = PortAmendment(add_pairs=pairs, add_groups=(self.group_id,) if group else ())
                yield from self._amend(port_id, gains)
            case MakeFloatingIp(network_id, _, vip):
                made = floating_body(network_id, self.port_id, vip, floating_mark(self.port_id))
                yield Call("POST", "/v2.0/floatingips", {"floatingip": made})
            case TakeFloatingIp(floating, vip):
                taken = {"floatingip": association_body(self.port_id, vip)}
                yield Call("PUT", f"/v2.0/floatingips/{floating.id}", taken, floating.revision)
            case DismissVip(_, port_id, pairs, groups):
                yield from self._amend(port_id, PortAmendment(remove_pairs=pairs, remove_groups=groups))
            case InstallKeepalived() | RemovePair() | LeavePair() | Configure() | Activate():
                return
            case _:
                assert_never(change)

    def _rules(self, rules: tuple[SecurityRule, ...]) -> Call:
        bodies = [rule_body(rule, self.group_id) for rule in rules]
        return Call("POST", "/v2.0/security-group-rules", {"security_group_rules": bodies})

    def _amend(self, port_id: str, amendment: PortAmendment) -> Iterator[Call]:
        port = self.ports[port_id]
        body = amended(port, amendment)
        if not body:
            return
        yield Call("PUT", f"/v2.0/ports/{port_id}", {"port": body}, port.revision)
        self.ports[port_id] = _after(port, body)


def _after(port: Port, body: Mapping[str, Any]) -> Port:
    # The revision after a change is Neutron's to say.
    if "allowed_address_pairs" in body:
        pairs = (
            AddressPair(pair["ip_address"], pair.get("mac_address", "")) for pair in body["allowed_address_pairs"]
        )
        port = replace(port, pairs=tuple(pairs))
    return replace(port, group_ids=tuple(body.get("security_groups", port.group_ids)), revision=None)
