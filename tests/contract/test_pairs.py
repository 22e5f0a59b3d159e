"""Allowed address pairs: replaced as a whole, kept as sent, ten at most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import Network, get_port, make_port, put_port, remove_port

VIP = "10.200.51.10"
MAC = "fa:16:3e:8d:dc:bb"


@pytest.fixture(scope="module")
def port(member: Client, network: Network) -> Iterator[str]:
    """The id of one port, with a known MAC, whose pairs each test sets as a whole."""
    port_id = make_port(member, network, mac_address=MAC).body["port"]["id"]
    yield port_id
    remove_port(member, port_id)


def put(client: Client, port_id: str, pairs: Any) -> Answer:
    return put_port(client, port_id, allowed_address_pairs=pairs)


def held(port: dict[str, Any]) -> set[tuple[str, str]]:
    return {(pair["ip_address"], pair["mac_address"]) for pair in port["allowed_address_pairs"]}


def test_the_mac_is_the_ports_own_if_none_is_sent(member: Client, network: Network, port: str) -> None:
    assert held(put(member, port, [{"ip_address": VIP}]).body["port"]) == {(VIP, MAC)}
    born = make_port(member, network, allowed_address_pairs=[{"ip_address": VIP}]).body["port"]
    assert held(born) == {(VIP, born["mac_address"])}


def test_a_put_replaces(member: Client, port: str) -> None:
    put(member, port, [{"ip_address": VIP}])
    put(member, port, [{"ip_address": "10.200.51.11"}])
    assert held(get_port(member, port)) == {("10.200.51.11", MAC)}


@pytest.mark.parametrize("nothing", [[], None])
def test_nothing_clears(member: Client, port: str, nothing: Any) -> None:
    put(member, port, [{"ip_address": VIP}])
    assert held(put(member, port, nothing).body["port"]) == set()


@pytest.mark.parametrize(
    "pair",
    [
        {"ip_address": VIP, "mac_address": "00:00:5E:00:01:01"},
        {"ip_address": f"{VIP}/32"},
        {"ip_address": "192.0.2.1"},
        {"ip_address": "0.0.0.0/0"},
        {"ip_address": "10.200.51.1"},
        {"ip_address": "fe80::1"},
        {"ip_address": VIP, "mac_address": "01:00:5e:00:00:12"},
    ],
)
def test_kept_as_sent(member: Client, port: str, pair: dict[str, str]) -> None:
    assert put(member, port, [pair]).status == 200
    assert held(get_port(member, port)) == {(pair["ip_address"], pair.get("mac_address", MAC))}


def test_an_address_and_its_host_network_stand_side_by_side(member: Client, port: str) -> None:
    assert len(held(put(member, port, [{"ip_address": VIP}, {"ip_address": f"{VIP}/32"}]).body["port"])) == 2


def test_an_address_may_have_two_macs(member: Client, port: str) -> None:
    pairs = [{"ip_address": VIP}, {"ip_address": VIP, "mac_address": "00:00:5e:00:01:01"}]
    assert held(put(member, port, pairs).body["port"]) == {(VIP, MAC), (VIP, "00:00:5e:00:01:01")}


def test_ten_but_not_eleven(member: Client, port: str) -> None:
    pairs = [{"ip_address": f"10.200.51.{last}"} for last in range(10, 21)]
    assert put(member, port, pairs).fault == (
        400,
        "AllowedAddressPairExhausted",
        "The number of allowed address pair exceeds the maximum 10.",
    )
    assert len(held(put(member, port, pairs[:10]).body["port"])) == 10


@pytest.mark.parametrize(
    ("pairs", "kind", "text"),
    [
        (
            [{"ip_address": VIP}, {"ip_address": VIP}],
            "DuplicateAddressPairInRequest",
            f"Request contains duplicate address pair: mac_address None ip_address {VIP}.",
        ),
        (
            [{"ip_address": VIP}, {"ip_address": VIP, "mac_address": MAC.upper()}],
            "DuplicateAddressPairInRequest",
            f"Request contains duplicate address pair: mac_address {MAC.upper()} ip_address {VIP}.",
        ),
        (
            [{"mac_address": MAC}],
            "AllowedAddressPairsMissingIP",
            "AllowedAddressPair must contain ip_address",
        ),
        ([{"ip_address": "x"}], "HTTPBadRequest", "'x' is not a valid IP address"),
        ([{"ip_address": VIP, "mac_address": "x"}], "HTTPBadRequest", "'x' is not a valid MAC address"),
        ([{"ip_address": VIP, "colour": "red"}], "HTTPBadRequest", "Unrecognized attribute(s) 'colour'"),
        ("x", "HTTPBadRequest", "Allowed address pairs must be a list."),
    ],
)
def test_refused(member: Client, port: str, pairs: Any, kind: str, text: str) -> None:
    before = held(get_port(member, port))
    assert put(member, port, pairs).fault == (400, kind, text)
    assert held(get_port(member, port)) == before


def test_pairs_and_groups_in_one_put(member: Client, port: str) -> None:
    before = get_port(member, port)
    body: dict[str, Any] = {"allowed_address_pairs": [{"ip_address": VIP}], "security_groups": []}
    changed = put_port(member, port, **body).body["port"]
    assert (held(changed), changed["security_groups"]) == ({(VIP, MAC)}, [])
    assert changed["revision_number"] == before["revision_number"] + 1
    put_port(member, port, security_groups=before["security_groups"])


def test_pairs_cannot_be_asked_for(member: Client) -> None:
    answer = member.neutron("GET", f"/ports?allowed_address_pairs={VIP}")
    assert answer.fault[:2] == (400, "HTTPBadRequest")
