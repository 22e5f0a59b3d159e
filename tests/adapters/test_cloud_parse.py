"""Conversions: what a pair means, what a PUT carries, what Nova's name filter lets through."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.adapters import cloud_parse as parse
from haos.core.model import AddressPair, Port, Quota, SecurityRule
from haos.core.security import pair_rules
from haos.errors import CloudError
from haos.workflow.context import PortAmendment
from tests.adapters.cloud_double import FIRST, NETWORK, PROJECT, fixture

MAC = "fa:16:3e:8d:dc:bb"
OURS = AddressPair("10.200.51.2", MAC)
THEIRS = AddressPair("10.9.0.0/24", "FA:16:3E:8D:DC:BB")


def port(*pairs: AddressPair, groups: tuple[str, ...] = ("g",)) -> Port:
    return Port(FIRST, NETWORK, PROJECT, MAC, (), pairs=pairs, group_ids=groups, revision=7)


def test_an_amendment_carries_only_what_changes_and_keeps_spellings() -> None:
    assert parse.amended(port(THEIRS), PortAmendment(add_pairs=(OURS,))) == {
        "allowed_address_pairs": [
            {"ip_address": "10.9.0.0/24", "mac_address": "FA:16:3E:8D:DC:BB"},
            {"ip_address": "10.200.51.2", "mac_address": MAC},
        ]
    }
    assert parse.amended(port(), PortAmendment(add_groups=("h", "h"))) == {"security_groups": ["g", "h"]}
    assert parse.amended(port(OURS), PortAmendment(add_pairs=(OURS,), add_groups=("g",))) == {}
    assert parse.amended(port(OURS), PortAmendment(remove_pairs=(OURS,), remove_groups=("g",))) == {
        "allowed_address_pairs": [],
        "security_groups": [],
    }


@pytest.mark.parametrize(
    "spelled",
    [AddressPair("10.200.51.2/32", MAC.upper()), AddressPair("10.200.51.2", ""), AddressPair("10.200.51.2/32", "")],
)
def test_pairs_are_the_same_however_they_are_spelled(spelled: AddressPair) -> None:
    assert parse.amended(port(spelled), PortAmendment(add_pairs=(OURS,))) == {}
    assert parse.amended(port(OURS), PortAmendment(add_pairs=(spelled,))) == {}
    assert parse.amended(port(spelled, THEIRS), PortAmendment(remove_pairs=(OURS,))) == {
        "allowed_address_pairs": [{"ip_address": "10.9.0.0/24", "mac_address": "FA:16:3E:8D:DC:BB"}]
    }


def test_a_pair_without_a_mac_is_sent_without_one() -> None:
    body = parse.amended(port(), PortAmendment(add_pairs=(AddressPair("10.200.51.2", ""),)))
    assert body == {"allowed_address_pairs": [{"ip_address": "10.200.51.2"}]}


@pytest.mark.parametrize(
    "other", [AddressPair("10.200.51.0/24", MAC), AddressPair("10.200.51.2", "00:00:5e:00:01:01")]
)
def test_a_pair_that_only_covers_ours_is_another(other: AddressPair) -> None:
    body = parse.amended(port(other), PortAmendment(add_pairs=(OURS,)))
    assert len(body["allowed_address_pairs"]) == 2
    assert parse.amended(port(other), PortAmendment(remove_pairs=(OURS,))) == {}


pairs = st.builds(
    AddressPair, st.sampled_from(["10.0.0.1", "10.0.0.1/32", "10.0.0.2"]), st.sampled_from([MAC, MAC.upper()])
)
lists = st.lists(pairs, max_size=4).map(tuple)


@given(lists, lists, lists)
def test_what_was_not_named_stays(
    have: tuple[AddressPair, ...], add: tuple[AddressPair, ...], remove: tuple[AddressPair, ...]
) -> None:
    body = parse.amended(port(*have), PortAmendment(add_pairs=add, remove_pairs=remove))
    sent = [AddressPair(**pair) for pair in body["allowed_address_pairs"]] if body else list(have)
    added = {pair.network for pair in add}
    gone = {pair.network for pair in remove}
    assert [pair for pair in have if pair.network not in gone] == sent[
        : len([p for p in have if p.network not in gone])
    ]
    assert added <= {pair.network for pair in sent}
    assert not (gone - added) & {pair.network for pair in sent}


ascii_names = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)


@given(st.lists(ascii_names | st.text(min_size=1, max_size=10), min_size=1, max_size=5))
def test_the_name_filter_lets_every_name_through(names: list[str]) -> None:
    pattern = parse.name_filter(names)
    assert all(re.search(pattern, name) for name in names if "\n" not in name)
    assert not set(pattern) & set("|\\(){}+?"), "Nova or the database would read it differently"


def test_the_name_filter_is_narrow() -> None:
    assert parse.name_filter(["web"]) == "^web$"
    assert parse.name_filter(["web-1", "web-2"]) == "^web.[12]$"
    assert parse.name_filter(["ha_first", "ha_second", "observer"]) == "^[ho][ab][_s][efs][eir][crv][eos][nrt].*$"
    assert parse.name_filter(["wéb"]) == "^.*$"


def test_pairs_of_a_port_always_have_a_mac() -> None:
    body = fixture("neutron/ports")["ports"][0] | {"allowed_address_pairs": [{"ip_address": "10.0.0.1"}]}
    assert parse.port(body).pairs == (AddressPair("10.0.0.1", MAC),)


def test_a_bare_port_is_understood() -> None:
    bare: dict[str, Any] = {"fixed_ips": [], "allowed_address_pairs": [], "security_groups": []}
    body = {"id": FIRST, "network_id": "n", "tenant_id": "t", "mac_address": "FA:16:3E:00:00:01", **bare}
    assert parse.port(body) == Port(FIRST, "n", "t", "fa:16:3e:00:00:01", ())


@pytest.mark.parametrize("spoilt", ["p", " ", f"{FIRST}0"])
def test_a_port_whose_id_no_record_could_spell_is_refused(spoilt: str) -> None:
    with pytest.raises(CloudError, match="did not answer as the API does: id is"):
        parse.port({**fixture("neutron/reservation")["port"], "id": spoilt})


def test_a_subnet_with_everything() -> None:
    body: dict[str, Any] = {
        "id": "s",
        "name": None,
        "network_id": "n",
        "cidr": "2001:db8::/64",
        "gateway_ip": None,
        "allocation_pools": [],
        "dns_nameservers": ["2001:db8::53"],
        "host_routes": [{"destination": "::/0", "nexthop": "2001:db8::fe"}],
        "ipv6_address_mode": "slaac",
    }
    subnet = parse.subnet(body)
    assert (subnet.cidr, subnet.gateway, subnet.pools) == (ip_network("2001:db8::/64"), None, ())
    assert subnet.dns == (ip_address("2001:db8::53"),)
    assert subnet.next_hops == (ip_address("2001:db8::fe"),)
    assert subnet.ipv6_address_mode == "slaac"


@pytest.mark.parametrize("rule", pair_rules([ip_address("10.0.0.1"), ip_address("2001:db8::1")]))
def test_a_rule_survives_the_way_there_and_back(rule: SecurityRule) -> None:
    assert parse.rule({**parse.rule_body(rule, "g"), "id": "r"}) == replace(rule, id="r")


def test_an_unrestricted_rule() -> None:
    body = {"id": "r", "direction": "egress", "ethertype": "IPv6", "protocol": None, "remote_ip_prefix": None}
    assert parse.rule(body) == SecurityRule("egress", 6, id="r")


@pytest.mark.parametrize(
    ("detail", "left"),
    [
        ({"limit": 10, "used": 3, "reserved": 1}, 6),
        ({"limit": 3, "used": 5, "reserved": 0}, 0),
        ({"limit": -1, "used": 5, "reserved": 0}, None),
        (None, None),
    ],
)
def test_quota(detail: dict[str, int] | None, left: int | None) -> None:
    body = {"port": detail} if detail else {}
    assert parse.quota(body) == Quota(ports=left)


def test_a_rule_for_an_address_group_is_not_one_for_everybody() -> None:
    body = {"id": "r", "direction": "ingress", "ethertype": "IPv4", "remote_address_group_id": "group"}
    assert parse.rule(body).remote_address_group_id == "group"
