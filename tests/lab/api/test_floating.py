"""Floating IPs: to whom they point, and what the world hears of it."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from haos.lab.model import IdleWorld
from tests.lab.api.conftest import FIRST_PORT, HA_LAB, Answer, Client, Login


@pytest.fixture
def public(demo: Client) -> str:
    (network,) = demo.neutron("GET", "/networks?router:external=true").body["networks"]
    return str(network["id"])


@pytest.fixture
def reservation(demo: Client) -> str:
    port = {"network_id": HA_LAB, "fixed_ips": [{"ip_address": "10.200.51.10"}], "device_owner": "haos:vip"}
    return str(demo.neutron("POST", "/ports", {"port": port}).body["port"]["id"])


def make(client: Client, network: str, **values: Any) -> Answer:
    return client.neutron("POST", "/floatingips", {"floatingip": {"floating_network_id": network, **values}})


def targets(world: IdleWorld) -> dict[str, str]:
    return {str(item.floating): str(item.fixed) for item in world.floating}


def test_the_howtos_floating_ips(demo: Client, world: IdleWorld) -> None:
    listed = demo.neutron("GET", f"/floatingips?port_id={FIRST_PORT}").body["floatingips"]
    assert [item["floating_ip_address"] for item in listed] == ["127.200.51.32"]
    assert targets(world)["127.200.51.33"] == "10.200.51.33"
    assert all(item.network_id == HA_LAB for item in world.floating)


def test_on_a_reservation_port(demo: Client, public: str, reservation: str, world: IdleWorld) -> None:
    made = make(demo, public, port_id=reservation).body["floatingip"]
    assert made["fixed_ip_address"] == "10.200.51.10"
    assert made["status"] == "ACTIVE"
    assert made["router_id"]
    assert targets(world)[made["floating_ip_address"]] == "10.200.51.10"
    second = make(demo, public, port_id=reservation)
    assert second.fault[:2] == (409, "FloatingIPPortAlreadyAssociated")
    assert "using fixed IP 10.200.51.10, as that fixed IP already has a floating IP" in second.fault[2]


def test_moved_and_taken_away(demo: Client, public: str, reservation: str, world: IdleWorld) -> None:
    made = make(demo, public).body["floatingip"]
    assert (made["port_id"], made["status"]) == (None, "DOWN")
    path = f"/floatingips/{made['id']}"
    moved = demo.neutron("PUT", path, {"floatingip": {"port_id": reservation}}).body["floatingip"]
    assert moved["revision_number"] == made["revision_number"] + 1
    assert made["floating_ip_address"] in targets(world)
    demo.neutron("PUT", path, {"floatingip": {"port_id": None}})
    assert made["floating_ip_address"] not in targets(world)
    assert demo.neutron("DELETE", path).status == 204
    assert demo.neutron("GET", path).fault[:2] == (404, "FloatingIPNotFound")
    assert make(demo, public).body["floatingip"]["floating_ip_address"] == made["floating_ip_address"]


def test_it_outlives_its_port(demo: Client, public: str, reservation: str, world: IdleWorld) -> None:
    made = make(demo, public, port_id=reservation).body["floatingip"]
    assert demo.neutron("DELETE", f"/ports/{reservation}").status == 204
    left = demo.neutron("GET", f"/floatingips/{made['id']}").body["floatingip"]
    assert (left["port_id"], left["fixed_ip_address"], left["status"]) == (None, None, "DOWN")
    assert IPv4Address(made["floating_ip_address"]) not in {item.floating for item in world.floating}


def test_no_router_no_floating_ip(demo: Client, login: Login, public: str) -> None:
    network = login("")("POST", "/lab/networks", {"name": "alone", "cidr": "10.9.0.0/24"}).body["network"]
    port = demo.neutron("POST", "/ports", {"port": {"network_id": network["id"]}}).body["port"]
    refused = make(demo, public, port_id=port["id"])
    assert refused.fault[:2] == (404, "ExternalGatewayForFloatingIPNotFound")
    joined = {"name": "joined", "cidr": "10.8.0.0/24", "router": True}
    network = login("")("POST", "/lab/networks", joined).body["network"]
    port = demo.neutron("POST", "/ports", {"port": {"network_id": network["id"]}}).body["port"]
    assert make(demo, public, port_id=port["id"]).status == 201


def test_refused(demo: Client, public: str, login: Login) -> None:
    assert make(demo, HA_LAB).fault[:2] == (400, "BadRequest")
    assert make(demo, public, port_id="nowhere").fault[:2] == (404, "PortNotFound")
    chosen = make(demo, public, floating_ip_address="127.200.51.77")
    rule = "(rule:create_floatingip and rule:create_floatingip:floating_ip_address)"
    assert chosen.fault == (403, "PolicyNotAuthorized", f"{rule} is disallowed by policy")
    assert make(login("admin"), public, floating_ip_address="127.200.51.77").status == 201
    assert make(login("other"), public, port_id=FIRST_PORT).status == 404
