"""The fabric `arp-cache` on real frames: what its ARP table swallows, answers and forgets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from haos.lab.fabric import arp, missing
from haos.lab.fabric.names import zone
from haos.lab.model import FabricKind, FabricPort, PortKind
from tests.lab.fabric import frames
from tests.lab.fabric.ports import INGRESS_ALL, NETWORK_ID, UDP, VIP, VIRTUAL_MAC, mac, pair, port
from tests.lab.fabric.wire import Guest, Segment, deliver, eventually

pytestmark = pytest.mark.lab

A, B, C = 1, 2, 3
UNSET = "0.0.0.0"  # noqa: S104 - what a host without an address says it has
OTHER_NETWORK = "7b2f0000-0000-4000-8000-000000000001"


@pytest.fixture
def kind() -> FabricKind:
    return FabricKind.ARP_CACHE


def node(number: int) -> FabricPort:
    """A port that may speak for the VIP, by its own MAC and by the virtual one."""
    return port(number, *INGRESS_ALL, pairs=(pair(VIP, VIRTUAL_MAC, number), pair(VIP, mac(number), number)))


def trio(segment: Segment) -> tuple[Guest, Guest, Guest]:
    """Two nodes and an observer."""
    ports = [node(A), node(B), port(C, *INGRESS_ALL)]
    segment.put(*ports)
    first, second, observer = (segment.boot(each) for each in ports)
    return first, second, observer


def garps(mac: str, ip: str = VIP) -> dict[str, bytes]:
    """The gratuitous ARPs of a MAC, as request and as reply."""
    return {
        "request": frames.arp(mac, ip, about=ip),
        "reply": frames.arp(mac, ip, about=ip, operation=frames.REPLY),
    }


def told(asker: Guest, about: str, *, sender_ip: str = "", timeout_s: float = 0.5) -> str | None:
    """Ask for an address and return the MAC in the first answer; None if there is none."""
    wire = asker.wire()
    wire.settimeout(timeout_s)
    wire.send(frames.arp(asker.mac, sender_ip or asker.ip, about=about))
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        try:
            frame = wire.recv(2048)
        except TimeoutError:
            return None
        said = arp.parse(frame[14:]) if frame[12:14] == b"\x08\x06" else None
        if said and said.operation == frames.REPLY and str(said.sender) == about:
            assert frame[:6] == frames.mac(asker.mac)
            assert frame[6:12] == said.sender_mac
            return said.sender_mac.hex(":")
    return None


def test_the_first_frame_of_an_address_passes_and_no_other_about_it(each_segment: Segment) -> None:
    first, second, observer = trio(each_segment)
    assert each_segment.deliver(first, observer, {"GARP": frames.arp(first.mac, VIP, about=VIP)}) == {"GARP"}
    for each in (first, second):
        assert each_segment.deliver(each, observer, garps(each.mac)) == set()
    questions = {"broadcast": frames.arp(observer.mac, observer.ip, about=VIP)}
    questions["to the node"] = frames.arp(observer.mac, observer.ip, about=VIP, target=first.mac)
    assert deliver(observer, [first, second], questions) == [set(), set()]


def test_the_switch_answers_with_the_mac_that_filled_the_entry(each_segment: Segment) -> None:
    first, second, observer = trio(each_segment)
    assert told(observer, VIP) is None
    each_segment.deliver(first, observer, garps(first.mac))
    assert told(observer, VIP) == first.mac
    each_segment.deliver(second, observer, garps(second.mac))  # the failover of a pair in garp mode
    assert told(observer, VIP) == first.mac


def test_nobody_is_answered_about_himself(segment: Segment) -> None:
    first, second, observer = trio(segment)
    segment.deliver(first, observer, garps(first.mac))
    assert told(first, VIP) is None
    assert told(second, VIP, sender_ip=VIP) is None
    assert told(observer, VIP) == first.mac  # the responder was there all the time


def test_macs_are_learned_from_swallowed_frames(each_segment: Segment) -> None:
    first, second, observer = trio(each_segment)
    datagram = {"it": frames.ipv4(observer.mac, VIRTUAL_MAC, observer.ip, VIP, UDP, frames.udp(4000, 4001))}
    assert "request" in each_segment.deliver(first, observer, garps(VIRTUAL_MAC))
    assert deliver(observer, [first, second], datagram) == [{"it"}, set()]
    for active, backup in ((second, first), (first, second)):  # failover and failback of a pair in vmac mode
        assert each_segment.deliver(active, observer, garps(VIRTUAL_MAC)) == set()
        assert deliver(observer, [active, backup], datagram) == [{"it"}, set()]
        assert told(observer, VIP) == VIRTUAL_MAC


def test_an_entry_ages_out_and_is_not_refreshed(segment_of: Callable[..., Segment]) -> None:
    segment = segment_of(kind=FabricKind.ARP_CACHE, arp_cache_s=2.0)
    first, second, observer = trio(segment)
    segment.deliver(first, observer, garps(first.mac))
    heard_s = time.monotonic()
    while segment.deliver(first, observer, {"GARP": frames.arp(first.mac, VIP, about=VIP)}) == set():
        answer = told(observer, VIP, timeout_s=2.0)
        assert time.monotonic() - heard_s < 10
        if answer is None:
            break  # it aged out between the two
        assert answer == first.mac
    assert time.monotonic() - heard_s >= 1.5
    eventually(lambda: segment.deliver(second, observer, garps(VIRTUAL_MAC)) != set())
    assert told(observer, VIP) == VIRTUAL_MAC


def test_a_spoofed_frame_fills_nothing(segment: Segment) -> None:
    first, _, observer = trio(segment)
    segment.put(port(9, *INGRESS_ALL))
    liar = segment.boot(port(9, *INGRESS_ALL))
    assert segment.deliver(liar, observer, garps(liar.mac)) == set()
    assert told(observer, VIP) is None
    assert "request" in segment.deliver(first, observer, garps(first.mac))
    assert told(observer, VIP) == first.mac


def test_ports_without_port_security_and_routers_count(segment: Segment) -> None:
    free, gateway = port(A, port_security=False), port(B, kind=PortKind.ROUTER)
    segment.put(free, gateway, port(C, *INGRESS_ALL))
    guest, router, observer = (segment.boot(each) for each in (free, gateway, port(C, *INGRESS_ALL)))
    for each, address in ((guest, VIP), (router, "192.0.2.254")):
        assert "request" in segment.deliver(each, observer, garps(each.mac, address))
        assert told(observer, address) == each.mac
    assert told(router, VIP) == guest.mac
    assert told(guest, "192.0.2.254") == router.mac


def test_who_has_no_address_fills_nothing_but_is_answered(segment: Segment) -> None:
    free = port(A, port_security=False)
    segment.put(free, node(B), port(C))
    guest, second, observer = (segment.boot(each) for each in (free, node(B), port(C)))
    for _ in range(2):
        probe = {"reply": frames.arp(guest.mac, UNSET, operation=frames.REPLY), "probe": frames.arp(guest.mac, UNSET)}
        assert segment.deliver(guest, observer, probe) == set(probe)
    assert told(guest, VIP, sender_ip=UNSET) is None
    segment.deliver(second, observer, garps(second.mac))
    assert told(guest, VIP, sender_ip=UNSET) == second.mac


def test_a_swallowed_request_fills_the_table_with_who_asks(segment: Segment) -> None:
    first, second, observer = trio(segment)
    segment.deliver(first, observer, garps(first.mac))
    assert told(second, VIP) == first.mac
    assert segment.deliver(second, observer, garps(second.mac, second.ip)) == set()
    assert told(observer, second.ip) == second.mac


def test_networks_have_tables_of_their_own(segment: Segment) -> None:
    first, _, observer = trio(segment)
    ports = [replace(each, id=f"f{each.id[1:]}", network_id=OTHER_NETWORK) for each in (node(B), port(C))]
    segment.put(*ports)
    far, far_observer = (segment.boot(each) for each in ports)
    segment.deliver(first, observer, garps(first.mac))
    assert told(far_observer, VIP) is None
    assert "request" in segment.deliver(far, far_observer, garps(far.mac))
    assert (told(observer, VIP), told(far_observer, VIP)) == (first.mac, far.mac)


def test_the_table_outlives_changes_of_ports_and_instances(each_segment: Segment) -> None:
    first, second, observer = trio(each_segment)
    each_segment.deliver(first, observer, garps(first.mac))
    each_segment.kill(first)
    each_segment.put(port(9))
    assert each_segment.deliver(second, observer, garps(second.mac)) == set()
    assert told(observer, VIP) == first.mac
    again = each_segment.boot(first.port)
    assert told(again, observer.ip) == observer.mac
    assert again.pings(observer.ip)
    assert observer.pings(again.ip)


def test_an_entry_whose_mac_was_missed_is_forgotten_and_filled_again(segment: Segment) -> None:
    first, _, observer = trio(segment)
    entry = f"{{ {zone(NETWORK_ID)} . {VIP} }}"
    segment.space.run(["nft", "add", "element", "bridge", arp.TABLE, "known", entry])
    assert segment.deliver(first, observer, garps(first.mac)) == set()
    assert told(observer, VIP) is None
    eventually(lambda: segment.deliver(first, observer, garps(first.mac)) != set())
    assert told(observer, VIP) == first.mac


def test_kernels_find_each_other_for_good(each_segment: Segment) -> None:
    first, second, observer = trio(each_segment)
    for _ in range(2):
        for one, other in ((first, second), (second, observer), (observer, first)):
            assert one.pings(other.ip, "-c", "1")
            assert other.pings(one.ip, "-c", "1")
    assert first.pings("2001:db8::2")  # neighbour discovery is nobody's business


def test_this_machine_is_fit(each_segment: Segment) -> None:
    assert missing(each_segment.space.run, FabricKind.ARP_CACHE) is None
