"""The fabric `learning` on real frames: a MAC is where it was seen last."""

from __future__ import annotations

import pytest

from haos.lab.model import FabricKind, FabricPort
from tests.lab.fabric import frames
from tests.lab.fabric.ports import INGRESS_ALL, UDP, VIP, VIRTUAL_MAC, pair, port
from tests.lab.fabric.wire import Guest, Segment, deliver, eventually

pytestmark = pytest.mark.lab

A, B, C = 1, 2, 3


@pytest.fixture
def kind() -> FabricKind:
    return FabricKind.LEARNING


def node(number: int) -> FabricPort:
    """A port that may speak for the VIP, by its own MAC and by the virtual one."""
    return port(number, *INGRESS_ALL, pairs=(pair(VIP, VIRTUAL_MAC, number), pair(VIP, port(number).mac, number)))


def trio(segment: Segment) -> tuple[Guest, Guest, Guest]:
    """Two nodes and an observer."""
    ports = [node(A), node(B), port(C, *INGRESS_ALL)]
    segment.put(*ports)
    first, second, observer = (segment.boot(each) for each in ports)
    return first, second, observer


def to_mac(observer: Guest, mac: str) -> dict[str, bytes]:
    header = frames.udp(4000, 4001)
    return {"it": frames.ipv4(observer.mac, mac, observer.ip, VIP, UDP, header)}


def test_a_virtual_mac_leads_to_the_port_that_used_it_last(
    each_segment: Segment,
) -> None:
    first, second, observer = trio(each_segment)
    for active, backup in ((first, second), (second, first), (first, second)):
        assert each_segment.deliver(active, observer, {"GARP": frames.arp(VIRTUAL_MAC, VIP)}) == {"GARP"}
        assert deliver(observer, [active, backup], to_mac(observer, VIRTUAL_MAC)) == [{"it"}, set()]


def test_gratuitous_arp_takes_a_client_along(segment: Segment) -> None:
    first, second, observer = trio(segment)
    first.run("ip", "address", "add", f"{VIP}/24", "dev", "ens3")
    assert observer.pings(VIP)
    first.run("ip", "address", "del", f"{VIP}/24", "dev", "ens3")
    second.run("ip", "address", "add", f"{VIP}/24", "dev", "ens3")
    garp = frames.arp(second.mac, VIP, operation=frames.REPLY, about=VIP)

    def taken() -> bool:  # Linux believes no change within a second of the last
        assert segment.deliver(second, observer, {"GARP": garp}) == {"GARP"}
        return f"lladdr {second.mac}" in observer.run("ip", "neigh", "show", VIP)

    eventually(taken)
    observer.run("ping", "-n", "-q", "-c", "1", "-W", "1", VIP)  # with the neighbour that it has


def test_frames_to_an_unknown_mac_reach_everybody(segment: Segment) -> None:
    first, second, observer = trio(segment)
    assert deliver(observer, [first, second], to_mac(observer, "02:00:00:00:00:99")) == [{"it"}, {"it"}]


def test_a_spoofed_frame_is_neither_delivered_nor_learned_from(segment: Segment) -> None:
    first, second, observer = trio(segment)
    segment.put(port(9))
    liar = segment.boot(port(9))
    segment.deliver(first, observer, {})  # its place is known
    theft = {"theft": frames.arp(first.mac, first.ip), "VIP": frames.arp(VIRTUAL_MAC, VIP)}
    assert segment.deliver(liar, observer, theft) == set()
    assert deliver(observer, [first, second, liar], to_mac(observer, first.mac)) == [{"it"}, set(), set()]
    assert VIRTUAL_MAC not in segment.space.run(["bridge", "fdb", "show"])


def test_what_was_learned_outlives_changes_of_the_fabric(segment: Segment) -> None:
    first, second, observer = trio(segment)
    segment.deliver(second, observer, {"GARP": frames.arp(VIRTUAL_MAC, VIP)})
    segment.put(port(9))
    assert deliver(observer, [first, second], to_mac(observer, VIRTUAL_MAC)) == [set(), {"it"}]
