"""Floating IPs: where they point to, what moves them, and what they hold in place."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import Network, made_network, make_port, remove_port, unique
from tests.contract.side import Side
from tests.contract.things import Doc, Things, get, listed, put
from tests.contract.waiting import until

NOWHERE = "00000000-0000-0000-0000-000000000001"


@pytest.fixture(scope="module")
def joined(member: Client, admin: Client, network: Network, public: str, module_things: Things) -> str:
    """The id of the router between the module's network and the external one."""
    gateway = {"network_id": public}
    router = module_things.make(member, "routers", name=unique("router"), external_gateway_info=gateway)
    assert module_things.plug(member, router["id"], subnet_id=network.subnet_id).status == 200
    return str(router["id"])


@pytest.fixture
def reserved(member: Client, network: Network, joined: str) -> Doc:
    """A port that reserves an address, as haos makes them."""
    fixed_ips = [{"subnet_id": network.subnet_id}]
    values = {"device_owner": "haos:vip", "device_id": unique("pair"), "fixed_ips": fixed_ips}
    port: Doc = make_port(member, network, **values).body["port"]
    return port


@pytest.fixture
def here(things: Things, member: Client, public: str) -> Any:
    """Ask for a floating IP of the external network; it goes at the end."""

    def asked(client: Client = member, **values: Any) -> Answer:
        return things.ask(client, "floatingips", **{"floating_network_id": public, **values})

    return asked


def target(floating: Doc) -> tuple[Any, Any, Any]:
    return floating["port_id"], floating["fixed_ip_address"], floating["router_id"]


def test_born_pointing_nowhere(member: Client, public: str, here: Any) -> None:
    made = here(description="d").body["floatingip"]
    expected = {"description": "d", "status": "DOWN", "port_details": None, "revision_number": 0}
    assert {key: made[key] for key in expected} == expected
    assert target(made) == (None, None, None)
    assert made["project_id"] == member.project_id
    assert made["floating_network_id"] == public


def test_on_a_reservation_port(member: Client, reserved: Doc, joined: str, here: Any) -> None:
    made = here(port_id=reserved["id"]).body["floatingip"]
    fixed = reserved["fixed_ips"][0]["ip_address"]
    assert target(made) == (reserved["id"], fixed, joined)
    details = ("name", "network_id", "mac_address", "admin_state_up", "device_id", "device_owner", "status")
    assert made["port_details"] == {name: reserved[name] for name in details}
    until(lambda: get(member, "floatingips", made["id"])["status"] == "ACTIVE")
    for query in (f"port_id={reserved['id']}", f"fixed_ip_address={fixed}&router_id={joined}"):
        assert [item["id"] for item in listed(member, "floatingips", query)] == [made["id"]]


def test_one_floating_ip_for_each_address(member: Client, public: str, reserved: Doc, here: Any) -> None:
    assert here(port_id=reserved["id"]).status == 201
    spare = here().body["floatingip"]
    fixed = reserved["fixed_ips"][0]["ip_address"]
    text = (
        f"Cannot associate floating IP {spare['floating_ip_address']} ({spare['id']}) with port {reserved['id']}"
        f" using fixed IP {fixed}, as that fixed IP already has a floating IP on external network {public}."
    )
    refused = put(member, "floatingips", spare["id"], port_id=reserved["id"])
    assert refused.fault == (409, "FloatingIPPortAlreadyAssociated", text)
    assert here(port_id=reserved["id"]).fault[:2] == (409, "FloatingIPPortAlreadyAssociated")


def test_moved_and_taken_away(member: Client, reserved: Doc, joined: str, here: Any) -> None:
    key = here().body["floatingip"]["id"]
    fixed = reserved["fixed_ips"][0]["ip_address"]
    moved = put(member, "floatingips", key, port_id=reserved["id"]).body["floatingip"]
    assert target(moved) == (reserved["id"], fixed, joined)
    described = put(member, "floatingips", key, description="d").body["floatingip"]
    assert (target(described), described["description"]) == ((reserved["id"], fixed, joined), "d")
    assert target(put(member, "floatingips", key, port_id=None).body["floatingip"]) == (None, None, None)
    until(lambda: get(member, "floatingips", key)["status"] == "DOWN")
    chosen = put(member, "floatingips", key, port_id=reserved["id"], fixed_ip_address=fixed).body["floatingip"]
    assert target(chosen) == (reserved["id"], fixed, joined)
    assert target(put(member, "floatingips", key).body["floatingip"]) == (None, None, None)  # a change of nothing
    assert member.neutron("DELETE", f"/floatingips/{key}").status == 204
    text = f"Floating IP {key} could not be found"
    for method in ("GET", "DELETE"):
        assert member.neutron(method, f"/floatingips/{key}").fault == (404, "FloatingIPNotFound", text)


def test_a_stale_revision_is_refused(member: Client, reserved: Doc, here: Any) -> None:
    path = f"/floatingips/{here().body['floatingip']['id']}"
    refused = member.neutron("PUT", path, {"floatingip": {"port_id": reserved["id"]}}, If_Match="revision_number=77")
    text = "Constrained to 77, but current revision is 0"
    assert refused.fault == (412, "RevisionNumberConstraintFailed", text)
    taken = member.neutron("PUT", path, {"floatingip": {"port_id": reserved["id"]}}, If_Match="revision_number=0")
    assert taken.body["floatingip"]["port_id"] == reserved["id"]


