"""What the statements are made on: networks and ports, made through the ordinary API and removed again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.client import Answer, Client

CIDR, GATEWAY = "10.200.51.0/24", "10.200.51.1"
POOL = {"start": "10.200.51.32", "end": "10.200.51.254"}
NEUTRONS_OWN = ("network:dhcp", "network:distributed", "network:router_")
"""Owners of the ports that go with the network, or with the router's interface on it."""


@dataclass(frozen=True)
class Network:
    """A network with one IPv4 subnet, 10.200.51.0/24: gateway .1, pool .32 to .254; no router."""

    id: str
    subnet_id: str
    name: str


def unique(what: str) -> str:
    """Return a name that nobody else has."""
    return f"contract-{what}-{uuid.uuid4().hex[:12]}"


@contextmanager
def made_network(client: Client, admin: Client, **values: Any) -> Iterator[Network]:
    """Have a network and its subnet; both go at the end with everything on them. The values are the subnet's."""
    name = unique("network")
    made = client.neutron("POST", "/networks", {"network": {"name": name}})
    assert made.status == 201, made
    network_id = made.body["network"]["id"]
    try:
        usual = {"ip_version": 4, "cidr": CIDR, "gateway_ip": GATEWAY, "allocation_pools": [POOL]}
        subnet = {"network_id": network_id, "name": name, **(values or usual)}
        added = client.neutron("POST", "/subnets", {"subnet": subnet})
        assert added.status == 201, added
        yield Network(network_id, added.body["subnet"]["id"], name)
    finally:
        remove_network(admin, network_id)


def remove_network(admin: Client, network_id: str) -> None:
    """Remove a network with its ports, a router's included."""
    for port in admin.neutron("GET", f"/ports?network_id={network_id}").body["ports"]:
        if port["device_owner"].startswith("network:router_interface"):
            leave = f"/routers/{port['device_id']}/remove_router_interface"
            assert admin.neutron("PUT", leave, {"port_id": port["id"]}).status == 200
        elif not port["device_owner"].startswith(NEUTRONS_OWN):
            remove_port(admin, port["id"])
    removed = admin.neutron("DELETE", f"/networks/{network_id}")
    assert removed.status in (204, 404), removed


def remove_port(client: Client, port_id: str) -> None:
    """Delete a port; one that is gone already is fine."""
    removed = client.neutron("DELETE", f"/ports/{port_id}")
    assert removed.status in (204, 404), removed


def make_port(client: Client, network: Network, **values: Any) -> Answer:
    """Ask for a port on a network."""
    return client.neutron("POST", "/ports", {"port": {"network_id": network.id, **values}})


def get_port(client: Client, port_id: str) -> dict[str, Any]:
    """Return a port as it is now."""
    answer = client.neutron("GET", f"/ports/{port_id}")
    assert answer.status == 200, answer
    port: dict[str, Any] = answer.body["port"]
    return port


def put_port(client: Client, port_id: str, if_match: str = "", **values: Any) -> Answer:
    """Ask for a change of a port."""
    headers = {"If_Match": if_match} if if_match else {}
    return client.neutron("PUT", f"/ports/{port_id}", {"port": values}, **headers)


def addresses(answer: Answer) -> list[str]:
    """Return the fixed IPs of the port in an answer."""
    return [item["ip_address"] for item in answer.body["port"]["fixed_ips"]]
