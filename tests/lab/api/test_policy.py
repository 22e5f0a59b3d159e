"""Who may do what: the network's owner, another project on a shared network, a reader, an admin."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.api.conftest import FIRST, FIRST_PORT, HA_LAB, Answer, Client, Login


@pytest.fixture
def shared(demo: Client) -> str:
    """The id of the other project's shared network."""
    (network,) = demo.neutron("GET", "/networks?name=shared_lab").body["networks"]
    return str(network["id"])


def make(client: Client, network: str, **values: Any) -> Answer:
    return client.neutron("POST", "/ports", {"port": {"network_id": network, **values}})


def test_on_a_shared_network_one_gets_a_port_but_no_choice(demo: Client, shared: str) -> None:
    (subnet,) = demo.neutron("GET", f"/subnets?network_id={shared}").body["subnets"]
    assert make(demo, shared).status == 201
    assert make(demo, shared, fixed_ips=[{"subnet_id": subnet["id"]}]).status == 201
    for address in ("10.200.77.10", "10.200.77.50"):
        refused = make(demo, shared, fixed_ips=[{"subnet_id": subnet["id"], "ip_address": address}])
        rule = "rule:create_port:fixed_ips"
        assert refused.fault == (
            403,
            "PolicyNotAuthorized",
            f"(rule:create_port and ({rule} and ({rule}:subnet_id and {rule}:ip_address))) is disallowed by policy",
        )
    assert make(demo, shared, mac_address="00:00:5e:00:01:33").status == 403
    assert make(demo, shared, port_security_enabled=False).status == 403
    assert make(demo, shared, device_owner="network:mine").status == 403
    assert make(demo, shared, device_owner="haos:vip").status == 201


def test_no_pairs_on_ones_own_port_of_a_shared_network(demo: Client, shared: str) -> None:
    port_id = make(demo, shared).body["port"]["id"]
    path = f"/ports/{port_id}"
    pairs = {"port": {"allowed_address_pairs": [{"ip_address": "10.200.77.10"}]}}
    assert demo.neutron("PUT", path, pairs).fault == (
        403,
        "PolicyNotAuthorized",
        "(rule:update_port and (rule:update_port:allowed_address_pairs and"
        " (rule:update_port:allowed_address_pairs:ip_address))) is disallowed by policy",
    )
    assert demo.neutron("PUT", path, {"port": {"port_security_enabled": False}}).status == 403
    assert demo.neutron("PUT", path, {"port": {"fixed_ips": [{"ip_address": "10.200.77.10"}]}}).status == 403
    assert demo.neutron("PUT", path, {"port": {"name": "mine"}}).status == 200
    assert demo.neutron("PUT", f"{path}/tags", {"tags": ["t"]}).status == 200


def test_the_owner_of_the_network_sees_guests_ports_but_does_not_set_their_pairs(
    demo: Client, login: Login, shared: str
) -> None:
    other = login("other")
    path = f"/ports/{make(demo, shared).body['port']['id']}"
    pairs = {"port": {"allowed_address_pairs": [{"ip_address": "10.200.77.10"}]}}
    assert other.neutron("GET", path).status == 200
    assert other.neutron("PUT", path, pairs).status == 403
    assert make(other, shared, fixed_ips=[{"ip_address": "10.200.77.10"}]).status == 201
    assert login("admin").neutron("PUT", path, pairs).status == 200
    assert other.neutron("DELETE", path).status == 204


def test_on_ones_own_network_one_may_choose(demo: Client) -> None:
    assert make(demo, HA_LAB, device_owner="network:haos").status == 201
    assert make(demo, HA_LAB, device_owner="compute:nova").status == 201
    assert make(demo, HA_LAB, mac_address="00:00:5e:00:01:01").status == 201
    assert make(demo, HA_LAB, port_security_enabled=False, security_groups=[]).status == 201
    refused = make(demo, HA_LAB, **{"binding:host_id": "lab-host-1"})
    assert refused.fault[2] == "(rule:create_port and rule:create_port:binding:host_id) is disallowed by policy"


def test_a_members_mac_cannot_be_changed_later(demo: Client) -> None:
    body = {"port": {"mac_address": "00:00:5e:00:01:01"}}
    assert demo.neutron("PUT", f"/ports/{FIRST_PORT}", body).status == 403


def test_what_others_have_is_not_there(login: Login) -> None:
    other = login("other")
    assert other.neutron("GET", f"/ports/{FIRST_PORT}").fault[:2] == (404, "PortNotFound")
    assert other.neutron("PUT", f"/ports/{FIRST_PORT}", {"port": {"name": "x"}}).status == 404
    assert other.neutron("DELETE", f"/ports/{FIRST_PORT}").status == 404
    assert other.neutron("GET", f"/networks/{HA_LAB}").fault[:2] == (404, "NetworkNotFound")
    assert make(other, HA_LAB).fault[:2] == (404, "NetworkNotFound")
    assert other.neutron("GET", "/ports").body["ports"] == []
    assert other.nova("GET", "/servers").body["servers"] == []
    assert other.nova("GET", f"/servers/{FIRST}").body["itemNotFound"]["code"] == 404


def test_a_reader_reads(login: Login) -> None:
    reader = login("reader")
    assert len(reader.neutron("GET", "/ports").body["ports"]) == 4
    writes: list[tuple[str, str, Any]] = [
        ("POST", "/ports", {"port": {"network_id": HA_LAB}}),
        ("PUT", f"/ports/{FIRST_PORT}", {"port": {"name": "x"}}),
        ("DELETE", f"/ports/{FIRST_PORT}", None),
        ("POST", "/security-groups", {"security_group": {"name": "x"}}),
        ("POST", "/networks", {"network": {"name": "x"}}),
        ("PUT", f"/ports/{FIRST_PORT}/tags", {"tags": []}),
    ]
    for method, path, body in writes:
        assert reader.neutron(method, path, body).fault[:2] == (403, "PolicyNotAuthorized"), (method, path)
    stop = reader.nova("POST", f"/servers/{FIRST}/action", {"os-stop": None})
    assert stop.body["forbidden"]["code"] == 403


def test_bindings_are_for_admins(demo: Client, login: Login) -> None:
    seen = demo.neutron("GET", f"/ports/{FIRST_PORT}").body["port"]
    assert [name for name in seen if name.startswith("binding:")] == ["binding:vnic_type"]
    assert not [name for name in seen if name.startswith("_")]
    everything = login("admin").neutron("GET", f"/ports/{FIRST_PORT}").body["port"]
    assert everything["binding:host_id"] == "lab-host-1"
    assert everything["binding:vif_type"] == "ovs"


def test_only_admins_make_things_for_others(demo: Client, login: Login) -> None:
    other = login("other")
    body = {"security_group": {"name": "x", "tenant_id": other.project_id}}
    refused = demo.neutron("POST", "/security-groups", body)
    assert refused.fault[:2] == (400, "HTTPBadRequest")
    assert "requires admin or advsvc privileges" in refused.fault[2]
    made = login("admin").neutron("POST", "/security-groups", body).body["security_group"]
    assert other.neutron("GET", f"/security-groups/{made['id']}").status == 200


def test_sharing_is_for_admins(demo: Client) -> None:
    refused = demo.neutron("POST", "/networks", {"network": {"name": "x", "shared": True}})
    assert refused.fault[2] == "(rule:create_network and rule:create_network:shared) is disallowed by policy"


def test_agents_and_zones_are_empty_for_members(demo: Client) -> None:
    for name in ("agents", "availability_zones"):
        answer = demo.neutron("GET", f"/{name}")
        assert (answer.status, answer.body) == (200, {name: []})