def test_it_outlives_its_port(member: Client, reserved: Doc, here: Any) -> None:
    made = here(port_id=reserved["id"]).body["floatingip"]
    remove_port(member, reserved["id"])
    left = get(member, "floatingips", made["id"])
    assert (target(left), left["port_details"]) == ((None, None, None), None)
    assert left["floating_ip_address"] == made["floating_ip_address"]
    until(lambda: get(member, "floatingips", made["id"])["status"] == "DOWN")


def test_what_it_holds_in_place(
    member: Client, network: Network, reserved: Doc, joined: str, public: str, here: Any
) -> None:
    assert here(port_id=reserved["id"]).status == 201
    path = f"/routers/{joined}/remove_router_interface"
    refused = member.neutron("PUT", path, {"subnet_id": network.subnet_id})
    text = f"Router interface for subnet {network.subnet_id} on router {joined} cannot be deleted, as it is required"
    assert refused.fault == (409, "RouterInterfaceInUseByFloatingIP", f"{text} by one or more floating IPs.")
    text = f"Gateway cannot be updated for router {joined}, since a gateway to external network {public} is required"
    refused = put(member, "routers", joined, external_gateway_info={})
    assert refused.fault == (409, "RouterExternalGatewayInUseByFloatingIp", f"{text} by one or more floating IPs.")


def test_no_router_no_floating_ip(member: Client, admin: Client, public: str, here: Any) -> None:
    with made_network(member, admin, ip_version=4, cidr="10.79.0.0/24") as alone:
        port_id = make_port(member, alone).body["port"]["id"]
        text = f"External network {public} is not reachable from subnet {alone.subnet_id}."
        text = f"{text}  Therefore, cannot associate Port {port_id} with a Floating IP."
        assert here(port_id=port_id).fault == (404, "ExternalGatewayForFloatingIPNotFound", text)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"floating_network_id": "x"}, (400, "HTTPBadRequest", "'x' is not a valid UUID.")),
        ({"floating_network_id": NOWHERE}, (404, "NetworkNotFound", f"Network {NOWHERE} could not be found.")),
        ({"port_id": NOWHERE}, (404, "PortNotFound", f"Port {NOWHERE} could not be found.")),
        ({"port_id": ""}, (400, "HTTPBadRequest", "Reason: '' is not a valid UUID.")),
        ({"floating_ip_address": "x"}, (400, "HTTPBadRequest", "Reason: 'x' is not a valid IP address.")),
        ({"fixed_ip_address": "10.77.0.5"}, (400, "BadRequest", "cannot be specified without a port_id.")),
        ({"nonsense": 1}, (400, "HTTPBadRequest", "Unrecognized attribute(s) 'nonsense'")),
        ({"status": "x"}, (400, "HTTPBadRequest", "Attribute 'status' not allowed in POST")),
    ],
)
def test_refused(here: Any, values: Doc, fault: tuple[int, str, str]) -> None:
    refused = here(**values).fault
    assert refused[:2] == fault[:2]
    assert fault[2] in refused[2]


def test_refused_on_a_network_and_a_port(member: Client, network: Network, reserved: Doc, here: Any) -> None:
    text = f"Bad floatingip request: Network {network.id} is not a valid external network."
    assert here(floating_network_id=network.id).fault == (400, "BadRequest", text)
    text = f"Bad floatingip request: Port {reserved['id']} does not have fixed ip 10.200.51.99."
    assert here(port_id=reserved["id"], fixed_ip_address="10.200.51.99").fault == (400, "BadRequest", text)
    refused = put(member, "floatingips", here().body["floatingip"]["id"], floating_network_id=network.id)
    assert refused.fault == (400, "HTTPBadRequest", "Cannot update read-only attribute floating_network_id")


def test_only_admins_choose_the_address(member: Client, admin: Client, public: str, side: Side, here: Any) -> None:
    [subnet] = listed(member, "subnets", f"network_id={public}")
    address = f"{subnet['cidr'].rpartition('.')[0]}.177"
    refused = here(floating_ip_address=address)
    rule = "(rule:create_floatingip and rule:create_floatingip:floating_ip_address)"
    assert refused.fault == (403, "PolicyNotAuthorized", f"{rule} is disallowed by policy")
    assert here(admin, floating_ip_address=address).body["floatingip"]["floating_ip_address"] == address
    text = f"IP address {address} already allocated in subnet {subnet['id']}"
    assert here(admin, floating_ip_address=address).fault == (409, "IpAddressAlreadyAllocated", text)
    text = "IP address 8.8.8.8 is not a valid IP for any of the subnets on the specified network."
    assert here(admin, floating_ip_address="8.8.8.8").fault == (400, "InvalidIpForNetwork", text)


def test_a_floating_ip_is_its_projects_own(
    member: Client, reader: Client, other: Client, reserved: Doc, here: Any
) -> None:
    key = here().body["floatingip"]["id"]
    text = f"Floating IP {key} could not be found"
    forbidden = "rule:{}_floatingip is disallowed by policy"
    assert put(other, "floatingips", key, port_id=None).fault == (404, "FloatingIPNotFound", text)
    assert put(reader, "floatingips", key, port_id=None).fault[2] == forbidden.format("update")
    assert here(reader).fault == (403, "PolicyNotAuthorized", forbidden.format("create"))
    assert reader.neutron("DELETE", f"/floatingips/{key}").fault[2] == forbidden.format("delete")
    assert get(reader, "floatingips", key)["id"] == key
    text = f"Port {reserved['id']} could not be found."
    assert here(other, port_id=reserved["id"]).fault == (404, "PortNotFound", text)
