"""Networks: as they are born, what may be asked for and changed, and what keeps them from going."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Client
from tests.contract.places import Network, make_port, unique
from tests.contract.things import Things, ask, get, listed, put


def test_born_with_these_values(member: Client, things: Things) -> None:
    name = unique("network")
    made = things.make(member, "networks", name=name)
    expected = {
        "name": name,
        "description": "",
        "project_id": member.project_id,
        "tenant_id": member.project_id,
        "status": "ACTIVE",
        "admin_state_up": True,
        "shared": False,
        "router:external": False,
        "port_security_enabled": True,
        "subnets": [],
        "tags": [],
        "dns_domain": "",
        "availability_zone_hints": [],
        "revision_number": 1,
    }
    assert {key: made.get(key, "missing") for key in expected} == expected
    assert 1280 <= made["mtu"] <= 1500
    assert made["created_at"] <= made["updated_at"]


def test_words_and_numbers_are_booleans(member: Client, things: Things) -> None:
    made = things.make(member, "networks", admin_state_up="false", port_security_enabled=0)
    assert (made["admin_state_up"], made["port_security_enabled"], made["name"]) == (False, False, "")


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"name": None}, "HTTPBadRequest", "Invalid input for name. Reason: 'None' is not a valid string."),
        ({"admin_state_up": "x"}, "InvalidInput", "Invalid input for operation: 'x' cannot be converted to boolean."),
        ({"mtu": "x"}, "InvalidInput", "Invalid input for operation: 'x' is not an integer."),
        ({"mtu": 99999}, "InvalidInput", "Invalid input for operation: Requested MTU is too big, maximum is "),
        ({"nonsense": 1}, "HTTPBadRequest", "Unrecognized attribute(s) 'nonsense'"),
        ({"status": "DOWN"}, "HTTPBadRequest", "Attribute 'status' not allowed in POST"),
        ({"subnets": []}, "HTTPBadRequest", "Attribute 'subnets' not allowed in POST"),
    ],
)
def test_refused(member: Client, values: dict[str, Any], kind: str, message: str) -> None:
    status, type_, text = ask(member, "networks", **values).fault
    assert (status, type_) == (400, kind)
    assert text.startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "Unable to find 'network' in request body"),
        ({"network": None}, "Unable to find 'network' in request body"),
        ({"network": []}, "Object 'network' contains invalid data"),
        ({"subnet": {}}, "Unable to find 'network' in request body"),
        ({"networks": []}, "Resources required"),
    ],
)
def test_bodies_that_hold_no_network(member: Client, body: Any, message: str) -> None:
    assert member.neutron("POST", "/networks", body).fault == (400, "HTTPBadRequest", message)


def test_many_at_once_are_all_made_or_none(member: Client, things: Things) -> None:
    one, two = unique("one"), unique("two")
    spoilt = {"networks": [{"name": one}, {"nonsense": two}]}
    assert member.neutron("POST", "/networks", spoilt).fault[:2] == (400, "HTTPBadRequest")
    assert listed(member, "networks", f"name={one}") == []
    made = member.neutron("POST", "/networks", {"networks": [{"name": one}, {"name": two}]}).body["networks"]
    for item in made:
        things.adopt("networks", item["id"])
    assert [item["name"] for item in made] == [one, two]


def test_a_change_counts_and_no_change_does_not(member: Client, fresh_network: Network) -> None:
    before = get(member, "networks", fresh_network.id)["revision_number"]
    changed = put(member, "networks", fresh_network.id, description="d").body["network"]
    assert (changed["description"], changed["revision_number"]) == ("d", before + 1)
    assert put(member, "networks", fresh_network.id, description="d").body["network"] == changed
    assert put(member, "networks", fresh_network.id).body["network"] == changed


@pytest.mark.parametrize("name", ["id", "status", "tags", "subnets", "revision_number"])
def test_what_nobody_can_change(member: Client, network: Network, name: str) -> None:
    refused = put(member, "networks", network.id, **{name: []})
    assert refused.fault == (400, "HTTPBadRequest", f"Cannot update read-only attribute {name}")


def test_a_network_with_a_port_stays(member: Client, fresh_network: Network) -> None:
    port_id = make_port(member, fresh_network).body["port"]["id"]
    path = f"/networks/{fresh_network.id}"
    text = "There are one or more ports still in use on the network, id for these ports is: "
    refused = member.neutron("DELETE", path)
    assert refused.fault[:2] == (409, "NetworkInUse")
    assert f"Unable to complete operation on network {fresh_network.id}. {text}" in refused.fault[2]
    assert port_id in refused.fault[2]
    assert member.neutron("DELETE", f"/ports/{port_id}").status == 204
    assert member.neutron("DELETE", path).status == 204
    gone = f"Network {fresh_network.id} could not be found."
    assert member.neutron("DELETE", path).fault == (404, "NetworkNotFound", gone)
    assert member.neutron("GET", f"/subnets/{fresh_network.subnet_id}").fault[:2] == (404, "SubnetNotFound")


def test_a_stale_revision_is_refused(member: Client, fresh_network: Network) -> None:
    path = f"/networks/{fresh_network.id}"
    for method, body in (("PUT", {"network": {"name": "x"}}), ("DELETE", None)):
        refused = member.neutron(method, path, body, If_Match="revision_number=77")
        assert refused.fault[:2] == (412, "RevisionNumberConstraintFailed")


def test_everybody_sees_the_external_network_and_its_subnet(member: Client, public: str) -> None:
    shown = get(member, "networks", public)
    assert (shown["router:external"], shown["shared"]) == (True, False)
    assert shown["project_id"] != member.project_id
    [subnet] = listed(member, "subnets", f"network_id={public}")
    assert (subnet["router:external"], subnet["enable_dhcp"]) == (True, False)
    assert [subnet["id"]] == shown["subnets"]
