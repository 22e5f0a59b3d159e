"""A security-group rule as a match of nftables: for what it admits, and for the answers to that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import collapse_addresses

from haos.lab.fabric.source import elements
from haos.lab.model import Direction, Network, Rule

ICMP, TCP, UDP, DCCP, ICMPV6, SCTP, UDPLITE = 1, 6, 17, 33, 58, 132, 136
WITH_PORTS = frozenset({TCP, UDP, DCCP, SCTP, UDPLITE})
ICMP_ANSWERS = {8: 0, 13: 14, 15: 16, 17: 18}  # the types that conntrack knows an answer to, and the answer
ICMPV6_ANSWERS = {128: 129, 139: 140}


def matches(rules: Iterable[Rule], direction: Direction) -> list[str]:
    """Return one match for every rule of a direction; a rule that admits nobody has none."""
    return _matches(rules, direction, _asking)


def answers(rules: Iterable[Rule], direction: Direction) -> list[str]:
    """Return matches for the answers, which flow the other way, to what the rules of a direction admit."""
    return _matches(rules, direction, _answering)


def _matches(
    rules: Iterable[Rule], direction: Direction, match: Callable[[Rule, list[Network] | None], str | None]
) -> list[str]:
    own = ((rule, _peers(rule)) for rule in rules if rule.direction is direction)
    texts = [match(rule, peers) for rule, peers in own if peers != []]
    return list(dict.fromkeys(text for text in texts if text is not None))


def _peers(rule: Rule) -> list[Network] | None:
    """Return the peers that a rule admits, of its IP version; None if it admits everybody."""
    own = None if rule.remotes is None else [each for each in rule.remotes if each.version == rule.version]
    if own is None or any(each.prefixlen == 0 for each in own):
        return None
    # collapse_addresses wants one version, which is seen to above and which its type cannot say.
    return list(collapse_addresses(own))  # type: ignore[type-var]


def _asking(rule: Rule, peers: list[Network] | None) -> str:
    parts = _ends(rule, peers, "saddr" if rule.direction is Direction.INGRESS else "daddr")
    if rule.protocol in (ICMP, ICMPV6):
        name, protocol, _ = _icmp(rule)
        parts.append(f"meta l4proto {protocol}")
        parts += [f"{name} type {rule.port_min}"] if rule.port_min is not None else []
        parts += [f"{name} code {rule.port_max}"] if rule.port_max is not None else []
    elif rule.protocol is not None:
        parts += _transport(rule, rule.protocol, "dport")
    return " ".join(parts)


def _answering(rule: Rule, peers: list[Network] | None) -> str | None:
    parts = _ends(rule, peers, "daddr" if rule.direction is Direction.INGRESS else "saddr")
    if rule.protocol in (ICMP, ICMPV6):
        name, protocol, known = _icmp(rule)
        parts.append(f"meta l4proto {protocol}")
        if rule.port_min is not None:
            if rule.port_min not in known:
                return None
            parts.append(f"{name} type {known[rule.port_min]}")
    elif rule.protocol is not None:
        parts += _transport(rule, rule.protocol, "sport")
    return " ".join(parts)


def _ends(rule: Rule, peers: list[Network] | None, field: str) -> list[str]:
    family = "ip" if rule.version == 4 else "ip6"
    return [f"ether type {family}"] + ([f"{family} {field} {elements(peers)}"] if peers is not None else [])


def _icmp(rule: Rule) -> tuple[str, int, dict[int, int]]:
    """Name ICMP's family; Neutron takes "icmp" on an IPv6 rule to mean ICMPv6."""
    return ("icmp", ICMP, ICMP_ANSWERS) if rule.version == 4 else ("icmpv6", ICMPV6, ICMPV6_ANSWERS)


def _transport(rule: Rule, protocol: int, field: str) -> list[str]:
    parts = [f"meta l4proto {protocol}"]
    if protocol in WITH_PORTS and rule.port_min is not None:
        last = rule.port_max if rule.port_max is not None else rule.port_min
        parts.append(f"th {field} {rule.port_min}-{last}" if last != rule.port_min else f"th {field} {last}")
    return parts
