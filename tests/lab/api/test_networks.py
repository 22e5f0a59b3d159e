"""Networks, subnets, routers and Neutron's own discovery."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.api.conftest import HA_LAB, SUBNET, Answer, Client, Login


@pytest.fixture
def network(demo: Client) -> str:
    answer = demo.neutron("POST", "/networks", {"network": {"name": "n"}})
    assert answer.status == 201
    return str(answer.body["network"]["id"])


def subnet(client: Client, network: str, **values: Any) -> Answer:
    body = {"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24", **values}
    return client.neutron("POST", "/subnets", {"subnet": body})


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
    (public,) = demo.neutron("GET", "/networks?name=public").body["networks"]
    assert demo.neutron("GET", f"/subnets?network_id={public['id']}").body["subnets"] == []


def test_subnets_get_neutrons_defaults(demo: Client, network: str) -> None:
    made = subnet(demo, network).body["subnet"]
    assert made["gateway_ip"] == "10.9.0.1"
    assert made["allocation_pools"] == [{"start": "10.9.0.2", "end": "10.9.0.254"}]
    six = subnet(demo, network, ip_version=6, cidr="2001:db8::/64").body["subnet"]
    assert six["gateway_ip"] == "2001:db8::1"


@pytest.mark.parametrize(
    ("values", "status", "kind"),
    [
        ({"cidr": "x"}, 400, "HTTPBadRequest"),
        ({"ip_version": 6}, 400, "InvalidInput"),
        ({"gateway_ip": "x"}, 400, "HTTPBadRequest"),
        ({"allocation_pools": [{"start": "10.9.0.1", "end": "10.9.0.9"}]}, 409, "GatewayConflictWithAllocationPools"),
        ({"allocation_pools": [{"start": "10.8.0.2", "end": "10.9.0.9"}]}, 400, "OutOfBoundsAllocationPool"),
        ({"allocation_pools": [{"start": "10.9.0.9", "end": "10.9.0.2"}]}, 400, "InvalidAllocationPool"),
        ({"ipv6_address_mode": "slaac"}, 400, "InvalidInput"),
    ],
)
def test_refused_subnets(demo: Client, network: str, values: dict[str, Any], status: int, kind: str) -> None:
    assert subnet(demo, network, **values).fault[:2] == (status, kind)


def test_overlaps_and_others_networks(demo: Client, login: Login, network: str) -> None:
    assert subnet(demo, network).status == 201
    assert subnet(demo, network, cidr="10.9.0.128/25").fault[:2] == (400, "InvalidInput")
    (shared,) = demo.neutron("GET", "/networks?name=shared_lab").body["networks"]
    assert subnet(demo, shared["id"]).fault[:2] == (403, "PolicyNotAuthorized")
    assert subnet(login("other"), network).fault[:2] == (404, "NetworkNotFound")


def test_what_is_in_use_stays(demo: Client, network: str) -> None:
    subnet_id = subnet(demo, network).body["subnet"]["id"]
    port = demo.neutron("POST", "/ports", {"port": {"network_id": network}}).body["port"]
    assert demo.neutron("DELETE", f"/subnets/{subnet_id}").fault[:2] == (409, "SubnetInUse")
    assert demo.neutron("DELETE", f"/networks/{network}").fault[:2] == (409, "NetworkInUse")
    demo.neutron("DELETE", f"/ports/{port['id']}")
    assert demo.neutron("DELETE", f"/networks/{network}").status == 204
    assert demo.neutron("GET", f"/subnets/{subnet_id}").fault[:2] == (404, "SubnetNotFound")


def test_pools_can_be_changed(demo: Client) -> None:
    pools = [{"start": "10.200.51.100", "end": "10.200.51.110"}]
    changed = demo.neutron("PUT", f"/subnets/{SUBNET}", {"subnet": {"allocation_pools": pools}})
    assert changed.body["subnet"]["revision_number"] == 2
    port = demo.neutron("POST", "/ports", {"port": {"network_id": HA_LAB}}).body["port"]
    assert port["fixed_ips"][0]["ip_address"] == "10.200.51.100"


def test_discovery_and_extensions(demo: Client, login: Login) -> None:
    assert login("")("GET", "/network").body["versions"][0]["id"] == "v2.0"
    listed = demo.neutron("GET", "/extensions").body["extensions"]
    aliases = {item["alias"] for item in listed}
    wanted = {"allowed-address-pairs", "port-security", "revision-if-match", "standard-attr-tag", "dvr"}
    assert wanted <= aliases
    assert demo.neutron("GET", "/extensions/port-security").body["extension"]["alias"] == "port-security"
    assert demo.neutron("GET", "/extensions/nonsense").status == 404


def test_routers_are_shown(demo: Client) -> None:
    (router,) = demo.neutron("GET", "/routers").body["routers"]
    assert router["external_gateway_info"]["external_fixed_ips"]
    assert demo.neutron("GET", f"/routers/{router['id']}").body["router"]["name"] == "lab-router"
    assert demo.neutron("DELETE", f"/routers/{router['id']}").status == 405


def test_no_such_thing(demo: Client) -> None:
    assert demo.neutron("GET", "/nonsense").fault[:2] == (404, "HTTPNotFound")
