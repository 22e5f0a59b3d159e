"""Address pairs and security groups against oracles that know nothing of networks but single addresses."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from haos.core.bodies import amended
from haos.core.changes import PortAmendment
from haos.core.model import (
    AddressPair,
    FixedIp,
    Instance,
    Member,
    Mode,
    Node,
    Pair,
    Port,
    SecurityGroup,
    SecurityRule,
    virtual_mac,
)
from haos.core.plan import missing_pairs
from haos.core.security import BFD_PORT, barred, lets_pass, pair_rules, rule_changes, unsecured
from tests.fuzz.amount import examples

MAC, OTHER = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
VIP4, VIP6 = ip_address("10.0.0.9"), ip_address("2001:db8::9")
VIRTUAL = {4: virtual_mac(7, 4), 6: virtual_mac(7, 6)}


def spellings(address: str, mac: str) -> st.SearchStrategy[AddressPair]:
    """All ways to say one pair; without a MAC, or with "", it is the port's own."""
    six = ":" in address
    exploded = ip_address(address).exploded
    addresses = [address, f"{address}/{128 if six else 32}", exploded, exploded.upper()]
    return st.builds(AddressPair, st.sampled_from(addresses), st.sampled_from([mac, mac.upper()]))


LINK = str(IPv6Address("fe80::200:5eff:fe00:207"))
WIDE = ["10.0.0.0/29", "10.0.0.9/29", "0.0.0.0/0", "::/0"]
a_pair = st.one_of(
    *(spellings(address, mac) for address in ("10.0.0.9", "10.0.0.8", "2001:db8::9", LINK)
      for mac in (MAC, OTHER, VIRTUAL[4], VIRTUAL[6])),
    st.builds(AddressPair, st.sampled_from(WIDE), st.sampled_from([MAC, OTHER])),
)  # fmt: skip
pair_lists = st.lists(a_pair, max_size=5).map(tuple)


def meaning(pair: AddressPair) -> tuple[int, int, int, str]:
    """Return (version, first, last, MAC), whatever the spelling."""
    net = ip_network(pair.ip_address, strict=False)
    return net.version, int(net.network_address), int(net.broadcast_address), (pair.mac_address or MAC).lower()


def a_port(pairs: tuple[AddressPair, ...] = (), groups: tuple[str, ...] = ()) -> Port:
    return Port("p", "n", "q", MAC, (FixedIp(ip_address("10.0.0.1"), "s"),), pairs=pairs, group_ids=groups)


@examples(80)
@given(have=pair_lists, six=st.booleans(), mode=st.sampled_from(Mode))
def test_exactly_those_pairs_are_missing_that_no_spelling_on_the_port_says(
    have: tuple[AddressPair, ...], six: bool, mode: Mode
) -> None:
    vip, version = (VIP6, 6) if six else (VIP4, 4)
    members = (Member("p", 240), Member("q", 230))
    pair = Pair("web", "n", "q", vip, 7, members, mode)
    needed = {(version, int(vip), int(vip), MAC)}
    if mode is Mode.VMAC:
        needed.add((version, int(vip), int(vip), VIRTUAL[version]))
        if six:
            needed.add((6, int(IPv6Address(LINK)), int(IPv6Address(LINK)), VIRTUAL[6]))
    missing = missing_pairs(a_port(have), pair)
    assert {meaning(one) for one in missing} == needed - {meaning(one) for one in have}
    assert len(missing) == len({meaning(one) for one in missing})
    assert missing_pairs(a_port((*have, *missing)), pair) == ()


group_lists = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=4, unique=True).map(tuple)


