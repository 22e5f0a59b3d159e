"""From the store to what the switches shall do: pure functions, remote groups resolved to addresses."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from itertools import count

from haos.lab.api import protocols
from haos.lab.api.attributes import plain_mac
from haos.lab.api.routing import Doc
from haos.lab.api.store import Store
from haos.lab.model import (
    AddressPair,
    Direction,
    Fabric,
    FabricKind,
    FabricPort,
    FloatingAddress,
    Interface,
    Network,
    Nic,
    PortKind,
    Rule,
)

OUTSIDE_OWNERS = ("network:router_gateway", "network:floatingip")  # beyond the router: not on a lab switch
DEVICE = "ens"
FIRST_SLOT = 3  # ens3, as PCI slots number the first card of a QEMU guest


def fabric(store: Store, kind: FabricKind) -> Fabric:
    """Return the whole desired state of the switches."""
    with store.lock:
        members = _members(store)
        ports = [port for port in store.all("ports") if port["device_owner"] not in OUTSIDE_OWNERS]
        return Fabric(kind, tuple(_fabric_port(store, port, members) for port in ports))


def floating_addresses(store: Store) -> tuple[FloatingAddress, ...]:
    """Return every floating IP that stands for an address inside."""
    with store.lock:
        found = []
        for doc in store.all("floatingips"):
            port = store.get("ports", doc["port_id"]) if doc["port_id"] else None
            if port is not None:
                floating, fixed = IPv4Address(doc["floating_ip_address"]), IPv4Address(doc["fixed_ip_address"])
                found.append(FloatingAddress(floating, fixed, port["network_id"]))
        return tuple(found)


def nics(store: Store, server_id: str) -> tuple[Nic, ...]:
    """Return the network cards of a server; those that were there before others came or went keep their names."""
    with store.lock:
        slots: dict[str, int] = (store.get("servers", server_id) or {}).get("_slots", {})
        free = (slot for slot in count(FIRST_SLOT) if slot not in slots.values())
        ports = store.where("ports", device_id=server_id)
        return tuple(_nic(store, port, slots.get(port["id"]) or next(free)) for port in ports)


def slots(nics: Iterable[Nic]) -> dict[str, int]:
    """Return where the cards sit, by port id."""
    return {nic.port_id: int(nic.device.removeprefix(DEVICE)) for nic in nics}


def _nic(store: Store, port: Doc, slot: int) -> Nic:
    network = store.get("networks", port["network_id"]) or {}
    gateways = []
    for item in port["fixed_ips"]:
        subnet = store.get("subnets", item["subnet_id"])
        if subnet is not None and subnet["gateway_ip"]:
            gateways.append(ip_address(subnet["gateway_ip"]))
    return Nic(
        port_id=port["id"],
        network_id=port["network_id"],
        device=f"{DEVICE}{slot}",
        mac=plain_mac(port["mac_address"]),
        addresses=_interfaces(store, port),
        gateways=tuple(gateways),
        mtu=network.get("mtu", 1500),
    )


def _interfaces(store: Store, port: Doc) -> tuple[Interface, ...]:
    found = []
    for item in port["fixed_ips"]:
        subnet = store.get("subnets", item["subnet_id"])
        if subnet is not None:
            length = ip_network(subnet["cidr"]).prefixlen
            found.append(ip_interface(f"{item['ip_address']}/{length}"))
    return tuple(found)


def _fabric_port(store: Store, port: Doc, members: dict[str, tuple[Network, ...]]) -> FabricPort:
    kind = _kind(store, port)
    pairs = tuple(
        AddressPair(
            ip=ip_network(pair["ip_address"], strict=False),
            mac=plain_mac(pair["mac_address"]),
            order=port["_pair_order"],
        )
        for pair in port["allowed_address_pairs"]
    )
    return FabricPort(
        id=port["id"],
        network_id=port["network_id"],
        kind=kind,
        mac=plain_mac(port["mac_address"]),
        addresses=_interfaces(store, port),
        owner=port["device_id"] if kind is PortKind.INSTANCE else "",
        admin_up=port["admin_state_up"],
        port_security=port["port_security_enabled"],
        pairs=pairs,
        rules=tuple(_rules(store, port["security_groups"], members)),
    )


def _kind(store: Store, port: Doc) -> PortKind:
    if port["device_owner"] == "network:router_interface":
        return PortKind.ROUTER
    bound = port["device_owner"].startswith("compute:") and store.get("servers", port["device_id"])
    return PortKind.INSTANCE if bound else PortKind.NONE


def _members(store: Store) -> dict[str, tuple[Network, ...]]:
    """Return each group's addresses: those of its ports and of their pairs, as the OVS firewall counts them."""
    found: dict[str, list[Network]] = {}
    for port in store.all("ports"):
        texts = [item["ip_address"] for item in (*port["fixed_ips"], *port["allowed_address_pairs"])]
        for group in port["security_groups"]:
            found.setdefault(group, []).extend(ip_network(text, strict=False) for text in texts)
    return {group: tuple(dict.fromkeys(addresses)) for group, addresses in found.items()}


def _rules(store: Store, groups: Iterable[str], members: dict[str, tuple[Network, ...]]) -> Iterable[Rule]:
    for group in groups:
        for rule in store.where("security_group_rules", security_group_id=group):
            version = 4 if rule["ethertype"] == "IPv4" else 6
            yield Rule(
                direction=Direction(rule["direction"]),
                version=version,
                protocol=protocols.number(rule["protocol"]),
                port_min=rule["port_range_min"],
                port_max=rule["port_range_max"],
                remotes=_remotes(rule, version, members),
            )


def _remotes(rule: Doc, version: int, members: dict[str, tuple[Network, ...]]) -> tuple[Network, ...] | None:
    if rule["remote_group_id"]:
        addresses = members.get(rule["remote_group_id"], ())
        return tuple(address for address in addresses if address.version == version)
    if rule["remote_ip_prefix"]:
        return (ip_network(rule["remote_ip_prefix"], strict=False),)
    return None
