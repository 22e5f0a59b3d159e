"""Security groups: how they are born, the default one, and what keeps them from going."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Client
from tests.contract.places import Network, get_port, make_port, put_port, unique
from tests.contract.things import Doc, Things, ask, get, listed, put


@pytest.fixture
def group(member: Client, things: Things) -> Doc:
    return things.make(member, "security-groups", name=unique("group"), description="d")


def test_born_with_two_egress_rules(member: Client, group: Doc) -> None:
    expected = {"description": "d", "stateful": True, "shared": False, "tags": [], "revision_number": 1}
    assert {key: group.get(key) for key in expected} == expected
    assert group["project_id"] == group["tenant_id"] == member.project_id
    rules = group["security_group_rules"]
    whither = sorted((rule["direction"], rule["ethertype"]) for rule in rules)
    assert whither == [("egress", "IPv4"), ("egress", "IPv6")]
    empty = ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id", "description")
    assert {rule[key] for rule in rules for key in empty} == {None}
    assert {(rule["security_group_id"], rule["revision_number"]) for rule in rules} == {(group["id"], 0)}


def test_the_default_group_admits_itself_and_is_every_ports(member: Client, network: Network) -> None:
    [default] = listed(member, "security-groups", f"name=default&project_id={member.project_id}")
    ingress = [rule for rule in default["security_group_rules"] if rule["direction"] == "ingress"]
    assert sorted(rule["ethertype"] for rule in ingress) == ["IPv4", "IPv6"]
    assert {rule["remote_group_id"] for rule in ingress} == {default["id"]}
    assert default["description"] == "Default security group"
    port = make_port(member, network).body["port"]
    assert port["security_groups"] == [default["id"]]
    text = f"Security Group {default['id']} in use."
    assert member.neutron("DELETE", f"/security-groups/{default['id']}").fault == (409, "SecurityGroupInUse", text)
    renamed = put(member, "security-groups", default["id"], name="x").fault
    assert renamed == (409, "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.")


@pytest.mark.parametrize("name", ["default", "Default"])
def test_there_is_no_second_default(member: Client, group: Doc, name: str) -> None:
    error = (409, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
    assert ask(member, "security-groups", name=name).fault == error
    assert put(member, "security-groups", group["id"], name=name).fault == error


def test_names_may_be_there_twice(member: Client, things: Things, group: Doc) -> None:
    ids = {group["id"], things.make(member, "security-groups", name=group["name"])["id"]}
    for query in (f"name={group['name']}&project_id={member.project_id}", "&".join(f"id={one}" for one in ids)):
        found = listed(member, "security-groups", query)
        assert {item["id"] for item in found} == ids
        assert {len(item["security_group_rules"]) for item in found} == {2}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"name": None}, "HTTPBadRequest"),
        ({"name": "x" * 256}, "HTTPBadRequest"),
        ({"stateful": "x"}, "InvalidInput"),
        ({"nonsense": 1}, "HTTPBadRequest"),
        ({"security_group_rules": []}, "HTTPBadRequest"),
    ],
)
def test_refused(member: Client, values: dict[str, Any], kind: str) -> None:
    assert ask(member, "security-groups", **values).fault[:2] == (400, kind)


def test_a_change_counts_and_no_change_does_not(member: Client, group: Doc) -> None:
    changed = put(member, "security-groups", group["id"], description="e").body["security_group"]
    assert (changed["description"], changed["revision_number"]) == ("e", 2)
    again = put(member, "security-groups", group["id"], description="e").body["security_group"]
    assert again["revision_number"] == 2


def test_a_group_stays_while_a_port_uses_it(member: Client, group: Doc, port: str) -> None:
    path = f"/security-groups/{group['id']}"
    assert put_port(member, port, security_groups=[group["id"]]).status == 200
    text = f"Security Group {group['id']} in use."
    assert member.neutron("DELETE", path).fault == (409, "SecurityGroupInUse", text)
    assert put_port(member, port, security_groups=[]).status == 200
    assert get_port(member, port)["security_groups"] == []
    assert member.neutron("DELETE", path).status == 204
    gone = (404, "SecurityGroupNotFound", f"Security group {group['id']} does not exist")
    assert member.neutron("GET", path).fault == gone
    assert member.neutron("DELETE", path).fault == gone


def test_rules_that_name_a_group_go_with_it(member: Client, things: Things, group: Doc) -> None:
    kept = things.make(member, "security-groups", name=unique("group"))
    rule = {"security_group_id": kept["id"], "direction": "ingress", "remote_group_id": group["id"]}
    assert ask(member, "security-group-rules", **rule).status == 201
    assert member.neutron("DELETE", f"/security-groups/{group['id']}").status == 204
    left = get(member, "security-groups", kept["id"])
    assert [rule["direction"] for rule in left["security_group_rules"]] == ["egress", "egress"]
    assert left["revision_number"] == kept["revision_number"] + 2


def test_a_group_of_others_cannot_be_used(
    member: Client, other: Client, things: Things, group: Doc, port: str
) -> None:
    foreign = things.make(other, "security-groups", name=unique("group"))
    missing = (404, "SecurityGroupNotFound", f"Security group {foreign['id']} does not exist")
    assert put_port(member, port, security_groups=[foreign["id"]]).fault == missing
    rule = {"security_group_id": group["id"], "direction": "ingress", "remote_group_id": foreign["id"]}
    assert ask(member, "security-group-rules", **rule).fault == missing
    assert member.neutron("GET", f"/security-groups/{foreign['id']}").fault == missing
    forbidden = (403, "PolicyNotAuthorized", "rule:create_security_group_rule is disallowed by policy")
    rule = {"security_group_id": foreign["id"], "direction": "ingress"}
    assert ask(member, "security-group-rules", **rule).fault == forbidden
