"""Frames made by hand, as an instance with root's powers can send them."""

from __future__ import annotations

import secrets
import socket
import struct
from ipaddress import IPv4Address, IPv6Address

BROADCAST = "ff:ff:ff:ff:ff:ff"
ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
REQUEST, REPLY = 1, 2
ROUTER_ADVERT, NEIGHBOR_SOLICIT, NEIGHBOR_ADVERT = 134, 135, 136
TARGET_MAC_OPTION = b"\x02\x01"
TOKEN_LENGTH = 8
NOBODY = "192.0.2.99"


def token() -> bytes:
    """Return bytes by which one frame is known from every other."""
    return secrets.token_bytes(TOKEN_LENGTH)


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ethernet(source: str, target: str, kind: int, payload: bytes) -> bytes:
    return mac(target) + mac(source) + struct.pack("!H", kind) + payload


def arp(
    source: str,
    sender_ip: str,
    *,
    sender_mac: str = "",
    target: str = BROADCAST,
    operation: int = REQUEST,
    about: str = NOBODY,
) -> bytes:
    """An ARP frame, by default about an address that nobody has."""
    body = struct.pack("!HHBBH", 1, IPV4, 6, 4, operation) + mac(sender_mac or source)
    body += IPv4Address(sender_ip).packed + mac("00:00:00:00:00:00") + IPv4Address(about).packed
    return ethernet(source, target, ARP, body)


def ipv4(source: str, target: str, source_ip: str, target_ip: str, protocol: int, payload: bytes = b"") -> bytes:
    addresses = IPv4Address(source_ip).packed + IPv4Address(target_ip).packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload) + TOKEN_LENGTH, 0, 0, 255, protocol, 0) + addresses
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ethernet(source, target, IPV4, head + payload)


def udp(source_port: int, target_port: int) -> bytes:
    """A UDP header for a payload of one token, without the checksum that IPv4 lets one leave out."""
    return struct.pack("!HHHH", source_port, target_port, 8 + TOKEN_LENGTH, 0)


def icmpv6(source: str, target: str, source_ip: str, target_ip: str, kind: int, body: bytes) -> bytes:
    """An ICMPv6 message up to its token; nobody shall believe it, so it has no checksum."""
    message = struct.pack("!BBH", kind, 0, 0) + body
    head = struct.pack("!IHBB", 6 << 28, len(message) + TOKEN_LENGTH, socket.IPPROTO_ICMPV6, 255)
    addresses = IPv6Address(source_ip).packed + IPv6Address(target_ip).packed
    return ethernet(source, target, IPV6, head + addresses + message)


def neighbor(ip: str, option: bytes, option_mac: str) -> bytes:
    """The body of a neighbour advertisement or solicitation."""
    return b"\x00" * 4 + IPv6Address(ip).packed + option + mac(option_mac)


def checksum(data: bytes) -> int:
    words: tuple[int, ...] = struct.unpack(f"!{len(data) // 2}H", data)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
