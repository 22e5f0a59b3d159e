"""The names that a port and a network have on the switch, made as Neutron makes them."""

from __future__ import annotations

from zlib import crc32

BRIDGE_PREFIX = "brq"
TAP_PREFIX = "tap"
ID_LENGTH = 11  # Neutron's choice: prefix and id then fit the kernel's 15 characters
ZONES = 0xFFFF  # conntrack zones are 16 bits wide and 0 is everybody's


def tap_name(port_id: str) -> str:
    """Name the switch's end of the cable that a port is plugged with."""
    return TAP_PREFIX + port_id[:ID_LENGTH]


def bridge_name(network_id: str) -> str:
    """Name the bridge of a network."""
    return BRIDGE_PREFIX + network_id[:ID_LENGTH]


def zone(network_id: str) -> int:
    """Number the conntrack zone of a network: a flow seen on two networks is two flows."""
    return crc32(network_id.encode()) % ZONES + 1
