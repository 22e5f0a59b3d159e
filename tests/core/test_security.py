"""Which rules let VRRP pass."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from haos.core.model import FixedIp, Instance, Node, Port, SecurityGroup, SecurityRule
from haos.core.security import lets_pass, pair_rules


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
