"""The quota of security groups and rules. All else of them is in tests/contract."""

from __future__ import annotations

from tests.lab.api.conftest import Client, Login


def test_quota_of_groups_and_rules(demo: Client, login: Login) -> None:
    group = demo.neutron("POST", "/security-groups", {"security_group": {"name": "g"}}).body["security_group"]
    groups = len(demo.neutron("GET", "/security-groups").body["security_groups"])
    rules = len(demo.neutron("GET", "/security-group-rules").body["security_group_rules"])
    limits = {"security_group": groups, "security_group_rule": rules}
    login("")("PUT", "/lab/quotas", {demo.project_id: limits})
    refused = demo.neutron("POST", "/security-groups", {"security_group": {"name": "h"}})
    assert refused.fault == (409, "OverQuota", "Quota exceeded for resources: ['security_group'].")
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "112"}
    assert demo.neutron("POST", "/security-group-rules", {"security_group_rule": rule}).fault[1] == "OverQuota"
