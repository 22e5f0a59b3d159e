"""The ARP table's pure parts, and the kernel's netlink log as bytes."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

import pytest

from haos.lab.fabric import arp, nflog
from haos.lab.fabric.names import tap_name, zone
from haos.lab.fabric.render import ruleset
from haos.lab.model import Fabric, FabricKind, PortKind
from tests.lab.fabric import frames
from tests.lab.fabric.ports import NETWORK_ID, VIP, VIRTUAL_MAC, mac, port

HEADER_LENGTH = 14
OTHER_NETWORK = "7b2f0000-0000-4000-8000-000000000001"


def asked(sender_ip: str, about: str, sender: int = 1) -> arp.ArpFrame:
    found = arp.parse(frames.arp(mac(sender), sender_ip, about=about)[HEADER_LENGTH:])
    assert found is not None
    return found


def test_an_arp_frame_says_who_asks_whom() -> None:
    assert asked("192.0.2.1", VIP) == arp.ArpFrame(
        arp.REQUEST, frames.mac(mac(1)), IPv4Address("192.0.2.1"), IPv4Address(VIP)
    )


@pytest.mark.parametrize("change", [slice(0, 2), slice(2, 4), slice(4, 5), slice(5, 6)])
def test_what_is_no_arp_of_ipv4_on_ethernet_is_nothing(change: slice) -> None:
    body = bytearray(frames.arp(mac(1), "192.0.2.1")[HEADER_LENGTH:])
    assert arp.parse(bytes(body[:-1])) is None
    body[change] = b"\xff" * len(body[change])
    assert arp.parse(bytes(body)) is None


def test_the_answer_comes_as_if_from_the_owner_and_goes_to_the_asker() -> None:
    answer = arp.answer(frames.mac(VIRTUAL_MAC), asked("192.0.2.1", VIP))
    assert answer is not None
    assert answer[:HEADER_LENGTH] == frames.ethernet(VIRTUAL_MAC, mac(1), frames.ARP, b"")
    said = arp.parse(answer[HEADER_LENGTH:])
    assert said == arp.ArpFrame(arp.REPLY, frames.mac(VIRTUAL_MAC), IPv4Address(VIP), IPv4Address("192.0.2.1"))


def test_a_probe_of_someone_without_an_address_is_answered() -> None:
    assert arp.answer(frames.mac(VIRTUAL_MAC), asked("0.0.0.0", VIP)) is not None  # noqa: S104


@pytest.mark.parametrize(
    "frame",
    [asked(VIP, VIP), asked(VIP, VIP, sender=2), asked("0.0.0.0", VIP)],  # noqa: S104
    ids=["own address announced", "announced by another", "own address probed"],
)
def test_who_speaks_of_himself_is_not_answered(frame: arp.ArpFrame) -> None:
    assert arp.answer(frames.mac(mac(1)), frame) is None


def test_entries_last_as_long_as_was_said() -> None:
    assert "timeout 2500ms\n" in arp.ruleset(2.5)


@pytest.mark.parametrize("kind", list(FabricKind))
def test_networks_are_told_apart_by_the_marks_of_arp_frames_where_there_is_a_table(kind: FabricKind) -> None:
    ports = (port(1), port(2, network_id=OTHER_NETWORK, kind=PortKind.ROUTER), port(3, kind=PortKind.NONE))
    numbers = f'"{tap_name(port(1).id)}" : {zone(NETWORK_ID)}, "{tap_name(port(2).id)}" : {zone(OTHER_NETWORK)}'
    rule = f"ether type arp meta mark set iifname map {{ {numbers} }}"
    assert (rule in ruleset(Fabric(kind, ports))) == (kind is FabricKind.ARP_CACHE)


def attribute(kind: int, value: bytes) -> bytes:
    length = nflog.ATTRIBUTE.size + len(value)
    return nflog.ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def logged(*attributes: bytes) -> bytes:
    body = nflog.GENERIC.pack(7, 0, arp.LOG_GROUP) + b"".join(attributes)
    return nflog.HEADER.pack(nflog.HEADER.size + len(body), nflog.PACKET, 0, 0, 0) + body


def test_a_datagram_of_the_log_holds_frames_with_their_prefix_mark_and_port() -> None:
    bridge, tap = attribute(nflog.INDEV, struct.pack("!I", 4)), attribute(nflog.PHYSINDEV, struct.pack("!I", 9))
    first = logged(
        attribute(nflog.PREFIX, b"asks\0"),
        attribute(nflog.MARK, struct.pack("!I", 51)),
        bridge,
        tap,
        attribute(nflog.PAYLOAD, b"frame"),
    )
    other = nflog.HEADER.pack(nflog.HEADER.size, 3, 0, 0, 0)  # "done", of no interest
    second = logged(bridge)
    assert list(nflog.parse(first + other + second)) == [
        nflog.Logged("asks", 51, 9, b"frame"),
        nflog.Logged("", 0, 4, b""),
    ]


def test_a_mangled_datagram_ends_the_reading_of_it() -> None:
    assert list(nflog.parse(nflog.HEADER.pack(0, nflog.PACKET, 0, 0, 0))) == [nflog.Logged("", 0, 0, b"")]
    assert list(nflog.parse(b"\x01")) == []