@examples(120)
@given(have=pair_lists, add=pair_lists, remove=pair_lists, groups=group_lists, plus=group_lists, minus=group_lists)
def test_an_amendment_keeps_what_is_others_in_its_order_and_spelling(
    have: tuple[AddressPair, ...],
    add: tuple[AddressPair, ...],
    remove: tuple[AddressPair, ...],
    groups: tuple[str, ...],
    plus: tuple[str, ...],
    minus: tuple[str, ...],
) -> None:
    body = amended(a_port(have, groups), PortAmendment(add, remove, plus, minus))
    sent = [AddressPair(one["ip_address"], one.get("mac_address", MAC)) for one in body["allowed_address_pairs"]] if (
        "allowed_address_pairs" in body) else list(have)  # fmt: skip
    gone = {meaning(one) for one in remove}
    kept = [one for one in have if meaning(one) not in gone]
    assert sent[: len(kept)] == kept
    news = [meaning(one) for one in sent[len(kept) :]]
    assert set(news) == {meaning(one) for one in add} - {meaning(one) for one in kept}
    assert len(news) == len(set(news))
    left = [one for one in groups if one not in minus]
    sent_groups = body.get("security_groups", list(groups))
    assert sent_groups[: len(left)] == left
    assert set(sent_groups[len(left) :]) == set(plus) - set(left)
    assert len(sent_groups) == len(set(sent_groups))
    # A second time there is nothing to send.
    after = a_port(tuple(sent), tuple(sent_groups))
    unless_taken_back = PortAmendment(add, tuple(one for one in remove if meaning(one) not in set(map(meaning, add))),
                                      plus, tuple(one for one in minus if one not in plus))  # fmt: skip
    assert amended(after, unless_taken_back) == {}


@dataclass(frozen=True)
class Packet:
    """What a security group is asked about."""

    direction: str
    version: int
    protocol: int
    port: int | None
    peer: str
    peer_groups: tuple[str, ...]


PROTOCOLS = {"vrrp": 112, "112": 112, "VRRP": 112, "udp": 17, "17": 17, "UDP": 17, "tcp": 6, "6": 6, "icmp": 1}
REMOTES = ("0.0.0.0/0", "10.0.0.0/24", "10.0.0.2/32", "10.0.0.3", "2001:db8::/64", "::/0")


@st.composite
def rules(draw: st.DrawFn) -> SecurityRule:
    """Draw a rule that Neutron takes."""
    version = draw(st.sampled_from([4, 6]))
    protocol = draw(st.sampled_from([None, "any", "0", *PROTOCOLS]))
    ports = sorted(draw(st.tuples(*[st.sampled_from([1, BFD_PORT, 5000, 65535])] * 2)))
    if (protocol or "").lower() not in ("udp", "17", "tcp", "6") or draw(st.booleans()):
        ports = []
    remotes = [None, *(one for one in map(ip_network, REMOTES) if one.version == version)]
    remote = draw(st.sampled_from(remotes))
    group = None if remote else draw(st.sampled_from([None, "g", "h", "x"]))
    return SecurityRule(
        draw(st.sampled_from(["ingress", "egress"])),
        version,
        protocol,
        ports[0] if ports else None,
        ports[1] if ports else None,
        remote,
        group,
    )


a_rule = rules()


def lets(rule: SecurityRule, packet: Packet) -> bool:
    """Say whether a rule lets a packet pass, field by field."""
    if rule.direction != packet.direction or rule.version != packet.version:
        return False
    if rule.protocol not in (None, "any", "0") and PROTOCOLS[rule.protocol] != packet.protocol:
        return False
    if rule.port_min is not None and not (packet.port is not None and rule.port_min <= packet.port <= rule.port_max):  # type: ignore[operator]
        return False
    if rule.remote_ip is not None:
        bits = rule.remote_ip.max_prefixlen - rule.remote_ip.prefixlen
        return int(ip_address(packet.peer)) >> bits == int(rule.remote_ip.network_address) >> bits
    return rule.remote_group_id is None or rule.remote_group_id in packet.peer_groups


