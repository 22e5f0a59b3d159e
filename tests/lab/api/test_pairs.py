"""Allowed address pairs: replaced as a whole, kept as sent, ten at most."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.api.conftest import FIRST_MAC, FIRST_PORT, Answer, Client

VIP = "10.200.51.10"


def put(client: Client, pairs: Any) -> Answer:
    return client.neutron("PUT", f"/ports/{FIRST_PORT}", {"port": {"allowed_address_pairs": pairs}})


def held(answer: Answer) -> list[tuple[str, str]]:
    pairs = answer.body["port"]["allowed_address_pairs"]
    return [(pair["ip_address"], pair["mac_address"]) for pair in pairs]


def test_the_mac_is_the_ports_own_if_none_is_sent(demo: Client) -> None:
    assert held(put(demo, [{"ip_address": VIP}])) == [(VIP, FIRST_MAC)]


def test_a_put_replaces(demo: Client) -> None:
    put(demo, [{"ip_address": VIP}])
    assert held(put(demo, [{"ip_address": "10.200.51.11"}])) == [("10.200.51.11", FIRST_MAC)]


@pytest.mark.parametrize("nothing", [[], None])
def test_nothing_clears(demo: Client, nothing: Any) -> None:
    put(demo, [{"ip_address": VIP}])
    assert held(put(demo, nothing)) == []


@pytest.mark.parametrize(
    "pair",
    [
        {"ip_address": VIP, "mac_address": "00:00:5E:00:01:01"},
        {"ip_address": f"{VIP}/32"},
        {"ip_address": "10.200.51.10/24"},
        {"ip_address": "192.0.2.1"},
        {"ip_address": "0.0.0.0/0"},
        {"ip_address": "10.200.51.32"},
        {"ip_address": "10.200.51.33"},
        {"ip_address": "fe80::1"},
        {"ip_address": VIP, "mac_address": "01:00:5e:00:00:12"},
    ],
)
def test_kept_as_sent(demo: Client, pair: dict[str, str]) -> None:
    assert held(put(demo, [pair])) == [(pair["ip_address"], pair.get("mac_address", FIRST_MAC))]


def test_an_address_and_its_host_network_stand_side_by_side(demo: Client) -> None:
    assert len(held(put(demo, [{"ip_address": VIP}, {"ip_address": f"{VIP}/32"}]))) == 2


def test_ten_but_not_eleven(demo: Client) -> None:
    pairs = [{"ip_address": f"10.200.51.{last}"} for last in range(10, 21)]
    assert put(demo, pairs).fault == (
        400,
        "AllowedAddressPairExhausted",
        "The number of allowed address pair exceeds the maximum 10.",
    )
    assert len(held(put(demo, pairs[:10]))) == 10


@pytest.mark.parametrize(
    ("pairs", "kind"),
    [
        ([{"ip_address": VIP}, {"ip_address": VIP}], "DuplicateAddressPairInRequest"),
        ([{"ip_address": VIP}, {"ip_address": VIP, "mac_address": FIRST_MAC}], "DuplicateAddressPairInRequest"),
        ([{"mac_address": FIRST_MAC}], "AllowedAddressPairsMissingIP"),
        ([{"ip_address": "x"}], "HTTPBadRequest"),
        ([{"ip_address": VIP, "mac_address": "x"}], "HTTPBadRequest"),
        ([{"ip_address": VIP, "colour": "red"}], "HTTPBadRequest"),
        ("x", "HTTPBadRequest"),
    ],
)
def test_refused(demo: Client, pairs: Any, kind: str) -> None:
    put(demo, [{"ip_address": "10.200.51.9"}])
    assert put(demo, pairs).fault[:2] == (400, kind)
    kept = demo.neutron("GET", f"/ports/{FIRST_PORT}")
    assert held(kept) == [("10.200.51.9", FIRST_MAC)]


def test_pairs_and_groups_in_one_put(demo: Client) -> None:
    group = demo.neutron("POST", "/security-groups", {"security_group": {"name": "g"}}).body["security_group"]
    body = {"allowed_address_pairs": [{"ip_address": VIP}], "security_groups": [group["id"]]}
    port = demo.neutron("PUT", f"/ports/{FIRST_PORT}", {"port": body}).body["port"]
    assert port["security_groups"] == [group["id"]]
    assert port["revision_number"] == 2
