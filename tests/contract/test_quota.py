"""A project's quotas: what is left, who may ask, and what is said when nothing is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.client import Client
from tests.contract.places import Network, made_network, make_port

PORTS_FULL = (409, "OverQuota", "Quota exceeded for resources: ['port'].")


@pytest.fixture
def limited(other: Client, admin: Client) -> Iterator[Network]:
    """A network of the other project, which may have one more port than it has; its quota is reset at the end."""
    with made_network(other, admin) as network:
        used = other.neutron("GET", f"/quotas/{other.project_id}/details.json").body["quota"]["port"]["used"]
        quota = {"quota": {"port": used + 1}}
        assert admin.neutron("PUT", f"/quotas/{other.project_id}", quota).body["quota"]["port"] == used + 1
        yield network
        assert admin.neutron("DELETE", f"/quotas/{other.project_id}").status == 204


def test_limits_and_what_is_used(member: Client, reader: Client) -> None:
    names = {"network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule"}
    for client in (member, reader):
        limits = client.neutron("GET", f"/quotas/{member.project_id}").body["quota"]
        details = client.neutron("GET", f"/quotas/{member.project_id}/details.json").body["quota"]
        assert names <= limits.keys() == details.keys()
        for name in names:
            assert details[name].keys() == {"limit", "used", "reserved"}
            assert details[name]["limit"] == limits[name]


def test_one_more_port_but_not_two(other: Client, limited: Network) -> None:
    assert make_port(other, limited).status == 201
    assert make_port(other, limited).fault == PORTS_FULL
    details = other.neutron("GET", f"/quotas/{other.project_id}/details.json").body["quota"]["port"]
    assert details["used"] == details["limit"]


def test_the_quota_is_looked_at_after_the_body_and_before_the_policy(other: Client, limited: Network) -> None:
    both = {"ports": [{"network_id": limited.id}] * 2}
    assert other.neutron("POST", "/ports", both).fault == PORTS_FULL
    assert make_port(other, limited).status == 201
    assert make_port(other, limited, mac_address="x").fault[:2] == (400, "HTTPBadRequest")
    assert make_port(other, limited, fixed_ips=[{"ip_address": "10.200.77.1"}]).fault == PORTS_FULL
    assert make_port(other, limited, **{"binding:host_id": "x"}).fault == PORTS_FULL


def test_only_admins_set_quotas(member: Client) -> None:
    path = f"/quotas/{member.project_id}"
    refused = member.neutron("PUT", path, {"quota": {"port": 10}})
    assert refused.fault == (403, "PolicyNotAuthorized", "rule:update_quota is disallowed by policy")
    refused = member.neutron("DELETE", path)
    assert refused.fault == (403, "PolicyNotAuthorized", "rule:delete_quota is disallowed by policy")


def test_others_quotas_are_for_admins(member: Client, other: Client, admin: Client) -> None:
    path = f"/quotas/{other.project_id}"
    for own in (path, f"{path}/default"):
        refused = member.neutron("GET", own)
        assert refused.fault == (403, "PolicyNotAuthorized", "rule:get_quota is disallowed by policy")
    assert member.neutron("GET", f"{path}/details.json").fault == (
        403,
        "AdminRequired",
        "User does not have admin privileges: Only admin is authorized to access quotas for another project.",
    )
    assert admin.neutron("GET", f"{path}/details.json").status == 200


def test_what_is_no_limit(other: Client, admin: Client, limited: Network) -> None:
    path = f"/quotas/{other.project_id}"
    wrong = [
        ({"port": "x"}, "InvalidInput", "Invalid input for operation: 'x' is not an integer."),
        ({"colour": 1}, "HTTPBadRequest", "Unrecognized attribute(s) 'colour'"),
        (
            {"port": -2},
            "HTTPBadRequest",
            "Invalid input for port. Reason: '-2' is too small - must be at least '-1'.",
        ),
    ]
    for quota, kind, text in wrong:
        assert admin.neutron("PUT", path, {"quota": quota}).fault == (400, kind, text)
    assert make_port(other, limited).status == 201
    below = admin.neutron("PUT", path, {"quota": {"port": 0}})
    assert below.fault[:2] == (400, "HTTPBadRequest")
    assert below.fault[2].startswith("Quota limit 0 for port must be greater than or equal to already used ")
