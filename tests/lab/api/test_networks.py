"""The howto's networks and router, and what the switches hear of others. All else is in tests/contract."""

from __future__ import annotations

from haos.lab.model import IdleWorld, PortKind
from tests.lab.api.conftest import HA_LAB, SUBNET, Client, Login


def test_the_howtos_network(demo: Client) -> None:
    shown = demo.neutron("GET", f"/subnets/{SUBNET}").body["subnet"]
    assert shown["name"] == "ha_lab"
    assert shown["cidr"] == "10.200.51.0/24"
    assert shown["allocation_pools"] == [{"start": "10.200.51.32", "end": "10.200.51.254"}]
    assert shown["gateway_ip"] == "10.200.51.1"
    assert shown["dns_nameservers"] == ["8.8.4.4", "8.8.8.8"]
    owner = demo.neutron("GET", f"/networks/{HA_LAB}").body["network"]
    assert owner["subnets"] == [SUBNET]
    assert owner["project_id"] == demo.project_id == "26cfbd9d4ee64d8faecd287bb39d3870"


def test_which_networks_one_sees(demo: Client, login: Login) -> None:
    def names(client: Client) -> set[str]:
        return {item["name"] for item in client.neutron("GET", "/networks").body["networks"]}

    assert names(demo) == {"ha_lab", "public", "shared_lab"}
    assert names(login("other")) == {"public", "shared_lab"}


def test_the_labs_router(demo: Client) -> None:
    (router,) = demo.neutron("GET", "/routers").body["routers"]
    assert router["name"] == "lab-router"
    assert router["external_gateway_info"]["external_fixed_ips"]
    assert demo.neutron("DELETE", f"/routers/{router['id']}").fault[:2] == (409, "RouterInUse")


def test_an_interface_is_plugged_into_the_switch(demo: Client, world: IdleWorld) -> None:
    network = demo.neutron("POST", "/networks", {"network": {}}).body["network"]
    body = {"network_id": network["id"], "ip_version": 4, "cidr": "10.77.0.0/24"}
    subnet = demo.neutron("POST", "/subnets", {"subnet": body}).body["subnet"]
    router = demo.neutron("POST", "/routers", {"router": {}}).body["router"]

    def legs() -> list[tuple[PortKind, str]]:
        ports = world.fabric.ports if world.fabric else ()
        return [(port.kind, str(port.addresses[0])) for port in ports if port.network_id == network["id"]]

    path = f"/routers/{router['id']}"
    assert demo.neutron("PUT", f"{path}/add_router_interface", {"subnet_id": subnet["id"]}).status == 200
    assert legs() == [(PortKind.ROUTER, "10.77.0.1/24")]
    assert demo.neutron("PUT", f"{path}/remove_router_interface", {"subnet_id": subnet["id"]}).status == 200
    assert legs() == []
