"""The ARP table of the fabric `arp-cache`: its nftables rules, and what the responder remembers.

Rules of the bridge family decide, as a frame is handled, what is in the table, so that no frame slips past an entry
or is swallowed for want of one; they last as long as the switch does, whatever becomes of the ports:

    number   -251  (with the ports, see `render`) the frame's mark becomes the number of its network
    cache    -250  only what anti-spoofing has admitted; and before MAC learning, but nothing is dropped yet:
                     a request for a known address, or a reply that names one as its sender, gets the mark SWALLOWED
                     a sender that is not yet known is from now on, for the table's time, which nothing prolongs
    swallow    -3  after MAC learning: what is SWALLOWED reaches no port

The responder is sent a copy of every frame that fills the table or asks it (by the kernel's netlink log), learns MAC
addresses from the ones and answers the others. A request for an unknown address passes, whoever asks. IPv6 has no
such table: neighbour discovery passes as on any learning switch.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

TABLE = "haos_arp"
NUMBERED_BEFORE = -250  # the priority at which a frame's mark must be its network's number
SWALLOWED = 0x10000  # beyond the numbers of networks
LOG_GROUP = 7
FILLS, ASKS = "fills", "asks"
ETHERNET, ARP, IPV4 = 1, 0x0806, 0x0800
REQUEST, REPLY = 1, 2
BODY = struct.Struct("!HHBBH6s4s6s4s")


@dataclass(frozen=True)
class ArpFrame:
    """What an ARP frame says."""

    operation: int
    sender_mac: bytes
    sender: IPv4Address
    target: IPv4Address


@dataclass(frozen=True)
class Entry:
    """An address that the table knows, on one network."""

    network: int
    address: IPv4Address


def ruleset(lasts_s: float) -> str:
    """Render the table whose entries last so long; whatever was in it before is forgotten."""
    log = f"group {LOG_GROUP} queue-threshold 1"
    return f"""table bridge {TABLE} {{}}
delete table bridge {TABLE}
table bridge {TABLE} {{
  set known {{
    type mark . ipv4_addr
    size 65535
    flags dynamic,timeout
    timeout {round(lasts_s * 1000)}ms
  }}
  chain fill {{
    arp saddr ip != 0.0.0.0 meta mark . arp saddr ip != @known add @known {{ meta mark . arp saddr ip }} \
log prefix "{FILLS}" {log}
  }}
  chain swallowed {{
    jump fill
    meta mark set {SWALLOWED}
  }}
  chain cache {{
    type filter hook prerouting priority {NUMBERED_BEFORE}; policy accept;
    ether type != arp accept
    arp operation request meta mark . arp daddr ip @known log prefix "{ASKS}" {log} goto swallowed
    arp operation reply meta mark . arp saddr ip @known goto swallowed
    goto fill
  }}
  chain swallow {{
    type filter hook forward priority -3; policy accept;
    ether type arp meta mark {SWALLOWED} drop
  }}
}}
"""


def forgotten(entry: Entry) -> str:
    """Render the change that takes an entry out, so that its next frame passes and fills the table again."""
    return f"delete element bridge {TABLE} known {{ {entry.network} . {entry.address} }}\n"


def parse(body: bytes) -> ArpFrame | None:
    """Read an ARP frame's body; None for what is not ARP of IPv4 on Ethernet."""
    if len(body) < BODY.size:
        return None
    *kind, operation, sender_mac, sender, _, target = BODY.unpack_from(body)
    if kind != [ETHERNET, IPV4, 6, 4]:
        return None
    return ArpFrame(operation, sender_mac, IPv4Address(sender), IPv4Address(target))


def answer(mac: bytes, asker: ArpFrame) -> bytes | None:
    """Return the whole frame that tells an asker the MAC of its target, as if from there.

    None if it asks nothing: a host that speaks of itself, as in a gratuitous request or a probe for its own address.
    """
    if asker.sender == asker.target or asker.sender_mac == mac:
        return None
    told = asker.target.packed, asker.sender_mac, asker.sender.packed
    return asker.sender_mac + mac + struct.pack("!H", ARP) + BODY.pack(ETHERNET, IPV4, 6, 4, REPLY, mac, *told)
