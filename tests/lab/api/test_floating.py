"""Floating IPs: what the world hears of them. All else is in tests/contract."""

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


def test_the_world_hears_of_it(demo: Client, public: str, reservation: str, world: IdleWorld) -> None:
    made = make(demo, public).body["floatingip"]
    assert made["floating_ip_address"] not in targets(world)
    path = f"/floatingips/{made['id']}"
    demo.neutron("PUT", path, {"floatingip": {"port_id": reservation}})
    assert targets(world)[made["floating_ip_address"]] == "10.200.51.10"
    demo.neutron("PUT", path, {"floatingip": {"port_id": None}})
    assert made["floating_ip_address"] not in targets(world)
    assert demo.neutron("DELETE", path).status == 204
    assert make(demo, public).body["floatingip"]["floating_ip_address"] == made["floating_ip_address"]


def test_it_outlives_its_port(demo: Client, public: str, reservation: str, world: IdleWorld) -> None:
    made = make(demo, public, port_id=reservation).body["floatingip"]
    assert targets(world)[made["floating_ip_address"]] == "10.200.51.10"
    assert demo.neutron("DELETE", f"/ports/{reservation}").status == 204
    assert IPv4Address(made["floating_ip_address"]) not in {item.floating for item in world.floating}
    assert demo.neutron("GET", f"/floatingips/{made['id']}").body["floatingip"]["port_id"] is None


def test_a_network_of_the_lab_with_and_without_the_router(demo: Client, login: Login, public: str) -> None:
    for router, status in ((False, 404), (True, 201)):
        wanted = {"name": f"net-{router}", "cidr": f"10.{int(router)}.0.0/24", "router": router}
        network = login("")("POST", "/lab/networks", wanted).body["network"]
        port = demo.neutron("POST", "/ports", {"port": {"network_id": network["id"]}}).body["port"]
        assert make(demo, public, port_id=port["id"]).status == status
