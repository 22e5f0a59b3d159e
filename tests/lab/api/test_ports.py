"""Ports: addresses, MACs, revisions, what is refused and in which words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.lab.api.conftest import FIRST_PORT, HA_LAB, SUBNET, Answer, Client, Login

V6 = "2001:db8:51::/64"


def make(client: Client, **values: Any) -> Answer:
    return client.neutron("POST", "/ports", {"port": {"network_id": HA_LAB, **values}})


def put(client: Client, port_id: str = FIRST_PORT, if_match: str = "", **values: Any) -> Answer:
    headers = {"If_Match": if_match} if if_match else {}
    return client.neutron("PUT", f"/ports/{port_id}", {"port": values}, **headers)


def addresses(answer: Answer) -> list[str]:
    return [item["ip_address"] for item in answer.body["port"]["fixed_ips"]]


def test_addresses_come_from_the_pool(demo: Client) -> None:
    assert addresses(make(demo)) == ["10.200.51.35"]
    assert addresses(make(demo, fixed_ips=[{"subnet_id": SUBNET}])) == ["10.200.51.36"]
    assert addresses(make(demo, fixed_ips=[])) == []


def test_an_address_outside_the_pool_is_fine_once(demo: Client) -> None:
    assert addresses(make(demo, fixed_ips=[{"ip_address": "10.200.51.10"}])) == ["10.200.51.10"]
    again = make(demo, fixed_ips=[{"subnet_id": SUBNET, "ip_address": "10.200.51.10"}])
    text = f"IP address 10.200.51.10 already allocated in subnet {SUBNET}"
    assert again.fault == (409, "IpAddressAlreadyAllocated", text)


@pytest.mark.parametrize("address", ["10.200.51.1", "10.200.51.33"])
def test_gateway_and_servers_addresses_are_taken(demo: Client, address: str) -> None:
    assert make(demo, fixed_ips=[{"ip_address": address}]).fault[:2] == (409, "IpAddressAlreadyAllocated")


@pytest.mark.parametrize("address", ["10.200.52.10", "10.200.51.255", "10.200.51.0"])
def test_an_address_that_no_host_can_have(demo: Client, address: str) -> None:
    assert make(demo, fixed_ips=[{"ip_address": address}]).fault[:2] == (400, "InvalidIpForNetwork")
    named = make(demo, fixed_ips=[{"ip_address": address, "subnet_id": SUBNET}])
    assert named.fault[:2] == (400, "InvalidIpForSubnet")


def test_a_gateway_that_no_port_holds_may_be_taken(demo: Client, login: Login) -> None:
    network = login("")("POST", "/lab/networks", {"name": "bare", "cidr": "10.9.0.0/24"}).body["network"]
    port = {"network_id": network["id"], "fixed_ips": [{"ip_address": "10.9.0.1"}]}
    assert demo.neutron("POST", "/ports", {"port": port}).status == 201


def test_a_full_pool(demo: Client, login: Login) -> None:
    body = {"name": "tiny", "cidr": "10.9.0.0/24", "pool": ["10.9.0.9", "10.9.0.9"]}
    network = login("")("POST", "/lab/networks", body).body["network"]
    port = {"port": {"network_id": network["id"]}}
    assert demo.neutron("POST", "/ports", port).status == 201
    assert demo.neutron("POST", "/ports", port).fault[:2] == (409, "IpAddressGenerationFailure")


def test_slaac_addresses_are_made_of_the_mac_and_none_can_be_chosen(demo: Client, login: Login) -> None:
    body = {"name": "six", "cidr": V6, "ipv6_mode": "slaac"}
    network = login("")("POST", "/lab/networks", body).body["network"]
    port = {"network_id": network["id"], "mac_address": "fa:16:3e:00:00:01"}
    made = demo.neutron("POST", "/ports", {"port": port})
    assert addresses(made) == ["2001:db8:51:0:f816:3eff:fe00:1"]
    chosen = {"network_id": network["id"], "fixed_ips": [{"ip_address": "2001:db8:51::10"}]}
    refused = demo.neutron("POST", "/ports", {"port": chosen})
    assert refused.fault[:2] == (400, "AllocationOnAutoAddressSubnet")
    assert "2001:db8:51::10 cannot be directly assigned" in refused.fault[2]


def test_stateful_ipv6_addresses_can_be_chosen(demo: Client, login: Login) -> None:
    body = {"name": "six", "cidr": V6, "ipv6_mode": "dhcpv6-stateful"}
    network = login("")("POST", "/lab/networks", body).body["network"]
    port = {"network_id": network["id"], "fixed_ips": [{"ip_address": "2001:db8:51:0::10"}]}
    assert addresses(demo.neutron("POST", "/ports", {"port": port})) == ["2001:db8:51::10"]


def test_a_mac_is_there_once_on_a_network(demo: Client) -> None:
    assert make(demo, mac_address="00:00:5E:00:01:33").body["port"]["mac_address"] == "00:00:5E:00:01:33"
    again = make(demo, mac_address="00:00:5e:00:01:33")
    text = f"Unable to complete operation for network {HA_LAB}. The mac address 00:00:5e:00:01:33 is in use."
    assert again.fault == (409, "MacAddressInUse", text)
    assert make(demo, mac_address="nonsense").status == 400


def test_a_refused_port_leaves_nothing(demo: Client) -> None:
    before = len(demo.neutron("GET", "/ports").body["ports"])
    assert make(demo, mac_address="00:00:5e:00:01:33", fixed_ips=[{"ip_address": "10.200.51.33"}]).status == 409
    assert len(demo.neutron("GET", "/ports").body["ports"]) == before
    assert make(demo, mac_address="00:00:5e:00:01:33").status == 201


def test_many_ports_are_made_all_or_none(demo: Client) -> None:
    good = {"network_id": HA_LAB, "fixed_ips": [{"ip_address": "10.200.51.10"}]}
    refused = demo.neutron("POST", "/ports", {"ports": [good, good]})
    assert refused.status == 409
    assert make(demo, fixed_ips=[{"ip_address": "10.200.51.10"}]).status == 201


def test_unknown_missing_and_read_only_attributes(demo: Client) -> None:
    assert make(demo, colour="red").fault == (400, "HTTPBadRequest", "Unrecognized attribute(s) 'colour'")
    assert make(demo, status="ACTIVE").fault[2] == "Attribute 'status' not allowed in POST"
    assert put(demo, network_id=HA_LAB).fault[2] == "Cannot update read-only attribute network_id"
    missing = demo.neutron("POST", "/ports", {"port": {}})
    assert missing.fault[2] == "Failed to parse request. Required attribute 'network_id' not specified"
    assert make(demo, admin_state_up="maybe").status == 400


def test_descriptions_hold_255_characters(demo: Client) -> None:
    assert make(demo, description="x" * 255).status == 201
    refused = make(demo, description="x" * 256)
    assert refused.fault[1:] == (
        "HTTPBadRequest",
        f"Invalid input for description. Reason: '{'x' * 256}' exceeds maximum length of 255.",
    )


def test_stale_revisions_are_412(demo: Client) -> None:
    assert put(demo, if_match="revision_number=1", name="a").body["port"]["revision_number"] == 2
    stale = put(demo, if_match="revision_number=1", name="b")
    assert stale.fault == (
        412,
        "RevisionNumberConstraintFailed",
        "Constrained to 1, but current revision is 2",
    )
    assert demo.neutron("DELETE", f"/ports/{FIRST_PORT}", If_Match="revision_number=1").status == 412
    assert demo.neutron("DELETE", f"/ports/{FIRST_PORT}", If_Match="revision_number=2").status == 204


def test_of_many_with_the_same_revision_one_wins(login: Login) -> None:
    clients = [login("demo") for _ in range(6)]
    with ThreadPoolExecutor(len(clients)) as pool:
        swaps = [
            pool.submit(put, client, if_match="revision_number=1", name=f"n{n}") for n, client in enumerate(clients)
        ]
        statuses = sorted(swap.result(timeout=10).status for swap in swaps)
    assert statuses == [200, 412, 412, 412, 412, 412]


def test_other_entity_tags_are_ignored(demo: Client) -> None:
    assert put(demo, if_match='"abc"', name="a").status == 200


def test_what_counts_as_a_revision(demo: Client) -> None:
    def revision() -> int:
        return int(demo.neutron("GET", f"/ports/{FIRST_PORT}").body["port"]["revision_number"])

    pairs = [{"ip_address": "10.200.51.10"}]
    steps: list[tuple[dict[str, Any], int]] = [
        ({"name": "a"}, 1),
        ({"name": "a"}, 0),
        ({"allowed_address_pairs": pairs}, 1),
        ({"allowed_address_pairs": pairs}, 1),
        ({"admin_state_up": False}, 1),
        ({"admin_state_up": False}, 0),
    ]
    for values, growth in steps:
        before = revision()
        assert put(demo, **values).status == 200
        assert revision() - before == growth, values


def test_tags(demo: Client) -> None:
    path = f"/ports/{FIRST_PORT}/tags"
    assert demo.neutron("PUT", path, {"tags": ["a/b", "c,d", "x" * 61]}).status == 200
    assert demo.neutron("GET", f"/ports/{FIRST_PORT}").body["port"]["revision_number"] == 2
    assert demo.neutron("PUT", path, {"tags": ["a/b", "c,d", "x" * 61]}).status == 200
    assert demo.neutron("GET", f"/ports/{FIRST_PORT}").body["port"]["revision_number"] == 2
    assert demo.neutron("PUT", path, {"tags": ["a", "a"]}).status == 400
    assert demo.neutron("PUT", f"{path}/one").status == 201
    assert "one" in demo.neutron("GET", path).body["tags"]
    assert demo.neutron("GET", f"{path}/one").status == 204
    assert demo.neutron("DELETE", f"{path}/one").status == 204
    assert demo.neutron("DELETE", f"{path}/one").fault[:2] == (404, "TagNotFound")
    assert demo.neutron("DELETE", path).status == 204
    assert demo.neutron("GET", path).body["tags"] == []


def test_without_port_security_there_are_no_groups_and_no_pairs(demo: Client) -> None:
    assert put(demo, port_security_enabled=False).fault[:2] == (409, "PortSecurityPortHasSecurityGroup")
    assert put(demo, port_security_enabled=False, security_groups=[]).status == 200
    pairs = [{"ip_address": "10.200.51.10"}]
    assert put(demo, allowed_address_pairs=pairs).fault == (
        409,
        "AddressPairAndPortSecurityRequired",
        "Port Security must be enabled in order to have allowed address pairs on a port.",
    )
    both = make(demo, port_security_enabled=False, allowed_address_pairs=pairs)
    assert both.fault[:2] == (409, "AddressPairAndPortSecurityRequired")


def test_addresses_can_be_changed(demo: Client) -> None:
    changed = put(demo, fixed_ips=[{"ip_address": "10.200.51.32"}, {"ip_address": "10.200.51.40"}])
    assert addresses(changed) == ["10.200.51.32", "10.200.51.40"]
    assert put(demo, fixed_ips=[{"ip_address": "10.200.51.33"}]).status == 409


def test_deleting(demo: Client) -> None:
    router_port = "a8389d5e-6bd0-4368-a6fb-249127f9cdca"
    refused = demo.neutron("DELETE", f"/ports/{router_port}")
    assert refused.fault[:2] == (409, "ServicePortInUse")
    assert refused.fault[2].endswith("has device owner network:router_interface.")
    port_id = make(demo).body["port"]["id"]
    assert demo.neutron("DELETE", f"/ports/{port_id}").status == 204
    gone = demo.neutron("DELETE", f"/ports/{port_id}")
    assert gone.fault == (404, "PortNotFound", f"Port {port_id} could not be found.")


def test_quota(demo: Client, login: Login) -> None:
    limit = len(demo.neutron("GET", "/ports").body["ports"]) + 1
    login("")("PUT", "/lab/quotas", {demo.project_id: {"port": limit}})
    details = demo.neutron("GET", f"/quotas/{demo.project_id}/details.json").body["quota"]
    assert details["port"] == {"limit": limit, "used": limit - 1, "reserved": 0}
    assert make(demo).status == 201
    assert make(demo).fault == (409, "OverQuota", "Quota exceeded for resources: ['port'].")
    assert demo.neutron("GET", f"/quotas/{demo.project_id}").body["quota"]["port"] == limit


def test_a_broken_body_is_400(demo: Client) -> None:
    assert demo.neutron("PUT", f"/ports/{FIRST_PORT}", ["not an object"]).status == 400
    assert demo.neutron("PUT", f"/ports/{FIRST_PORT}", {"prot": {}}).status == 400
