"""Routers: their gateway on the external network, their interfaces, and in which order things go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import Network, make_port, unique
from tests.contract.things import Doc, Things, ask, get, listed, put

NOWHERE = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def router(member: Client, things: Things) -> Doc:
    return things.make(member, "routers", name=unique("router"))


@pytest.fixture(scope="module")
def bare(member: Client, module_things: Things) -> str:
    """The id of a router for tests that plug nothing into it."""
    return str(module_things.make(member, "routers", name=unique("router"))["id"])


def plug(client: Client, router_id: str, body: Any) -> Answer:
    return client.neutron("PUT", f"/routers/{router_id}/add_router_interface", body)


def unplug(client: Client, router_id: str, **body: str) -> Answer:
    return client.neutron("PUT", f"/routers/{router_id}/remove_router_interface", body)


def test_born_with_these_values(member: Client, router: Doc) -> None:
    expected = {
        "project_id": member.project_id,
        "status": "ACTIVE",
        "admin_state_up": True,
        "external_gateway_info": None,
        "routes": [],
        "revision_number": 1,
    }
    assert {key: router.get(key, "missing") for key in expected} == expected
    for query in (f"name={router['name']}", f"id={router['id']}&id=nowhere"):
        assert listed(member, "routers", query) == [get(member, "routers", router["id"])]


def test_a_gateway_comes_and_goes(member: Client, things: Things, public: str) -> None:
    router = things.make(member, "routers", name=unique("router"), external_gateway_info={"network_id": public})
    info = router["external_gateway_info"]
    [fixed] = info["external_fixed_ips"]
    [subnet] = listed(member, "subnets", f"network_id={public}")
    assert (info["network_id"], info["enable_snat"], fixed["subnet_id"]) == (public, True, subnet["id"])
    same = put(member, "routers", router["id"], external_gateway_info={"network_id": public}).body["router"]
    assert (same["external_gateway_info"], same["revision_number"]) == (info, router["revision_number"])
    without = put(member, "routers", router["id"], external_gateway_info={}).body["router"]
    assert without["external_gateway_info"] is None
    assert without["revision_number"] > router["revision_number"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"nonsense": 1}, (400, "HTTPBadRequest", "Unrecognized attribute(s) 'nonsense'")),
        ({"admin_state_up": "x"}, (400, "InvalidInput", "'x' cannot be converted to boolean.")),
        ({"external_gateway_info": {"network_id": "x"}}, (400, "HTTPBadRequest", "'x' is not a valid UUID.")),
        ({"external_gateway_info": {"network_id": NOWHERE}}, (404, "NetworkNotFound", "could not be found.")),
        ({"ha": True}, (403, "PolicyNotAuthorized", "(rule:create_router and rule:create_router:ha)")),
    ],
)
def test_refused(member: Client, values: Doc, fault: tuple[int, str, str]) -> None:
    refused = ask(member, "routers", **values).fault
    assert refused[:2] == fault[:2]
    assert fault[2] in refused[2]


def test_only_admins_choose_more_of_a_gateway_than_its_network(member: Client, public: str) -> None:
    rule = "rule:create_router:external_gateway_info"
    text = f"(rule:create_router and ({rule} and ({rule}:network_id and {rule}:enable_snat)))"
    refused = ask(member, "routers", external_gateway_info={"network_id": public, "enable_snat": False}).fault
    assert refused == (403, "PolicyNotAuthorized", f"{text} is disallowed by policy")


def test_a_gateway_is_on_an_external_network(member: Client, network: Network, bare: str) -> None:
    refused = put(member, "routers", bare, external_gateway_info={"network_id": network.id}).fault
    text = f"Bad router request: Network {network.id} is not an external network."
    assert refused == (400, "BadRequest", text)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, (400, "BadRequest", "Bad router request: Either subnet_id or port_id must be specified.")),
        ({"nonsense": 1}, (400, "BadRequest", "Bad router request: Either subnet_id or port_id must be specified.")),
        ({"subnet_id": "x"}, (400, "BadRequest", "Bad router request: 'x' is not a valid UUID.")),
        (
            {"subnet_id": NOWHERE, "port_id": NOWHERE},
            (400, "BadRequest", "Bad router request: Cannot specify both subnet-id and port-id."),
        ),
        ({"subnet_id": NOWHERE}, (404, "SubnetNotFound", f"Subnet {NOWHERE} could not be found.")),
        ({"port_id": NOWHERE}, (404, "PortNotFound", f"Port {NOWHERE} could not be found.")),
    ],
)
def test_refused_interfaces(member: Client, bare: str, body: Doc, fault: tuple[int, str, str]) -> None:
    assert plug(member, bare, body).fault == fault


def test_an_interface_has_the_gateways_address(member: Client, things: Things, router: Doc) -> None:
    network = things.network(member, {"cidr": "10.77.0.0/24"})
    [subnet_id] = network["subnets"]
    answer = things.plug(member, router["id"], subnet_id=subnet_id)
    port = get(member, "ports", answer.body["port_id"])
    assert answer.body == {
        "id": router["id"],
        "tenant_id": member.project_id,
        "port_id": port["id"],
        "network_id": network["id"],
        "subnet_id": subnet_id,
        "subnet_ids": [subnet_id],
    }
    assert (port["device_id"], port["device_owner"]) == (router["id"], "network:router_interface")
    assert port["fixed_ips"] == [{"subnet_id": subnet_id, "ip_address": "10.77.0.1"}]
    assert (port["security_groups"], port["port_security_enabled"]) == ([], False)
    assert get(member, "routers", router["id"])["revision_number"] == router["revision_number"] + 1


def test_what_an_interface_keeps_from_going(member: Client, things: Things, router: Doc) -> None:
    network = things.network(member, {"cidr": "10.77.0.0/24"})
    [subnet_id] = network["subnets"]
    port_id = things.plug(member, router["id"], subnet_id=subnet_id).body["port_id"]

    def refused(path: str) -> tuple[int, str, str]:
        return member.neutron("DELETE", path).fault

    owner = "has device owner network:router_interface"
    text = f"Port {port_id} cannot be deleted directly via the port API: {owner}."
    assert refused(f"/ports/{port_id}") == (409, "ServicePortInUse", text)
    text = f"Router {router['id']} has ports still attached: {port_id}"
    assert refused(f"/routers/{router['id']}") == (409, "RouterInUse", text)
    assert refused(f"/subnets/{subnet_id}")[:2] == (409, "SubnetInUse")
    assert refused(f"/networks/{network['id']}")[:2] == (409, "NetworkInUse")
    text = f"Current gateway ip 10.77.0.1 already in use by port {port_id}. Unable to update."
    assert put(member, "subnets", subnet_id, gateway_ip=None).fault == (409, "GatewayIpInUse", text)


def test_no_address_twice_behind_one_router(member: Client, things: Things, router: Doc) -> None:
    one, two = (things.network(member, {"cidr": cidr})["subnets"][0] for cidr in ("10.77.0.0/24", "10.77.0.128/25"))
    assert things.plug(member, router["id"], subnet_id=one).status == 200
    for subnet_id, cidr in ((one, "10.77.0.0/24"), (two, "10.77.0.128/25")):
        there = f"overlaps with cidr 10.77.0.0/24 of subnet {one}"
        text = f"Bad router request: Cidr {cidr} of subnet {subnet_id} {there}."
        assert plug(member, router["id"], {"subnet_id": subnet_id}).fault == (400, "BadRequest", text)


def test_a_port_of_ones_own_as_interface(member: Client, things: Things, router: Doc) -> None:
    network = things.network(member, {"cidr": "10.78.0.0/24", "gateway_ip": None})
    [subnet_id] = network["subnets"]
    text = "Bad router request: Subnet for router interface must have a gateway IP."
    assert plug(member, router["id"], {"subnet_id": subnet_id}).fault == (400, "BadRequest", text)
    place = Network(network["id"], subnet_id, network["name"])
    empty = make_port(member, place, fixed_ips=[]).body["port"]["id"]
    text = "Bad router request: Router port must have at least one fixed IP."
    assert plug(member, router["id"], {"port_id": empty}).fault == (400, "BadRequest", text)
    port = make_port(member, place).body["port"]
    assert things.plug(member, router["id"], port_id=port["id"]).status == 200
    text = f"Unable to complete operation on port {port['id']} for network {network['id']}."
    text = f"{text} Port already has an attached device {router['id']}."
    assert plug(member, router["id"], {"port_id": port["id"]}).fault == (409, "PortInUse", text)
    assert unplug(member, router["id"], port_id=port["id"]).status == 200
    assert member.neutron("GET", f"/ports/{port['id']}").fault[:2] == (404, "PortNotFound")


def test_taken_out_and_gone(member: Client, things: Things, router: Doc) -> None:
    [subnet_id] = things.network(member, {"cidr": "10.77.0.0/24"})["subnets"]
    router_id = router["id"]
    plugged = things.plug(member, router_id, subnet_id=subnet_id).body
    text = f"Router {router_id} does not have an interface with id {NOWHERE}"
    assert unplug(member, router_id, port_id=NOWHERE).fault == (404, "RouterInterfaceNotFound", text)
    text = f"Subnet on port {plugged['port_id']} does not match the requested subnet {NOWHERE}."
    wrong = {"port_id": plugged["port_id"], "subnet_id": NOWHERE}
    assert unplug(member, router_id, **wrong).fault == (400, "SubnetMismatchForPort", text)
    assert unplug(member, router_id, subnet_id=subnet_id).body == plugged
    text = f"Router {router_id} has no interface on subnet {subnet_id}"
    assert unplug(member, router_id, subnet_id=subnet_id).fault == (404, "RouterInterfaceNotFoundForSubnet", text)
    assert member.neutron("DELETE", f"/routers/{router_id}").status == 204
    text = f"Router {router_id} could not be found"
    assert member.neutron("DELETE", f"/routers/{router_id}").fault == (404, "RouterNotFound", text)
    assert plug(member, router_id, {"subnet_id": subnet_id}).fault == (404, "RouterNotFound", text)


def test_a_router_is_its_projects_own(reader: Client, other: Client, bare: str) -> None:
    for client, status in ((other, 404), (reader, 403)):
        assert put(client, "routers", bare, name="x").status == status
        assert plug(client, bare, {"subnet_id": NOWHERE}).status == status
        assert client.neutron("DELETE", f"/routers/{bare}").status == status
    assert get(reader, "routers", bare)["id"] == bare
