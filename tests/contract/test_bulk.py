"""Many ports in one request: all are made or none."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import Network, make_port


def make(client: Client, network: Network, *ports: dict[str, Any]) -> Answer:
    return client.neutron("POST", "/ports", {"ports": [{"network_id": network.id, **port} for port in ports]})


def ids(client: Client, network: Network) -> set[str]:
    return {port["id"] for port in client.neutron("GET", f"/ports?network_id={network.id}").body["ports"]}


def test_all_are_made_in_the_order_sent(member: Client, network: Network) -> None:
    pairs = [{"ip_address": "10.200.51.10"}]
    made = make(member, network, {"name": "first", "allowed_address_pairs": pairs}, {"name": "second"})
    assert made.status == 201
    assert [(port["name"], len(port["allowed_address_pairs"])) for port in made.body["ports"]] == [
        ("first", 1),
        ("second", 0),
    ]


@pytest.mark.parametrize(
    ("second", "status", "kind"),
    [
        ({"fixed_ips": [{"ip_address": "10.200.51.12"}]}, 409, "IpAddressAlreadyAllocated"),
        ({"colour": "red"}, 400, "HTTPBadRequest"),
        ({"network_id": "9a027a94-e688-45cb-a653-e223ccc9f72e"}, 404, "NetworkNotFound"),
        ({"binding:host_id": "x"}, 403, "PolicyNotAuthorized"),
    ],
)
def test_or_none(member: Client, network: Network, second: dict[str, Any], status: int, kind: str) -> None:
    before = ids(member, network)
    first = {"fixed_ips": [{"ip_address": "10.200.51.12"}]}
    assert make(member, network, first, second).fault[:2] == (status, kind)
    assert ids(member, network) == before


@pytest.mark.parametrize("nothing", [[], {}])
def test_nothing_is_refused(member: Client, nothing: Any) -> None:
    refused = member.neutron("POST", "/ports", {"ports": nothing})
    assert refused.fault == (400, "HTTPBadRequest", "Resources required")


def test_what_is_no_port(member: Client) -> None:
    refused = member.neutron("POST", "/ports", {"ports": ["x"]})
    assert refused.fault == (400, "HTTPBadRequest", "Object 'port' contains invalid data")


def test_a_reader_makes_none(reader: Client, network: Network) -> None:
    refused = make(reader, network, {}, {})
    assert refused.fault == (403, "PolicyNotAuthorized", "rule:create_port is disallowed by policy")


def test_tags_are_not_set_where_a_port_is_made(member: Client, network: Network) -> None:
    for port in (
        make(member, network, {"tags": ["a"]}, {}).body["ports"][0],
        make_port(member, network, tags=["a"]).body["port"],
    ):
        assert member.neutron("GET", f"/ports/{port['id']}/tags").body == {"tags": []}
