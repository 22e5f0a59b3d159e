"""Security groups: made whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
import requests
import requests_mock

from haos.adapters.cloud import OpenStackCloud
from haos.core.model import SecurityGroup, SecurityRule
from haos.errors import LeftoverError, NotFoundError, QuotaError, UncertainError
from tests.adapters.cloud_double import NEUTRON, asked, fixture

LOST = {"exc": requests.exceptions.ConnectionError}


def steps(mock: requests_mock.Mocker) -> list[str]:
    """Return "METHOD path" of every request."""
    return [line.split("?")[0].replace("/network/v2.0", "") for line in asked(mock)]


RULE = SecurityRule("ingress", 4, "112", remote_ip=ip_network("10.200.51.32/32"))
GROUP = fixture("neutron/group")["security_group"]
BORN = [f"DELETE /security-group-rules/{rule['id']}" for rule in GROUP["security_group_rules"]]
UNDONE = f"DELETE /security-groups/{GROUP['id']}"
RULE_ANSWER = {"id": "r", "direction": "ingress", "ethertype": "IPv4", "protocol": "112"}


def test_a_group_has_exactly_the_rules_asked_for(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NEUTRON}/security-groups", json={"security_group": GROUP}, status_code=201)
    mock.delete(requests_mock.ANY, status_code=204)
    mock.post(f"{NEUTRON}/security-group-rules", json={"security_group_rules": [RULE_ANSWER]}, status_code=201)
    group = cloud.make_group("haos-web", "haos:vip x", [RULE])
    assert [rule.protocol for rule in group.rules] == ["112"]
    assert len(BORN) == 2
    assert steps(mock) == ["POST /security-groups", "POST /security-group-rules", *BORN]
    assert mock.request_history[0].json() == {"security_group": {"name": "haos-web", "description": "haos:vip x"}}
    assert mock.request_history[1].json() == {
        "security_group_rules": [
            {
                "security_group_id": GROUP["id"],
                "direction": "ingress",
                "ethertype": "IPv4",
                "protocol": "112",
                "remote_ip_prefix": "10.200.51.32/32",
            }
        ]
    }


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status_code": 409, "json": fixture("neutron/409-quota")}, QuotaError),
        (LOST, UncertainError),
        ({"exc": KeyboardInterrupt}, KeyboardInterrupt),
    ],
)
def test_a_group_that_cannot_be_finished_is_deleted(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answer: dict[str, Any], error: type[BaseException]
) -> None:
    mock.post(f"{NEUTRON}/security-groups", json={"security_group": GROUP}, status_code=201)
    mock.delete(requests_mock.ANY, status_code=204)
    mock.get(f"{NEUTRON}/security-groups", json={"security_groups": [GROUP]})
    mock.post(f"{NEUTRON}/security-group-rules", [answer])
    with pytest.raises(error):
        cloud.make_group("haos-web", "haos:vip x", [RULE])
    assert "POST /security-group-rules" in steps(mock)
    assert steps(mock)[-1] == UNDONE
    assert not set(BORN) & set(steps(mock))


def test_a_group_that_cannot_be_undone_is_named(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NEUTRON}/security-groups", json={"security_group": GROUP}, status_code=201)
    mock.post(f"{NEUTRON}/security-group-rules", json={"security_group_rules": [RULE_ANSWER]}, status_code=201)
    mock.delete(requests_mock.ANY, status_code=403, json=fixture("neutron/403-pairs"))
    with pytest.raises(LeftoverError, match=f"Not undone: security group {GROUP['id']}"):
        cloud.make_group("haos-web", "haos:vip x", [RULE])


def test_a_group_whose_answer_was_lost_is_adopted(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mine = {**GROUP, "description": "haos:vip x"}
    mock.post(f"{NEUTRON}/security-groups", [LOST])
    found = {"security_groups": [{**GROUP, "id": "other", "description": "haos:vip y"}, mine]}
    mock.get(f"{NEUTRON}/security-groups", json=found)
    mock.delete(requests_mock.ANY, status_code=204)
    mock.post(f"{NEUTRON}/security-group-rules", json={"security_group_rules": [RULE_ANSWER]}, status_code=201)
    assert cloud.make_group("haos-web", "haos:vip x", [RULE]).id == GROUP["id"]
    looked = ["POST /security-groups", "GET /security-groups"]
    assert steps(mock) == [*looked, "POST /security-group-rules", *BORN]


def test_a_group_that_was_not_made_is_made_again(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NEUTRON}/security-groups", [LOST, {"json": {"security_group": GROUP}, "status_code": 201}])
    mock.get(f"{NEUTRON}/security-groups", json={"security_groups": []})
    answers(mock)
    assert cloud.make_group("haos-web", "haos:vip x", [RULE]).id == GROUP["id"]
    looks = ["GET /security-groups"] * 2  # at once, and before it is asked for again
    rules = ["POST /security-group-rules", *BORN]
    assert steps(mock) == ["POST /security-groups", *looks, "POST /security-groups", *rules]


def test_a_group_of_which_nothing_is_heard_any_more_is_uncertain(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    mock.post(f"{NEUTRON}/security-groups", [LOST])
    mock.get(f"{NEUTRON}/security-groups", [LOST])
    with pytest.raises(UncertainError, match="cannot list security groups"):
        cloud.make_group("haos-web", "haos:vip x", [RULE])


def with_ids(*rules: SecurityRule) -> SecurityGroup:
    numbered = tuple(replace(rule, id=f"r{number}") for number, rule in enumerate(rules))
    return SecurityGroup("g", "haos-web", "p", rules=numbered)


def answers(mock: requests_mock.Mocker, *first: dict[str, Any]) -> None:
    """Answer the creation of rules as Neutron does, after these answers."""

    def made(request: Any, _: Any) -> dict[str, Any]:
        asked_for = request.json()["security_group_rules"]
        return {"security_group_rules": [{**body, "id": f"n{n}"} for n, body in enumerate(asked_for)]}

    mock.post(f"{NEUTRON}/security-group-rules", [*first, {"json": made, "status_code": 201}])
    mock.delete(requests_mock.ANY, status_code=204)


EXISTS = {
    "NeutronError": {
        "type": "SecurityGroupRuleExists",
        "message": "Security group rule already exists. Rule id is r.",
        "detail": "",
    }
}
OTHER = replace(RULE, remote_ip=ip_network("10.200.51.33/32"))
NEW = replace(RULE, remote_ip=ip_network("10.200.51.34/32"))


def test_rules_are_changed_by_the_fewest_requests(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    answers(mock)
    out = replace(NEW, direction="egress")
    group = cloud.set_rules(with_ids(RULE, OTHER), [RULE, NEW, out])
    assert steps(mock) == ["POST /security-group-rules", "DELETE /security-group-rules/r1"]
    assert len(mock.request_history[0].json()["security_group_rules"]) == 2
    assert [(rule.id, rule.remote_ip) for rule in group.rules] == [
        ("r0", RULE.remote_ip),
        ("n0", NEW.remote_ip),
        ("n1", NEW.remote_ip),
    ]


@pytest.mark.parametrize("spelling", ["112", "vrrp", "VRRP"])
def test_rules_that_are_right_cost_no_request(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, spelling: str
) -> None:
    group = with_ids(replace(RULE, protocol=spelling))
    assert cloud.set_rules(group, [RULE]) == group
    assert steps(mock) == []


def test_one_of_two_rules_that_mean_the_same_is_deleted(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    answers(mock)
    group = cloud.set_rules(with_ids(RULE, replace(RULE, protocol="vrrp")), [RULE])
    assert steps(mock) == ["DELETE /security-group-rules/r1"]
    assert [rule.id for rule in group.rules] == ["r0"]


@pytest.mark.parametrize("arrived", [False, True])
def test_rules_whose_answer_was_lost_are_looked_up(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, arrived: bool
) -> None:
    answers(mock, LOST)
    rules = [{**RULE_ANSWER, "remote_ip_prefix": "10.200.51.34/32"}] if arrived else []
    mock.get(f"{NEUTRON}/security-groups", json={"security_groups": [{**GROUP, "security_group_rules": rules}]})
    group = cloud.set_rules(with_ids(), [NEW])
    again = [] if arrived else ["POST /security-group-rules"]
    assert steps(mock) == ["POST /security-group-rules", "GET /security-groups", *again]
    assert [rule.remote_ip for rule in group.rules] == [NEW.remote_ip]


def test_rules_that_somebody_else_made_meanwhile_are_his_and_ours(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    answers(mock, {"status_code": 409, "json": EXISTS})
    rules = [{**RULE_ANSWER, "remote_ip_prefix": "10.200.51.34/32"}]
    mock.get(f"{NEUTRON}/security-groups", json={"security_groups": [{**GROUP, "security_group_rules": rules}]})
    group = cloud.set_rules(with_ids(), [NEW])
    assert steps(mock) == ["POST /security-group-rules", "GET /security-groups"]
    assert [rule.remote_ip for rule in group.rules] == [NEW.remote_ip]


def test_nothing_is_deleted_if_nothing_could_be_added(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    answers(mock, {"status_code": 409, "json": fixture("neutron/409-quota")})
    with pytest.raises(QuotaError):
        cloud.set_rules(with_ids(RULE), [NEW])
    assert steps(mock) == ["POST /security-group-rules"]


def test_rules_of_a_group_that_is_gone(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    answers(mock, LOST)
    mock.get(f"{NEUTRON}/security-groups", json={"security_groups": []})
    with pytest.raises(NotFoundError, match=r"security group g \(haos-web\) is gone"):
        cloud.set_rules(with_ids(), [NEW])


def test_a_description_is_rewritten_and_again_where_the_answer_was_lost(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    marked = {**GROUP, "description": "haos:vip new"}
    mock.put(f"{NEUTRON}/security-groups/{GROUP['id']}", [LOST, {"json": {"security_group": marked}}])
    group = SecurityGroup(GROUP["id"], "haos-web", "p", "haos:vip old")
    assert cloud.mark_group(group, "haos:vip new").description == "haos:vip new"
    assert steps(mock) == [f"PUT /security-groups/{GROUP['id']}"] * 2
    assert mock.request_history[-1].json() == {"security_group": {"description": "haos:vip new"}}