@st.composite
def places(draw: st.DrawFn) -> tuple[list[Node], list[SecurityGroup], bool]:
    version = draw(st.sampled_from([4, 6]))
    groups = [SecurityGroup(name, name, "q", rules=tuple(draw(st.lists(a_rule, max_size=4)))) for name in ("g", "h")]
    nodes = []
    for number in range(1, draw(st.integers(2, 3)) + 1):
        address = ip_address(f"10.0.0.{number}" if version == 4 else f"2001:db8::{number}")
        carried = tuple(draw(st.lists(st.sampled_from(["g", "h"]), max_size=2, unique=True)))
        secured = draw(st.integers(0, 4)) > 0
        port = Port(
            f"port{number}", "n", "q", MAC, (FixedIp(address, "s"),), group_ids=carried, port_security=secured
        )
        nodes.append(Node(Instance(f"i{number}", f"node{number}", "ACTIVE"), port, address))
    return nodes, groups, draw(st.booleans())


@examples(120)
@given(place=places())
def test_what_is_barred_is_what_no_rule_lets_pass(place: tuple[list[Node], list[SecurityGroup], bool]) -> None:
    nodes, groups, bfd = place
    ports = [node.port for node in nodes]
    kinds = [(112, None), *([(17, BFD_PORT)] if bfd else [])]
    all_barred = []
    for node in nodes:
        rules = [rule for group in groups if group.id in node.port.group_ids for rule in group.rules]
        wanted = []
        for peer, direction, (protocol, port) in itertools.product(nodes, ("ingress", "egress"), kinds):
            packet = Packet(direction, node.address.version, protocol, port, str(peer.address), peer.port.group_ids)
            if peer is not node and node.port.port_security and not any(lets(rule, packet) for rule in rules):
                wanted.append((peer.name, direction, port))
        found = [(one.peer, one.direction, one.flow.port) for one in barred(node, nodes, groups, ports, bfd=bfd)]
        assert sorted(found, key=str) == sorted(wanted, key=str)
        all_barred += wanted
    assert lets_pass(nodes, groups, ports, bfd=bfd) is (not all_barred)
    assert unsecured(nodes) is all(not node.port.port_security for node in nodes)
    # With the pair's own group nothing of its is barred any more, and nothing else is let in by it.
    own = SecurityGroup("own", "haos-web", "q", rules=pair_rules([node.address for node in nodes], bfd=bfd))
    joined = [replace(node, port=replace(node.port, group_ids=(*node.port.group_ids, "own"))) for node in nodes]
    assert lets_pass(joined, [*groups, own], [node.port for node in joined], bfd=bfd)
    far = "10.0.0.99" if nodes[0].address.version == 4 else "2001:db8::99"
    stranger = Packet(
        "ingress",
        nodes[0].address.version,
        112,
        None,
        far,
        (),
    )
    other = replace(stranger, protocol=6, port=22, peer=str(nodes[0].address))
    assert not any(lets(rule, packet) for rule in own.rules for packet in (stranger, other))


@examples(80)
@given(have=st.lists(a_rule, max_size=6), wanted=st.lists(a_rule, max_size=4))
def test_rules_come_to_be_exactly_those_wanted(have: list[SecurityRule], wanted: list[SecurityRule]) -> None:
    have = [replace(rule, id=f"r{number}") for number, rule in enumerate(have)]
    kept, missing, unwanted = rule_changes(have, wanted)
    assert sorted([*kept, *unwanted], key=repr) == sorted(have, key=repr)
    said = [_says(rule) for rule in (*kept, *missing)]
    assert sorted(said, key=repr) == sorted({_says(rule) for rule in wanted}, key=repr)
    assert rule_changes([*kept, *missing], wanted)[1:] == ((), ())


def _says(rule: SecurityRule) -> tuple[object, ...]:
    """Return what a rule means; "any" is not told from nothing: Neutron keeps both."""
    protocol = rule.protocol.lower() if rule.protocol else None
    protocol = {"112": "112", "vrrp": "112", "udp": "udp", "17": "udp"}.get(protocol or "", protocol)
    return (
        rule.direction,
        rule.version,
        protocol,
        rule.port_min,
        rule.port_max,
        rule.remote_ip,
        rule.remote_group_id,
    )
