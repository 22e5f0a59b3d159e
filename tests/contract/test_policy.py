"""Who may do what: the network's owner, another project on a shared network, a reader, an admin."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import Network, get_port, make_port, put_port, unique
from tests.contract.things import Doc, Things, ask, listed, put

FIXED = "rule:create_port:fixed_ips"
PAIRS = "rule:update_port:allowed_address_pairs"
PAIR = [{"ip_address": "10.200.51.10"}]


@pytest.fixture(scope="module")
def shared(admin: Client, other: Client, module_things: Things) -> Network:
    """A network of the other project that is shared with everybody."""
    pools = [{"start": "10.200.51.32", "end": "10.200.51.254"}]
    subnet = {"cidr": "10.200.51.0/24", "allocation_pools": pools, "project_id": other.project_id}
    network = module_things.network(admin, subnet, shared=True, project_id=other.project_id)
    return Network(network["id"], network["subnets"][0], network["name"])


@pytest.fixture
def guest(member: Client, shared: Network) -> str:
    """The id of the member's port on the other's network."""
    return str(make_port(member, shared).body["port"]["id"])


def forbidden(answer: Answer, rule: str) -> bool:
    return answer.fault == (403, "PolicyNotAuthorized", f"{rule} is disallowed by policy")


def test_a_shared_network_and_its_subnet_are_everybodys_to_see(
    member: Client, other: Client, shared: Network
) -> None:
    [seen] = listed(member, "networks", f"id={shared.id}")
    assert (seen["shared"], seen["project_id"], seen["subnets"]) == (True, other.project_id, [shared.subnet_id])
    assert [item["id"] for item in listed(member, "subnets", f"network_id={shared.id}")] == [shared.subnet_id]
    body = {"network_id": shared.id, "ip_version": 4, "cidr": "10.9.0.0/24"}
    assert forbidden(ask(member, "subnets", **body), "rule:create_subnet")
    assert forbidden(put(member, "subnets", shared.subnet_id, name="x"), "rule:update_subnet")
    assert forbidden(put(member, "networks", shared.id, name="x"), "rule:update_network")


@pytest.mark.parametrize("collection", ["ports", "subnets"])
def test_nothing_of_ones_own_on_the_external_network(member: Client, public: str, collection: str) -> None:
    values = {"ip_version": 4, "cidr": "10.9.0.0/24"} if collection == "subnets" else {}
    text = f"Tenant {member.project_id} not allowed to create {collection[:-1]} on this network"
    refused = ask(member, collection, network_id=public, **values)
    assert refused.fault == (403, "HTTPForbidden", text)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"fixed_ips": []},
        {"device_owner": "haos:vip", "device_id": "x"},
        {"device_owner": "compute:nova"},
        {"binding:vnic_type": "normal"},
        {"security_groups": []},
        {"name": "x", "description": "y", "admin_state_up": False},
    ],
)
def test_what_a_guest_may_ask_of_a_shared_network(member: Client, shared: Network, values: Doc) -> None:
    assert make_port(member, shared, **values).status == 201


def test_a_guest_may_choose_the_subnet(member: Client, shared: Network) -> None:
    assert make_port(member, shared, fixed_ips=[{"subnet_id": shared.subnet_id}]).status == 201


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        (
            {"fixed_ips": [{"ip_address": "10.200.51.10"}]},
            f"(rule:create_port and ({FIXED} and ({FIXED}:ip_address)))",
        ),
        ({"mac_address": "00:00:5e:00:01:33"}, "(rule:create_port and rule:create_port:mac_address)"),
        ({"port_security_enabled": False}, "(rule:create_port and rule:create_port:port_security_enabled)"),
        ({"device_owner": "network:mine"}, "(rule:create_port and rule:create_port:device_owner)"),
        ({"binding:host_id": "x"}, "(rule:create_port and rule:create_port:binding:host_id)"),
    ],
)
def test_what_a_guest_may_not_ask_of_a_shared_network(
    member: Client, shared: Network, values: Doc, rule: str
) -> None:
    assert forbidden(make_port(member, shared, **values), rule)


def test_no_address_of_ones_own_choice_on_a_shared_network(member: Client, shared: Network) -> None:
    for address in ("10.200.51.10", "10.200.51.150"):
        wanted = [{"subnet_id": shared.subnet_id, "ip_address": address}]
        rule = f"(rule:create_port and ({FIXED} and ({FIXED}:subnet_id and {FIXED}:ip_address)))"
        assert forbidden(make_port(member, shared, fixed_ips=wanted), rule)


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"allowed_address_pairs": PAIR}, f"(rule:update_port and ({PAIRS} and ({PAIRS}:ip_address)))"),
        (
            {"allowed_address_pairs": [{**PAIR[0], "mac_address": "00:00:5e:00:01:33"}]},
            f"(rule:update_port and ({PAIRS} and ({PAIRS}:ip_address and {PAIRS}:mac_address)))",
        ),
        ({"port_security_enabled": False}, "(rule:update_port and rule:update_port:port_security_enabled)"),
        ({"mac_address": "00:00:5e:00:01:33"}, "(rule:update_port and rule:update_port:mac_address)"),
    ],
)
def test_what_a_guest_may_not_change_of_the_own_port(member: Client, guest: str, values: Doc, rule: str) -> None:
    assert forbidden(put_port(member, guest, **values), rule)


def test_what_a_guest_may_change_of_the_own_port(member: Client, guest: str) -> None:
    assert put_port(member, guest, name="mine", device_owner="haos:vip", security_groups=[]).status == 200
    assert put_port(member, guest, fixed_ips=PAIR).status == 403
    assert member.neutron("PUT", f"/ports/{guest}/tags", {"tags": ["t"]}).status == 200


def test_the_owner_of_the_network_sees_guests_ports_and_no_more(
    other: Client, admin: Client, guest: str, shared: Network
) -> None:
    assert get_port(other, guest)["id"] == guest
    assert put_port(other, guest, allowed_address_pairs=PAIR).status == 403
    assert put_port(other, guest, name="x").status == 403
    assert make_port(other, shared, fixed_ips=[{"ip_address": "10.200.51.11"}]).status == 201
    assert put_port(admin, guest, allowed_address_pairs=PAIR).status == 200
    assert other.neutron("DELETE", f"/ports/{guest}").status == 204


def test_a_guest_sees_no_ports_but_the_own(member: Client, other: Client, shared: Network, guest: str) -> None:
    theirs = make_port(other, shared).body["port"]["id"]
    text = f"Port {theirs} could not be found."
    for refused in (
        member.neutron("GET", f"/ports/{theirs}"),
        put_port(member, theirs, name="x"),
        member.neutron("DELETE", f"/ports/{theirs}"),
    ):
        assert refused.fault == (404, "PortNotFound", text)
    seen = {port["project_id"] for port in listed(member, "ports", f"network_id={shared.id}")}
    assert seen == {member.project_id}


@pytest.mark.parametrize(
    "values",
    [
        {"device_owner": "network:haos"},
        {"device_owner": "compute:nova"},
        {"mac_address": "00:00:5e:00:01:01"},
        {"port_security_enabled": False},
        {"fixed_ips": [{"ip_address": "10.200.51.10"}], "allowed_address_pairs": [{"ip_address": "10.200.51.9"}]},
    ],
)
def test_on_ones_own_network_one_may_choose(member: Client, network: Network, things: Things, values: Doc) -> None:
    assert things.ask(member, "ports", network_id=network.id, **values).status == 201


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"binding:host_id": "x"}, "binding:host_id"),
        ({"binding:profile": {"a": "b"}}, "binding:profile"),
    ],
)
def test_bindings_are_for_admins_to_set(member: Client, network: Network, port: str, values: Doc, name: str) -> None:
    assert forbidden(make_port(member, network, **values), f"(rule:create_port and rule:create_port:{name})")
    assert forbidden(put_port(member, port, **values), f"(rule:update_port and rule:update_port:{name})")


def test_bindings_are_for_admins_to_see(member: Client, admin: Client, port: str) -> None:
    assert [name for name in get_port(member, port) if name.startswith("binding:")] == ["binding:vnic_type"]
    names = {"binding:host_id", "binding:profile", "binding:vif_details", "binding:vif_type", "binding:vnic_type"}
    assert names < get_port(admin, port).keys()


def test_segments_are_for_admins_to_see(member: Client, admin: Client, network: Network) -> None:
    def provider(client: Client) -> set[str]:
        shown = client.neutron("GET", f"/networks/{network.id}").body["network"]
        return {name for name in shown if name.startswith("provider:")}

    assert provider(member) == set()
    assert provider(admin) == {f"provider:{name}" for name in ("network_type", "physical_network", "segmentation_id")}


def test_a_members_mac_cannot_be_changed_later(member: Client, port: str) -> None:
    refused = put_port(member, port, mac_address="00:00:5e:00:01:05")
    assert forbidden(refused, "(rule:update_port and rule:update_port:mac_address)")


def test_what_others_have_is_not_there(other: Client, network: Network, port: str) -> None:
    for collection, key, kind in (
        ("networks", network.id, "NetworkNotFound"),
        ("subnets", network.subnet_id, "SubnetNotFound"),
        ("ports", port, "PortNotFound"),
    ):
        path = f"/{collection}/{key}"
        assert other.neutron("GET", path).fault[:2] == (404, kind)
        assert put(other, collection, key, name="x").fault[:2] == (404, kind)
        assert other.neutron("DELETE", path).fault[:2] == (404, kind)
    assert make_port(other, network).fault[:2] == (404, "NetworkNotFound")
    body = {"network_id": network.id, "ip_version": 4, "cidr": "10.9.0.0/24"}
    assert ask(other, "subnets", **body).fault[:2] == (404, "NetworkNotFound")
    assert listed(other, "ports", f"network_id={network.id}") == []


def test_a_reader_reads(reader: Client, network: Network, port: str) -> None:
    assert get_port(reader, port)["id"] == port
    assert [item["id"] for item in listed(reader, "networks", f"id={network.id}")] == [network.id]
    assert listed(reader, "security-groups", "name=default")


def test_a_reader_does_not_write(reader: Client, member: Client, network: Network, port: str) -> None:
    [group] = listed(reader, "security-groups", f"name=default&project_id={reader.project_id}")
    rule = {"security_group_id": group["id"], "direction": "ingress"}
    writes: list[tuple[str, str, Any, str]] = [
        ("POST", "/ports", {"port": {"network_id": network.id}}, "create_port"),
        ("PUT", f"/ports/{port}", {"port": {"name": "x"}}, "update_port"),
        ("PUT", f"/ports/{port}", {"port": {"allowed_address_pairs": PAIR}}, "update_port"),
        ("DELETE", f"/ports/{port}", None, "delete_port"),
        ("PUT", f"/ports/{port}/tags", {"tags": []}, "update_port:tags"),
        ("POST", "/security-groups", {"security_group": {"name": "x"}}, "create_security_group"),
        ("DELETE", f"/security-groups/{group['id']}", None, "delete_security_group"),
        ("POST", "/security-group-rules", {"security_group_rule": rule}, "create_security_group_rule"),
        ("POST", "/networks", {"network": {"name": "x"}}, "create_network"),
        ("PUT", f"/networks/{network.id}", {"network": {"name": "x"}}, "update_network"),
        ("DELETE", f"/networks/{network.id}", None, "delete_network"),
        ("PUT", f"/subnets/{network.subnet_id}", {"subnet": {"name": "x"}}, "update_subnet"),
        ("DELETE", f"/subnets/{network.subnet_id}", None, "delete_subnet"),
        ("POST", "/routers", {"router": {"name": "x"}}, "create_router"),
    ]
    for method, path, body, rule_name in writes:
        status, kind, text = reader.neutron(method, path, body).fault
        assert (status, kind) == (403, "PolicyNotAuthorized"), (method, path)
        assert f"rule:{rule_name}" in text


@pytest.mark.parametrize("name", ["shared", "router:external", "is_default"])
def test_sharing_is_for_admins(member: Client, network: Network, name: str) -> None:
    create = f"(rule:create_network and rule:create_network:{name})"
    assert forbidden(ask(member, "networks", **{name: True}), create)
    update = f"(rule:update_network and rule:update_network:{name})"
    assert forbidden(put(member, "networks", network.id, **{name: True}), update)


def test_segments_are_for_admins_to_choose(member: Client) -> None:
    rule = "(rule:create_network and rule:create_network:provider:network_type)"
    assert forbidden(ask(member, "networks", **{"provider:network_type": "vlan"}), rule)


def test_only_admins_make_things_for_others(member: Client, other: Client, admin: Client, things: Things) -> None:
    text = "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires"
    for key in ("project_id", "tenant_id"):
        refused = ask(member, "security-groups", **{"name": "x", key: other.project_id})
        assert refused.fault == (400, "HTTPBadRequest", f"{text} admin or advsvc privileges")
    made = things.make(admin, "security-groups", name=unique("group"), project_id=other.project_id)
    assert other.neutron("GET", f"/security-groups/{made['id']}").status == 200
