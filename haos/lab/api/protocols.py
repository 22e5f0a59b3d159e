"""IP protocols by name, as Neutron knows them."""

from __future__ import annotations

NUMBERS = {
    "ah": 51,
    "dccp": 33,
    "egp": 8,
    "esp": 50,
    "gre": 47,
    "hopopt": 0,
    "icmp": 1,
    "igmp": 2,
    "ip": 0,
    "ipip": 4,
    "ipv6-encap": 41,
    "ipv6-frag": 44,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ipv6-nonxt": 59,
    "ipv6-opts": 60,
    "ipv6-route": 43,
    "ospf": 89,
    "pgm": 113,
    "rsvp": 46,
    "sctp": 132,
    "tcp": 6,
    "udp": 17,
    "udplite": 136,
    "vrrp": 112,
}
ANY = (None, "any")
WITH_PORTS = frozenset({6, 17, 33, 132, 136})  # TCP, UDP, DCCP, SCTP, UDP-Lite
ICMP, ICMPV6 = 1, 58
ONLY_IPV6 = frozenset({41, 43, 44, 58, 59, 60})


def number(protocol: str | int | None) -> int | None:
    """Return the protocol's number, None for any; `ip` and 0 mean any, too."""
    if protocol in ANY:
        return None
    text = str(protocol).lower()
    return (NUMBERS[text] if text in NUMBERS else int(text)) or None
