"""Security-group rules: what is the same rule, many at once, and what is no rule at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import unique
from tests.contract.things import Doc, Things, get, listed

PATH = "/security-group-rules"


@pytest.fixture(scope="module")
def group(member: Client, module_things: Things) -> str:
    """The id of a group for tests that leave no rule behind."""
    return str(module_things.make(member, "security-groups", name=unique("group"))["id"])


@pytest.fixture
def fresh_group(member: Client, things: Things) -> Doc:
    return things.make(member, "security-groups", name=unique("group"))


def add(client: Client, group: str, **values: Any) -> Answer:
    rule = {"security_group_id": group, "direction": "ingress", **values}
    return client.neutron("POST", PATH, {"security_group_rule": rule})


def add_many(client: Client, group_id: str, *rules: Doc) -> Answer:
    whole = [{"security_group_id": group_id, "direction": "ingress", **rule} for rule in rules]
    return client.neutron("POST", PATH, {"security_group_rules": whole})


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        ({"protocol": 112}, {"protocol": "112", "ethertype": "IPv4", "description": "", "revision_number": 0}),
        ({"protocol": "VRRP"}, {"protocol": "vrrp"}),
        ({"protocol": "any"}, {"protocol": None}),
        ({"protocol": "icmp", "ethertype": "ipv6"}, {"protocol": "ipv6-icmp", "ethertype": "IPv6"}),
        ({"remote_ip_prefix": "10.0.0.1"}, {"remote_ip_prefix": "10.0.0.1/32", "normalized_cidr": "10.0.0.1/32"}),
        ({"remote_ip_prefix": "10.0.0.1/24"}, {"remote_ip_prefix": "10.0.0.1/24", "normalized_cidr": "10.0.0.0/24"}),
        (
            {"protocol": "tcp", "port_range_min": "22", "port_range_max": "23"},
            {"port_range_min": 22, "port_range_max": 23},
        ),
        (
            {"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535},
            {"port_range_min": None, "port_range_max": None},
        ),
    ],
)
def test_kept_as_sent_or_put_right(member: Client, things: Things, group: str, values: Doc, kept: Doc) -> None:
    answer = add(member, group, **values)
    assert answer.status == 201, answer
    rule = answer.body["security_group_rule"]
    things.adopt("security-group-rules", rule["id"])
    assert {key: rule[key] for key in kept} == kept


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"protocol": "112"}, {"protocol": "vrrp"}),
        ({"protocol": "vrrp"}, {"protocol": 112}),
        ({"protocol": "112"}, {"protocol": "112", "description": "another"}),
        ({"protocol": "112"}, {"protocol": "112", "remote_ip_prefix": "0.0.0.0/0"}),
        (
            {"protocol": "112", "remote_ip_prefix": "10.0.0.1"},
            {"protocol": "vrrp", "remote_ip_prefix": "10.0.0.1/32"},
        ),
        ({"protocol": "icmp", "ethertype": "IPv6"}, {"protocol": "58", "ethertype": "IPv6"}),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}, {"protocol": "6"}),
    ],
)
def test_the_same_rule_twice(member: Client, things: Things, group: str, first: Doc, second: Doc) -> None:
    rule_id = add(member, group, **first).body["security_group_rule"]["id"]
    things.adopt("security-group-rules", rule_id)
    text = f"Security group rule already exists. Rule id is {rule_id}."
    assert add(member, group, **second).fault == (409, "SecurityGroupRuleExists", text)
    if first["protocol"] != "icmp":
        spoilt = add_many(member, group, {"protocol": "udp"}, second)
        assert spoilt.fault == (409, "SecurityGroupRuleExists", text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"protocol": "112"}, {"protocol": "112", "remote_ip_prefix": "10.0.0.0/8"}),
        ({"remote_ip_prefix": "10.0.0.1/24"}, {"remote_ip_prefix": "10.0.0.0/24"}),
        ({"protocol": "0"}, {}),
    ],
)
def test_different_rules(member: Client, things: Things, group: str, first: Doc, second: Doc) -> None:
    for values in (first, second):
        answer = add(member, group, **values)
        assert answer.status == 201, answer
        things.adopt("security-group-rules", answer.body["security_group_rule"]["id"])


def test_many_rules_all_or_none(member: Client, fresh_group: Doc) -> None:
    group_id, peer = fresh_group["id"], {"protocol": "112", "remote_ip_prefix": "10.0.0.1/32"}
    assert add_many(member, group_id, peer, peer).fault[:2] == (409, "DuplicateSecurityGroupRuleInPost")
    twice = add_many(member, group_id, {"protocol": "112"}, {"protocol": "vrrp"})
    assert twice.fault[:2] == (409, "DuplicateSecurityGroupRuleInPost")
    spoilt = add_many(member, group_id, peer, {"protocol": "nonsense"})
    assert spoilt.fault[:2] == (400, "SecurityGroupRuleInvalidProtocol")
    assert add_many(member, group_id).fault == (400, "HTTPBadRequest", "Resources required")
    assert len(listed(member, "security-group-rules", f"security_group_id={group_id}")) == 2
    made = add_many(member, group_id, peer, {"protocol": "icmp"})
    assert made.status == 201
    assert [rule["protocol"] for rule in made.body["security_group_rules"]] == ["112", "icmp"]
    assert get(member, "security-groups", group_id)["revision_number"] == fresh_group["revision_number"] + 1


def test_many_rules_are_of_one_group(member: Client, group: str, fresh_group: Doc) -> None:
    one = {"protocol": "112"}
    text = "Only allowed to update rules for one security profile at a time"
    refused = add_many(member, group, one, {**one, "security_group_id": fresh_group["id"]})
    assert refused.fault == (400, "SecurityGroupNotSingleGroupRules", text)


@pytest.mark.parametrize(
    ("values", "kind", "message"),
    [
        ({"protocol": "nonsense"}, "SecurityGroupRuleInvalidProtocol", "rule protocol nonsense not supported."),
        (
            {"protocol": "256"},
            "SecurityGroupRuleInvalidProtocol",
            "representations [0 to 255] are supported.",
        ),
        ({"protocol": -1}, "SecurityGroupRuleInvalidProtocol", "rule protocol -1 not supported."),
        (
            {"port_range_min": 22, "port_range_max": 22},
            "SecurityGroupProtocolRequiredWithPorts",
            "Must also specify protocol if port range is given.",
        ),
        (
            {"protocol": "tcp", "port_range_min": 23, "port_range_max": 22},
            "SecurityGroupInvalidPortRange",
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
        ),
        (
            {"protocol": "tcp", "port_range_min": 0, "port_range_max": 22},
            "SecurityGroupInvalidPortValue",
            "Invalid value for port 0",
        ),
        (
            {"protocol": "vrrp", "port_range_min": 1, "port_range_max": 2},
            "SecurityGroupInvalidProtocolForPort",
            "Ports cannot be specified for protocol 112. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.",
        ),
        ({"protocol": "icmp", "port_range_max": 0}, "SecurityGroupMissingIcmpType", "ICMP code (port-range-max) 0"),
        ({"protocol": "icmp", "port_range_min": 256}, "SecurityGroupInvalidIcmpValue", "It must be 0 to 255."),
        (
            {"protocol": "icmpv6"},
            "SecurityGroupEthertypeConflictWithProtocol",
            "Invalid ethertype IPv4 for protocol icmpv6.",
        ),
        (
            {"remote_ip_prefix": "2001:db8::/64"},
            "SecurityGroupRuleParameterConflict",
            "Conflicting value ethertype IPv4 for CIDR 2001:db8::/64",
        ),
        ({"remote_ip_prefix": "nonsense"}, "InvalidCIDR", "Invalid CIDR nonsense given as IP prefix."),
        ({"remote_ip_prefix": 5}, "InvalidCIDR", "Invalid CIDR 5 given as IP prefix."),
        ({"ethertype": "IPX"}, "SecurityGroupRuleInvalidEtherType", "Allowed values are ['IPv4', 'IPv6']."),
        ({"direction": "sideways"}, "HTTPBadRequest", "Reason: sideways is not in valid_values."),
        ({"nonsense": 1}, "HTTPBadRequest", "Unrecognized attribute(s) 'nonsense'"),
        ({"tags": []}, "HTTPBadRequest", "Unrecognized attribute(s) 'tags'"),
    ],
)
def test_refused(member: Client, group: str, values: Doc, kind: str, message: str) -> None:
    refused = add(member, group, **values).fault
    assert refused[:2] == (400, kind)
    assert message in refused[2]


def test_one_remote_at_most(member: Client, group: str) -> None:
    refused = add(member, group, remote_group_id=group, remote_ip_prefix="10.0.0.0/8").fault
    text = "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided."
    assert refused == (400, "SecurityGroupMultipleRemoteEntites", text)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("security_group_id", "SecurityGroupNotFound"),
        ("remote_group_id", "SecurityGroupNotFound"),
        ("remote_address_group_id", "AddressGroupNotFound"),
    ],
)
def test_groups_that_are_not_there(member: Client, group: str, name: str, kind: str) -> None:
    nowhere = "00000000-0000-0000-0000-000000000001"
    assert add(member, group, **{name: nowhere}).fault[:2] == (404, kind)


def test_the_rules_of_the_birth_can_be_deleted(member: Client, fresh_group: Doc) -> None:
    for rule in fresh_group["security_group_rules"]:
        assert member.neutron("DELETE", f"{PATH}/{rule['id']}").status == 204
    shown = get(member, "security-groups", fresh_group["id"])
    assert shown["security_group_rules"] == []
    assert shown["revision_number"] == fresh_group["revision_number"] + 2
    key = fresh_group["security_group_rules"][0]["id"]
    gone = (404, "SecurityGroupRuleNotFound", f"Security group rule {key} does not exist")
    assert member.neutron("DELETE", f"{PATH}/{key}").fault == gone
    assert member.neutron("GET", f"{PATH}/{key}").fault == gone


def test_rules_of_others_are_not_there(member: Client, other: Client, fresh_group: Doc) -> None:
    key = fresh_group["security_group_rules"][0]["id"]
    for method in ("GET", "DELETE"):
        assert other.neutron(method, f"{PATH}/{key}").fault[:2] == (404, "HTTPNotFound")


def test_a_rule_cannot_become_another(member: Client, fresh_group: Doc) -> None:
    key = fresh_group["security_group_rules"][0]["id"]
    refused = member.neutron("PUT", f"{PATH}/{key}", {"security_group_rule": {"protocol": "tcp"}})
    assert refused.fault == (400, "HTTPBadRequest", "Cannot update read-only attribute protocol")


def test_rules_by_filter(member: Client, fresh_group: Doc) -> None:
    own = f"security_group_id={fresh_group['id']}"
    assert add(member, fresh_group["id"], protocol="112", remote_ip_prefix="10.0.0.1/32").status == 201

    def found(query: str) -> int:
        return len(listed(member, "security-group-rules", f"{own}&{query}"))

    expected = {"direction=egress": 2, "protocol=112": 1, "ethertype=IPv6": 1, "remote_ip_prefix=10.0.0.1/32": 1}
    assert {query: found(query) for query in expected} == expected
    assert found("direction=egress&ethertype=IPv4") == 1
    for query in ("name=x", "tags=x"):
        refused = member.neutron("GET", f"{PATH}?{query}").fault
        text = f"['{query.partition('=')[0]}'] is invalid attribute for filtering"
        assert refused == (400, "HTTPBadRequest", text)
