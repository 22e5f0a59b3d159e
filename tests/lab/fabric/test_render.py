"""What the ruleset says, without a kernel."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from haos.lab.cards import link_local
from haos.lab.fabric.admission import answers, matches
from haos.lab.fabric.names import bridge_name, tap_name, zone
from haos.lab.fabric.render import ruleset
from haos.lab.fabric.source import guard
from haos.lab.model import Direction, Fabric, FabricKind, FabricPort, PortKind, Rule
from tests.lab.fabric.ports import EGRESS_ALL, ICMP, TCP, UDP, VIRTUAL_MAC, VRRP, egress, ingress, pair, port

TAP = "tap00000001-00"


def rendered(*ports: FabricPort, dark: frozenset[str] = frozenset()) -> str:
    return ruleset(Fabric(FabricKind.OVS, ports), dark)


def chain(text: str, name: str) -> list[str]:
    """Return the lines of one chain."""
    _, _, rest = text.partition(f"  chain {name} {{\n")
    assert rest, f"no chain {name}"
    return [line.strip() for line in rest.partition("\n  }")[0].splitlines()]


def test_names_are_neutrons_and_fit_the_kernel() -> None:
    assert tap_name("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0") == "tap0f1e2d3c-4b"
    assert bridge_name("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0") == "brq0f1e2d3c-4b"
    assert len(tap_name("0" * 36)) < 15


def test_a_networks_conntrack_zone_is_its_own_and_stays_within_16_bits() -> None:
    zones = {zone(f"{number:08x}-0000-4000-8000-000000000000") for number in range(100)}
    assert len(zones) == 100
    assert all(0 < number <= 0xFFFF for number in zones)


def test_a_new_ruleset_replaces_the_old_one_in_one_transaction() -> None:
    text = rendered()
    for family in ("bridge", "inet"):
        first = text.index(f"table {family} haos {{}}\ndelete table {family} haos\n")
        assert text.index(f"table {family} haos {{\n") > first


def test_an_empty_switch_passes_nothing() -> None:
    text = rendered()
    assert chain(text, "source") == [
        "type filter hook prerouting priority -300; policy drop;",
        "iifname @down drop",
        "iifname @dark drop",
        "meta mark set 0",
    ]
    assert "vmap" not in text


def test_the_link_local_address_is_made_as_in_rfc_4291() -> None:
    assert link_local("fa:16:3e:00:00:01") == IPv6Address("fe80::f816:3eff:fe00:1")


def test_a_port_speaks_with_its_own_addresses() -> None:
    rules = guard(port(1))
    assert "ether saddr fa:16:3e:00:00:01 ip saddr { 192.0.2.1 } accept" in rules
    assert (
        "ether saddr fa:16:3e:00:00:01 arp saddr ether fa:16:3e:00:00:01 arp saddr ip { 192.0.2.1 } accept"
    ) in rules
    assert "ether saddr fa:16:3e:00:00:01 ip6 saddr { 2001:db8::1, fe80::f816:3eff:fe00:1 } accept" in rules


def test_every_accepting_rule_of_the_guard_names_a_mac() -> None:
    rules = guard(port(1, pairs=(pair("192.0.2.10", VIRTUAL_MAC), pair("2001:db8::/64", "fa:16:3e:00:00:01"))))
    accepting = [rule for rule in rules if rule.endswith(" accept")]
    assert accepting
    assert all(rule.startswith("ether saddr ") for rule in accepting)


def test_pairs_with_the_ports_mac_join_its_addresses_and_overlaps_are_merged() -> None:
    rules = guard(port(1, pairs=(pair("192.0.2.10", "fa:16:3e:00:00:01"), pair("192.0.2.8/29", "fa:16:3e:00:00:01"))))
    assert "ether saddr fa:16:3e:00:00:01 ip saddr { 192.0.2.1, 192.0.2.8/29 } accept" in rules


def test_a_pairs_own_mac_goes_with_the_pairs_address_only() -> None:
    rules = guard(port(1, pairs=(pair("192.0.2.10", VIRTUAL_MAC),)))
    assert f"ether saddr {VIRTUAL_MAC} ip saddr {{ 192.0.2.10 }} accept" in rules
    assert "ether saddr fa:16:3e:00:00:01 ip saddr { 192.0.2.1 } accept" in rules


def test_a_pair_of_a_network_covers_the_targets_of_neighbour_adverts() -> None:
    rules = guard(port(1, pairs=(pair("2001:db8::/64", VIRTUAL_MAC), pair("::/0", "02:00:00:00:00:01"))))
    assert any("nd-neighbor-advert @th,64,64 0x20010db800000000 accept" in rule for rule in rules)
    assert any(rule.endswith("ip6 saddr { ::/0 } icmpv6 type nd-neighbor-advert accept") for rule in rules)


@pytest.mark.parametrize(
    ("rule", "match", "answer"),
    [
        (ingress(None), "ether type ip", "ether type ip"),
        (ingress(None, version=6), "ether type ip6", "ether type ip6"),
        (ingress(VRRP), "ether type ip meta l4proto 112", "ether type ip meta l4proto 112"),
        (
            ingress(TCP, 22, remotes=("192.0.2.7/32", "192.0.2.6/32")),
            "ether type ip ip saddr { 192.0.2.6/31 } meta l4proto 6 th dport 22",
            "ether type ip ip daddr { 192.0.2.6/31 } meta l4proto 6 th sport 22",
        ),
        (
            egress(UDP, 10, 20, remotes=("2001:db8::/64",), version=6),
            "ether type ip6 ip6 daddr { 2001:db8::/64 } meta l4proto 17 th dport 10-20",
            "ether type ip6 ip6 saddr { 2001:db8::/64 } meta l4proto 17 th sport 10-20",
        ),
        (ingress(UDP, remotes=("0.0.0.0/0",)), "ether type ip meta l4proto 17", "ether type ip meta l4proto 17"),
        (
            ingress(ICMP, 8, 0),
            "ether type ip meta l4proto 1 icmp type 8 icmp code 0",
            "ether type ip meta l4proto 1 icmp type 0",
        ),
        (
            ingress(ICMP, 128, version=6),  # Neutron takes the short name for ICMPv6
            "ether type ip6 meta l4proto 58 icmpv6 type 128",
            "ether type ip6 meta l4proto 58 icmpv6 type 129",
        ),
    ],
)
def test_a_rule_matches_what_it_admits_and_the_answers_to_that(rule: Rule, match: str, answer: str) -> None:
    assert matches([rule], rule.direction) == [match]
    assert answers([rule], rule.direction) == [answer]
    other = Direction.EGRESS if rule.direction is Direction.INGRESS else Direction.INGRESS
    assert matches([rule], other) == answers([rule], other) == []


@pytest.mark.parametrize("remotes", [(), ("2001:db8::/64",)])
def test_a_rule_without_peers_of_its_version_admits_nobody(remotes: tuple[str, ...]) -> None:
    assert matches([ingress(TCP, 22, remotes=remotes)], Direction.INGRESS) == []
    assert answers([ingress(TCP, 22, remotes=remotes)], Direction.INGRESS) == []


def test_an_icmp_error_has_no_answer() -> None:
    assert matches([ingress(ICMP, 3)], Direction.INGRESS) == ["ether type ip meta l4proto 1 icmp type 3"]
    assert answers([ingress(ICMP, 3)], Direction.INGRESS) == []


def test_rules_are_asked_of_both_ends() -> None:
    text = rendered(port(1), port(2, ingress(VRRP)))
    assert chain(text, f"ingress_{TAP}") == ["goto answer"]
    assert chain(text, f"egress_{TAP}") == ["ether type ip return", "ether type ip6 return", "goto answer"]
    assert chain(text, "ingress_tap00000002-00") == ["ether type ip meta l4proto 112 return", "goto answer"]
    assert chain(text, "admit")[-3:] == [
        f'iifname vmap {{ "{TAP}" : jump egress_{TAP}, "tap00000002-00" : jump egress_tap00000002-00 }}',
        f'oifname vmap {{ "{TAP}" : jump ingress_{TAP}, "tap00000002-00" : jump ingress_tap00000002-00 }}',
        "meta mark set 1 accept",
    ]


@pytest.mark.parametrize("free", [port(1, port_security=False), port(1, kind=PortKind.ROUTER)])
def test_a_port_without_security_has_no_chains(free: FabricPort) -> None:
    text = rendered(free)
    assert f"_{TAP}" not in text
    assert f'iifname vmap {{ "{TAP}" : accept }}' in chain(text, "source")
    assert f'set open {{\n    type ifname\n    elements = {{ "{TAP}" }}' in text


def test_an_unbound_port_is_not_there() -> None:
    assert TAP not in rendered(port(1, kind=PortKind.NONE))


def test_a_port_that_is_down_or_dark_loses_all_frames_both_ways() -> None:
    text = rendered(port(1, admin_up=False), dark=frozenset({"tapdark"}))
    assert f'set down {{\n    type ifname\n    elements = {{ "{TAP}" }}' in text
    assert 'set dark {\n    type ifname\n    elements = { "tapdark" }' in text
    for name, field in (("source", "iifname"), ("admit", "oifname")):
        assert chain(text, name)[1:3] == [f"{field} @down drop", f"{field} @dark drop"]


def test_the_same_fabric_gives_the_same_text_whatever_its_order() -> None:
    ports = (port(1), port(2), replace(port(3), rules=EGRESS_ALL))
    vmaps = [
        [line for line in rendered(*order).splitlines() if "vmap" in line or "zone" in line]
        for order in (ports, ports[::-1])
    ]
    assert vmaps[0] == vmaps[1]
