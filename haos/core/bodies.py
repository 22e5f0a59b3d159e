"""The JSON that Neutron is sent, as pure functions: what is sent and what is shown beforehand are one."""

from __future__ import annotations

from typing import Any

from haos.core.changes import PortAmendment, Reservation
from haos.core.model import RESERVATION_OWNER, Address, AddressPair, Network, Port, SecurityRule


def reservation_body(wanted: Reservation) -> dict[str, Any]:
    """Return the JSON that creates a reservation port: address, MAC, owner and record in one."""
    mac = {"mac_address": wanted.mac} if wanted.mac else {}
    return {
        "network_id": wanted.network_id,
        "fixed_ips": [{"subnet_id": wanted.subnet_id, "ip_address": str(wanted.address)}],
        **mac,
        "name": wanted.name,
        "device_owner": RESERVATION_OWNER,
        "device_id": wanted.device_id,
        "description": wanted.description,
        "security_groups": [],
    }


def floating_body(network_id: str, port_id: str, fixed: Address, description: str) -> dict[str, Any]:
    """Return the JSON that makes a floating IP: network, association and mark in one."""
    return {"floating_network_id": network_id, **association_body(port_id, fixed), "description": description}


def association_body(port_id: str, fixed: Address) -> dict[str, Any]:
    """Return the JSON that lets a floating IP lead to an address of a port."""
    return {"port_id": port_id, "fixed_ip_address": str(fixed)}


def rule_body(wanted: SecurityRule, group_id: str) -> dict[str, Any]:
    """Return the JSON that creates a rule."""
    body = {
        "security_group_id": group_id,
        "direction": wanted.direction,
        "ethertype": f"IPv{wanted.version}",
        "protocol": wanted.protocol,
        "port_range_min": wanted.port_min,
        "port_range_max": wanted.port_max,
        "remote_ip_prefix": str(wanted.remote_ip) if wanted.remote_ip else None,
        "remote_group_id": wanted.remote_group_id,
    }
    return {key: value for key, value in body.items() if value is not None}


def amended(port: Port, amendment: PortAmendment) -> dict[str, Any]:
    """Return what a PUT must carry: whole lists, others' entries as they are spelled; {} if nothing changes."""
    body: dict[str, Any] = {}
    gone = {_meaning(pair, port) for pair in amendment.remove_pairs}
    pairs = [pair for pair in port.pairs if _meaning(pair, port) not in gone]
    for pair in amendment.add_pairs:
        if _meaning(pair, port) not in {_meaning(have, port) for have in pairs}:
            pairs.append(pair)
    if tuple(pairs) != port.pairs:
        body["allowed_address_pairs"] = [_pair_body(pair) for pair in pairs]
    groups = [group for group in port.group_ids if group not in amendment.remove_groups]
    groups += [group for group in dict.fromkeys(amendment.add_groups) if group not in groups]
    if tuple(groups) != port.group_ids:
        body["security_groups"] = groups
    return body


def _meaning(pair: AddressPair, port: Port) -> tuple[Network, str]:
    """Return what a pair admits, however it is spelled; without a MAC it is the port's own."""
    return pair.network, (pair.mac_address or port.mac).lower()


def _pair_body(pair: AddressPair) -> dict[str, str]:
    mac = {"mac_address": pair.mac_address} if pair.mac_address else {}
    return {"ip_address": pair.ip_address, **mac}
