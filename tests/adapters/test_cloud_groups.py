"""Security groups: made whole or not at all."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
import requests
import requests_mock

from haos.adapters.cloud import OpenStackCloud
from haos.core.model import SecurityRule
from haos.errors import CloudError, LeftoverError, QuotaError
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
    assert steps(mock) == ["POST /security-groups", *BORN, "POST /security-group-rules"]
    assert mock.request_history[0].json() == {"security_group": {"name": "haos-web", "description": "haos:vip x"}}
    assert mock.request_history[3].json() == {
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
        (LOST, CloudError),
        ({"exc": KeyboardInterrupt}, KeyboardInterrupt),
    ],
)
def test_a_group_that_cannot_be_finished_is_deleted(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answer: dict[str, Any], error: type[BaseException]
) -> None:
    mock.post(f"{NEUTRON}/security-groups", json={"security_group": GROUP}, status_code=201)
    mock.delete(requests_mock.ANY, status_code=204)
    mock.post(f"{NEUTRON}/security-group-rules", [answer])
    with pytest.raises(error):
        cloud.make_group("haos-web", "haos:vip x", [RULE])
    assert steps(mock)[-2:] == ["POST /security-group-rules", UNDONE]


def test_a_group_that_cannot_be_undone_is_named(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NEUTRON}/security-groups", json={"security_group": GROUP}, status_code=201)
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
    assert steps(mock) == ["POST /security-groups", "GET /security-groups", *BORN, "POST /security-group-rules"]


@pytest.mark.parametrize("count", [0, 2])
def test_a_group_that_cannot_be_told_to_be_ours_is_an_error(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, count: int
) -> None:
    mine = {**GROUP, "description": "haos:vip x"}
    mock.post(f"{NEUTRON}/security-groups", [LOST])
    mock.get(f"{NEUTRON}/security-groups", json={"security_groups": [mine] * count})
    with pytest.raises(CloudError, match="cannot make security group haos-web"):
        cloud.make_group("haos-web", "haos:vip x", [RULE])
    assert steps(mock) == ["POST /security-groups", "GET /security-groups"]
