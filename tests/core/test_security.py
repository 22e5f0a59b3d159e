"""Which rules let VRRP pass."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from haos.core.model import FixedIp, Instance, Node, Port, SecurityGroup, SecurityRule
from haos.core.security import Barred, Flow, barred, lets_echo_in, lets_pass, pair_rules, same_rules


def node(last: int, *group_ids: str, port_security: bool = True) -> Node:
    address = ip_address(f"10.0.0.{last}")
    port = Port(
        f"port-{last}", "n", "p", f"fa:16:3e:00:00:0{last}", (FixedIp(address, "s"),), group_ids=group_ids,
        port_security=port_security,
    )  # fmt: skip
    return Node(Instance(f"i{last}", f"node{last}", "ACTIVE"), port, address)


NODES = (node(1, "g"), node(2, "g"))
PORTS = [one.port for one in NODES]
EGRESS = SecurityRule("egress", 4)


def passes(*rules: SecurityRule) -> bool:
    return lets_pass(NODES, [SecurityGroup("g", "g", "p", rules=rules)], PORTS)


@pytest.mark.parametrize(
    "rule",
    [
        SecurityRule("ingress", 4),
        SecurityRule("ingress", 4, "112"),
        SecurityRule("ingress", 4, "VRRP", remote_ip=ip_network("10.0.0.0/8")),
        SecurityRule("ingress", 4, remote_group_id="g"),
    ],
)
def test_rules_that_let_it_pass(rule: SecurityRule) -> None:
    assert passes(EGRESS, rule)


@pytest.mark.parametrize(
    "rule",
    [
        SecurityRule("ingress", 6),
        SecurityRule("ingress", 4, "icmp"),
        SecurityRule("ingress", 4, "112", remote_ip=ip_network("192.0.2.0/24")),
        SecurityRule("ingress", 4, "112", remote_ip=ip_network("10.0.0.1/32")),
        SecurityRule("ingress", 4, remote_group_id="other"),
    ],
)
def test_rules_that_do_not(rule: SecurityRule) -> None:
    assert not passes(EGRESS, rule)


def test_egress_counts_too() -> None:
    assert not passes(SecurityRule("ingress", 4))


def test_our_own_rules_are_enough_and_nothing_but_112() -> None:
    rules = pair_rules([one.address for one in NODES])
    assert passes(*rules)
    assert {rule.protocol for rule in rules} == {"112"}
    assert all(rule.remote_ip is not None and rule.remote_ip.num_addresses == 1 for rule in rules)


def test_without_port_security_there_are_no_rules_to_miss() -> None:
    bare = [replace(one, port=replace(one.port, port_security=False)) for one in NODES]
    assert lets_pass(bare, [], [one.port for one in bare])


def test_bfd_wants_its_own_port_too() -> None:
    rules = pair_rules([one.address for one in NODES], bfd=True)
    groups = [SecurityGroup("g", "g", "p", rules=rules)]
    assert lets_pass(NODES, groups, PORTS, bfd=True)
    assert {(rule.protocol, rule.port_min) for rule in rules} == {("112", None), ("udp", 3784)}
    without = [SecurityGroup("g", "g", "p", rules=pair_rules([one.address for one in NODES]))]
    assert lets_pass(NODES, without, PORTS)
    assert not lets_pass(NODES, without, PORTS, bfd=True)


@pytest.mark.parametrize(
    ("ports", "passes_"), [((None, None), True), ((3784, 3784), True), ((1, 65535), True), ((3785, 4000), False)]
)
def test_a_range_of_ports_counts(ports: tuple[int | None, int | None], passes_: bool) -> None:
    udp = SecurityRule("ingress", 4, "17", *ports)
    groups = [SecurityGroup("g", "g", "p", rules=(EGRESS, SecurityRule("ingress", 4, "vrrp"), udp))]
    assert lets_pass(NODES, groups, PORTS, bfd=True) is passes_


@pytest.mark.parametrize(
    ("rule", "gets_in"),
    [
        (SecurityRule("ingress", 4, "icmp"), True),
        (SecurityRule("ingress", 4, "1", port_min=8), True),
        (SecurityRule("ingress", 4, "icmp", port_min=0), False),
        (SecurityRule("ingress", 4), True),
        (SecurityRule("ingress", 6, "icmp"), False),
        (SecurityRule("egress", 4, "icmp"), False),
        (SecurityRule("ingress", 4, "tcp"), False),
        (SecurityRule("ingress", 4, "icmp", remote_ip=ip_network("10.0.0.2/32")), True),
        (SecurityRule("ingress", 4, "icmp", remote_ip=ip_network("10.0.1.0/24")), False),
        (SecurityRule("ingress", 4, "icmp", remote_group_id="g"), True),
        (SecurityRule("ingress", 4, "icmp", remote_group_id="x"), False),
    ],
)
def test_whether_an_observers_echo_gets_in(rule: SecurityRule, gets_in: bool) -> None:
    port, asker = PORTS
    assert lets_echo_in(port, asker, [SecurityGroup("g", "g", "p", rules=(rule,))], PORTS, 4) is gets_in


def test_rules_are_the_same_however_their_protocol_is_spelled() -> None:
    wanted = pair_rules([one.address for one in NODES])
    spelled = [replace(rule, id=str(number), protocol="VRRP") for number, rule in enumerate(wanted)]
    assert same_rules(spelled, wanted)
    assert not same_rules(spelled[1:], wanted)
    assert not same_rules([*spelled, EGRESS], wanted)


def test_a_rule_for_an_address_group_is_not_relied_on() -> None:
    assert not passes(EGRESS, SecurityRule("ingress", 4, "112", remote_address_group_id="group"))


def test_what_is_kept_out_is_named_with_way_and_peer() -> None:
    groups = [SecurityGroup("g", "g", "p", rules=(EGRESS,))]
    assert barred(NODES[0], NODES, groups, PORTS) == (Barred(Flow("112"), "ingress", "node2"),)
    assert barred(node(1, port_security=False), NODES, [], PORTS) == ()
