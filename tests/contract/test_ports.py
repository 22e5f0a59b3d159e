"""Ports: one call for a whole reservation, what is found again, what is refused and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Client
from tests.contract.places import Network, get_port, make_port, put_port, unique

NOT_THERE = "9a027a94-e688-45cb-a653-e223ccc9f72e"
KEYS = {
    "admin_state_up",
    "allowed_address_pairs",
    "binding:vnic_type",
    "created_at",
    "description",
    "device_id",
    "device_owner",
    "extra_dhcp_opts",
    "fixed_ips",
    "id",
    "ip_allocation",
    "mac_address",
    "name",
    "network_id",
    "port_security_enabled",
    "project_id",
    "propagate_uplink_status",
    "qos_network_policy_id",
    "qos_policy_id",
    "revision_number",
    "security_groups",
    "status",
    "tags",
    "tenant_id",
    "updated_at",
}


def test_what_a_new_port_is(member: Client, network: Network) -> None:
    made = make_port(member, network).body["port"]
    assert made["fixed_ips"][0]["subnet_id"] == network.subnet_id
    empty = {"name": "", "description": "", "device_id": "", "device_owner": "", "tags": []}
    assert {name: made[name] for name in empty} == empty
    assert (made["allowed_address_pairs"], made["admin_state_up"], made["status"]) == ([], True, "DOWN")
    assert (made["project_id"], made["tenant_id"]) == (member.project_id, member.project_id)
    assert (made["port_security_enabled"], len(made["security_groups"]), made["revision_number"]) == (True, 1, 1)
    assert made["mac_address"].startswith("fa:16:3e:")
    assert get_port(member, made["id"]) == made


def test_bindings_are_for_admins(member: Client, admin: Client, port: str) -> None:
    seen = set(get_port(member, port)) - {"dns_assignment", "dns_name"}  # where the cloud has DNS
    assert seen == KEYS
    everything = get_port(admin, port)
    assert set(everything) - {"dns_assignment", "dns_name"} == KEYS | {
        "binding:host_id",
        "binding:profile",
        "binding:vif_details",
        "binding:vif_type",
        "resource_request",
    }
    assert (everything["binding:vif_type"], everything["binding:host_id"]) == ("unbound", "")


def test_a_reservation_is_made_in_one_call_once(member: Client, network: Network) -> None:
    mine = {
        "fixed_ips": [{"subnet_id": network.subnet_id, "ip_address": "10.200.51.11"}],
        "mac_address": "00:00:5e:00:01:34",
        "name": "vip",
        "device_owner": "haos:vip",
        "device_id": unique("device"),
        "description": "x" * 255,
        "security_groups": [],
    }
    made = make_port(member, network, **mine)
    assert made.status == 201
    assert {name: made.body["port"][name] for name in mine} == mine
    assert (made.body["port"]["status"], made.body["port"]["port_security_enabled"]) == ("DOWN", True)
    query = {"device_owner": "haos:vip", "project_id": member.project_id, "network_id": network.id}
    query |= {"device_id": str(mine["device_id"]), "fixed_ips": "ip_address=10.200.51.11"}
    found = member.neutron("GET", "/ports?" + "&".join(f"{name}={value}" for name, value in query.items()))
    assert found.body["ports"] == [made.body["port"]]
    assert make_port(member, network, **mine).fault[:2] == (409, "MacAddressInUse")
    elsewhere = {**mine, "mac_address": "00:00:5e:00:01:35"}
    assert make_port(member, network, **elsewhere).fault[:2] == (409, "IpAddressAlreadyAllocated")


def test_ports_are_found_by_id_owner_and_device(member: Client, network: Network) -> None:
    device = unique("device")
    made = [
        make_port(member, network, device_owner=owner, device_id=device).body["port"]["id"]
        for owner in ("haos:vip", "compute:x")
    ]

    def found(query: str) -> set[str]:
        answer = member.neutron("GET", f"/ports?network_id={network.id}&{query}")
        return {port["id"] for port in answer.body["ports"]}

    assert found(f"device_id={device}") == set(made)
    assert found(f"device_id={device}&device_owner=haos:vip") == {made[0]}
    assert found(f"id={made[0]}&id={made[1]}&id={NOT_THERE}") == set(made)
    assert found(f"device_id={unique('none')}") == set()


def test_unknown_missing_and_read_only_attributes(member: Client, network: Network, port: str) -> None:
    unknown = (400, "HTTPBadRequest", "Unrecognized attribute(s) 'colour'")
    assert make_port(member, network, colour="red").fault == unknown
    assert put_port(member, port, colour="red").fault == unknown
    for name in ("status", "id", "revision_number", "binding:vif_type", "ip_allocation"):
        assert make_port(member, network, **{name: "x"}).fault[2] == f"Attribute '{name}' not allowed in POST"
        assert put_port(member, port, **{name: "x"}).fault[2] == f"Cannot update read-only attribute {name}"
    assert put_port(member, port, network_id=network.id).fault[2] == "Cannot update read-only attribute network_id"
    missing = member.neutron("POST", "/ports", {"port": {}})
    assert missing.fault[2] == "Failed to parse request. Required attribute 'network_id' not specified"


def test_a_network_that_is_not_there(member: Client) -> None:
    absent = member.neutron("POST", "/ports", {"port": {"network_id": NOT_THERE}})
    assert absent.fault == (404, "NetworkNotFound", f"Network {NOT_THERE} could not be found.")
    nonsense = member.neutron("POST", "/ports", {"port": {"network_id": "x"}})
    assert nonsense.fault[2] == "Invalid input for network_id. Reason: 'x' is not a valid UUID."


def test_what_is_true_and_what_is_false(member: Client, port: str) -> None:
    for value in (False, "no", 0):
        assert put_port(member, port, admin_state_up=value).body["port"]["admin_state_up"] is False
    for value in (True, "yes", 1):
        assert put_port(member, port, admin_state_up=value).body["port"]["admin_state_up"] is True
    for nonsense in ("maybe", None, 2):
        text = f"Invalid input for operation: '{nonsense}' cannot be converted to boolean."
        assert put_port(member, port, admin_state_up=nonsense).fault == (400, "InvalidInput", text)


@pytest.mark.parametrize("name", ["name", "description", "device_id", "device_owner"])
def test_texts_hold_255_characters(member: Client, port: str, name: str) -> None:
    assert put_port(member, port, **{name: "x" * 255}).status == 200
    wrong: list[tuple[Any, str]] = [
        ("x" * 256, f"'{'x' * 256}' exceeds maximum length of 255"),
        (None, "'None' is not a valid string"),
        (5, "'5' is not a valid string"),
    ]
    for value, why in wrong:
        text = f"Invalid input for {name}. Reason: {why}."
        assert put_port(member, port, **{name: value}).fault == (400, "HTTPBadRequest", text)


def test_a_port_is_adopted_and_released(member: Client, port: str) -> None:
    marks = {"device_owner": "haos:vip", "device_id": "d", "description": "r"}
    adopted = put_port(member, port, "revision_number=1", **marks)
    assert {name: adopted.body["port"][name] for name in marks} == marks
    bare = dict.fromkeys(marks, "")
    released = put_port(member, port, **bare)
    assert {name: released.body["port"][name] for name in bare} == bare


def test_groups_are_ids_that_are_there(member: Client, network: Network, port: str) -> None:
    [default] = get_port(member, port)["security_groups"]
    absent = make_port(member, network, security_groups=[NOT_THERE])
    assert absent.fault == (404, "SecurityGroupNotFound", f"Security group {NOT_THERE} does not exist")
    for value, why in (
        (["x"], "'x' is not a valid UUID"),
        ("x", "'x' is not a list"),
        ([default, default], f"Duplicate items in the list: '{default}'"),
    ):
        text = f"Invalid input for security_groups. Reason: {why}."
        assert put_port(member, port, security_groups=value).fault == (400, "HTTPBadRequest", text)
    assert put_port(member, port, security_groups=None).body["port"]["security_groups"] == []


def test_without_port_security_there_are_no_groups_and_no_pairs(member: Client, network: Network, port: str) -> None:
    [default] = get_port(member, port)["security_groups"]
    assert put_port(member, port, port_security_enabled=False).fault == (
        409,
        "PortSecurityPortHasSecurityGroup",
        "Port has security group associated. Cannot disable port security or IP address until security group is"
        " removed.",
    )
    assert put_port(member, port, port_security_enabled=False, security_groups=[]).status == 200
    pairs = [{"ip_address": "10.200.51.10"}]
    refusal = (
        409,
        "AddressPairAndPortSecurityRequired",
        "Port Security must be enabled in order to have allowed address pairs on a port.",
    )
    assert put_port(member, port, allowed_address_pairs=pairs).fault == refusal
    assert make_port(member, network, port_security_enabled=False, allowed_address_pairs=pairs).fault == refusal
    groups = (
        400,
        "PortSecurityAndIPRequiredForSecurityGroups",
        "Port security must be enabled and port must have an IP address in order to use security groups.",
    )
    assert put_port(member, port, security_groups=[default]).fault == groups
    assert make_port(member, network, port_security_enabled=False, security_groups=[default]).fault == groups
    again = put_port(member, port, port_security_enabled=True, security_groups=[default])
    assert again.body["port"]["security_groups"] == [default]


def test_pairs_keep_port_security_on(member: Client, port: str) -> None:
    assert put_port(member, port, allowed_address_pairs=[{"ip_address": "10.200.51.10"}]).status == 200
    refused = put_port(member, port, port_security_enabled=False, security_groups=[])
    assert refused.fault[:2] == (409, "AddressPairAndPortSecurityRequired")
    off: dict[str, Any] = {"port_security_enabled": False, "security_groups": [], "allowed_address_pairs": []}
    assert put_port(member, port, **off).status == 200


def test_deleting(member: Client, network: Network) -> None:
    port_id = make_port(member, network).body["port"]["id"]
    assert member.neutron("DELETE", f"/ports/{port_id}").status == 204
    gone = (404, "PortNotFound", f"Port {port_id} could not be found.")
    assert member.neutron("DELETE", f"/ports/{port_id}").fault == gone
    assert member.neutron("GET", f"/ports/{port_id}").fault == gone
    assert put_port(member, port_id, name="x").fault == gone


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (["not an object"], "Body contains invalid data"),
        (b"{", "Body contains invalid data"),
        ({"prot": {}}, "Unable to find 'port' in request body"),
        ({"port": "x"}, "Object 'port' contains invalid data"),
    ],
)
def test_a_broken_body_is_400(member: Client, port: str, body: Any, text: str) -> None:
    assert member.neutron("PUT", f"/ports/{port}", body).fault == (400, "HTTPBadRequest", text)
