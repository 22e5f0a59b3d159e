"""Security groups and their rules: how they are born, and what is the same rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.api.conftest import FIRST_PORT, HA_LAB, Answer, Client, Login


@pytest.fixture
def group(demo: Client) -> dict[str, Any]:
    answer = demo.neutron("POST", "/security-groups", {"security_group": {"name": "g", "description": "d"}})
    assert answer.status == 201
    created: dict[str, Any] = answer.body["security_group"]
    return created


def add(client: Client, group: dict[str, Any], **values: Any) -> Answer:
    rule = {"security_group_id": group["id"], "direction": "ingress", **values}
    return client.neutron("POST", "/security-group-rules", {"security_group_rule": rule})


def test_born_with_two_egress_rules(group: dict[str, Any]) -> None:
    rules = [(rule["direction"], rule["ethertype"], rule["protocol"]) for rule in group["security_group_rules"]]
    assert rules == [("egress", "IPv4", None), ("egress", "IPv6", None)]


def test_the_default_group_admits_itself(demo: Client, group: dict[str, Any]) -> None:
    (default,) = demo.neutron("GET", "/security-groups?name=default").body["security_groups"]
    ingress = [rule for rule in default["security_group_rules"] if rule["direction"] == "ingress"]
    assert {rule["ethertype"] for rule in ingress} == {"IPv4", "IPv6"}
    assert {rule["remote_group_id"] for rule in ingress} == {default["id"]}
    port = demo.neutron("POST", "/ports", {"port": {"network_id": HA_LAB}}).body["port"]
    assert port["security_groups"] == [default["id"]]
    assert demo.neutron("DELETE", f"/security-groups/{default['id']}").status == 409


def test_there_is_no_second_default(demo: Client) -> None:
    answer = demo.neutron("POST", "/security-groups", {"security_group": {"name": "default"}})
    assert answer.fault[:2] == (409, "SecurityGroupDefaultAlreadyExists")


@pytest.mark.parametrize(("first", "second"), [("112", "vrrp"), ("vrrp", "112"), ("tcp", "6"), (112, "112")])
def test_the_same_rule_twice(demo: Client, group: dict[str, Any], first: Any, second: Any) -> None:
    made = add(demo, group, protocol=first, remote_group_id=group["id"])
    assert made.body["security_group_rule"]["protocol"] == str(first)
    rule_id = made.body["security_group_rule"]["id"]
    assert add(demo, group, protocol=second, remote_group_id=group["id"]).fault == (
        409,
        "SecurityGroupRuleExists",
        f"Security group rule already exists. Rule id is {rule_id}.",
    )
    assert add(demo, group, protocol=second).status == 201


def test_any_prefix_is_the_same_as_none(demo: Client, group: dict[str, Any]) -> None:
    assert add(demo, group, protocol="icmp").status == 201
    assert add(demo, group, protocol="icmp", remote_ip_prefix="0.0.0.0/0").status == 409


def test_many_rules_all_or_none(demo: Client, group: dict[str, Any]) -> None:
    base = {"security_group_id": group["id"], "direction": "ingress"}
    rules = [{**base, "protocol": "112", "remote_group_id": group["id"]}, {**base, "protocol": "icmp"}]
    twice = demo.neutron("POST", "/security-group-rules", {"security_group_rules": [rules[0], rules[0]]})
    assert twice.fault[:2] == (409, "DuplicateSecurityGroupRuleInPost")
    bad = [*rules, {**base, "protocol": "nonsense"}]
    assert demo.neutron("POST", "/security-group-rules", {"security_group_rules": bad}).status == 400
    made = demo.neutron("POST", "/security-group-rules", {"security_group_rules": rules})
    assert made.status == 201
    assert [rule["protocol"] for rule in made.body["security_group_rules"]] == ["112", "icmp"]
    listed = demo.neutron("GET", f"/security-group-rules?security_group_id={group['id']}")
    assert len(listed.body["security_group_rules"]) == 4


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"protocol": "nonsense"}, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "256"}, "SecurityGroupRuleInvalidProtocol"),
        ({"port_range_min": 22, "port_range_max": 22}, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "tcp", "port_range_min": 23, "port_range_max": 22}, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 0, "port_range_max": 22}, "SecurityGroupInvalidPortValue"),
        ({"protocol": "112", "port_range_min": 1, "port_range_max": 2}, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": "icmp", "port_range_max": 0}, "SecurityGroupMissingIcmpType"),
        ({"protocol": "icmp", "port_range_min": 256}, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "icmpv6"}, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"remote_ip_prefix": "2001:db8::/64"}, "SecurityGroupRuleParameterConflict"),
        ({"remote_ip_prefix": "nonsense"}, "InvalidCIDR"),
        ({"ethertype": "IPX"}, "SecurityGroupRuleInvalidEtherType"),
        ({"direction": "sideways"}, "HTTPBadRequest"),
    ],
)
def test_refused_rules(demo: Client, group: dict[str, Any], values: dict[str, Any], kind: str) -> None:
    assert add(demo, group, **values).fault[:2] == (400, kind)


def test_addresses_become_networks(demo: Client, group: dict[str, Any]) -> None:
    rule = add(demo, group, protocol="112", remote_ip_prefix="10.200.51.33").body["security_group_rule"]
    assert rule["remote_ip_prefix"] == "10.200.51.33/32"


def test_default_egress_can_be_deleted(demo: Client, group: dict[str, Any]) -> None:
    for rule in group["security_group_rules"]:
        assert demo.neutron("DELETE", f"/security-group-rules/{rule['id']}").status == 204
    shown = demo.neutron("GET", f"/security-groups/{group['id']}").body["security_group"]
    assert shown["security_group_rules"] == []
    assert shown["revision_number"] == group["revision_number"] + 2
    gone = demo.neutron("DELETE", f"/security-group-rules/{group['security_group_rules'][0]['id']}")
    assert gone.fault[:2] == (404, "SecurityGroupRuleNotFound")


def test_in_use(demo: Client, group: dict[str, Any]) -> None:
    path = f"/ports/{FIRST_PORT}"
    assert demo.neutron("PUT", path, {"port": {"security_groups": [group["id"]]}}).status == 200
    refused = demo.neutron("DELETE", f"/security-groups/{group['id']}")
    assert refused.fault == (409, "SecurityGroupInUse", f"Security Group {group['id']} in use.")
    assert demo.neutron("PUT", path, {"port": {"security_groups": []}}).status == 200
    assert demo.neutron("DELETE", f"/security-groups/{group['id']}").status == 204
    gone = demo.neutron("GET", f"/security-groups/{group['id']}")
    assert gone.fault == (404, "SecurityGroupNotFound", f"Security group {group['id']} does not exist")


def test_a_group_of_others_cannot_be_used(demo: Client, login: Login, group: dict[str, Any]) -> None:
    other = login("other")
    foreign = other.neutron("POST", "/security-groups", {"security_group": {"name": "g"}}).body["security_group"]
    body = {"port": {"security_groups": [foreign["id"]]}}
    assert demo.neutron("PUT", f"/ports/{FIRST_PORT}", body).fault[:2] == (404, "SecurityGroupNotFound")
    assert add(demo, group, remote_group_id=foreign["id"]).status == 404
    assert add(demo, foreign).status == 404


def test_quota_of_groups_and_rules(demo: Client, login: Login, group: dict[str, Any]) -> None:
    groups = len(demo.neutron("GET", "/security-groups").body["security_groups"])
    rules = len(demo.neutron("GET", "/security-group-rules").body["security_group_rules"])
    limits = {"security_group": groups, "security_group_rule": rules}
    login("")("PUT", "/lab/quotas", {demo.project_id: limits})
    refused = demo.neutron("POST", "/security-groups", {"security_group": {"name": "h"}})
    assert refused.fault == (409, "OverQuota", "Quota exceeded for resources: ['security_group'].")
    assert add(demo, group, protocol="112").fault[1] == "OverQuota"
