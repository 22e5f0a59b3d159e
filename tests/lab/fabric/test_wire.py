"""The switch on real frames: anti-spoofing, forwarding, and taps that come and go."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

import pytest

from haos.lab.fabric import SwitchError, bridge_name, missing, tap_name
from haos.lab.model import PortKind
from tests.lab.fabric import frames
from tests.lab.fabric.ports import INGRESS_ALL, NETWORK_ID, UDP, VIP, VIRTUAL_MAC, ingress, mac, pair, port
from tests.lab.fabric.wire import Guest, Segment, deliver, eventually

pytestmark = pytest.mark.lab

A, B, C = 1, 2, 3


def trio(segment: Segment, *, port_security: bool = True) -> tuple[Guest, Guest, Guest]:
    """Three guests that admit everything."""
    ports = [port(number, *INGRESS_ALL, port_security=port_security) for number in (A, B, C)]
    segment.put(*ports)
    first, second, third = (segment.boot(each) for each in ports)
    return first, second, third


def datagram(
    source: Guest, target: Guest, *, source_mac: str = "", source_ip: str = "", target_mac: str = ""
) -> bytes:
    header = frames.udp(4000, 4001)
    ends = (source_mac or source.mac, target_mac or target.mac)
    return frames.ipv4(*ends, source_ip or source.ip, target.ip, UDP, header)


def overheard(ear: socket.socket) -> list[tuple[bytes, bytes]]:
    """Return the source MAC and the last bytes of every frame that has been seen so far."""
    ear.setblocking(False)
    seen: list[tuple[bytes, bytes]] = []
    while True:
        try:
            frame = ear.recv(2048)
        except BlockingIOError:
            return seen
        seen.append((frame[6:12], frame[-frames.TOKEN_LENGTH :]))


def lies(liar: Guest, target: Guest, victim: Guest) -> dict[str, bytes]:
    """What an instance may not send."""
    ip, own = liar.ip, liar.mac
    link, foreign = "fe80::f816:3eff:fe00:1", "fe80::f816:3eff:fe00:3"
    advert = frames.NEIGHBOR_ADVERT
    own_option = (frames.TARGET_MAC_OPTION, own)
    return {
        "source MAC": datagram(liar, target, source_mac=victim.mac),
        "source MAC of nobody": datagram(liar, target, source_mac="02:00:00:00:00:99"),
        "source IP": datagram(liar, target, source_ip=victim.ip),
        "source IP of nobody": datagram(liar, target, source_ip="198.51.100.1"),
        "MAC and IP of another": datagram(liar, target, source_mac=victim.mac, source_ip=victim.ip),
        "ARP sender IP": frames.arp(own, victim.ip),
        "ARP sender MAC": frames.arp(own, ip, sender_mac=victim.mac),
        "ARP frame's MAC": frames.arp(victim.mac, ip, sender_mac=own),
        "ARP reply for a VIP": frames.arp(own, VIP, operation=frames.REPLY),
        "DHCP server": frames.ipv4(own, target.mac, ip, target.ip, UDP, frames.udp(67, 68)),
        "router advert": frames.icmpv6(own, target.mac, link, "ff02::1", frames.ROUTER_ADVERT, bytes(12)),
        "IPv6 source": frames.icmpv6(own, target.mac, foreign, "ff02::1", 128, bytes(4)),
        "ND target": frames.icmpv6(own, target.mac, link, "ff02::1", advert, frames.neighbor(foreign, *own_option)),
        "ND target's MAC": frames.icmpv6(
            own, target.mac, link, "ff02::1", advert, frames.neighbor(link, frames.TARGET_MAC_OPTION, victim.mac)
        ),
        "neither ARP nor IP": frames.ethernet(own, target.mac, 0x88B5, b"\x00" * 40),
    }


def truths(guest: Guest, target: Guest) -> dict[str, bytes]:
    """What every instance may send."""
    own, link = guest.mac, "fe80::f816:3eff:fe00:1"
    advert = frames.neighbor(link, frames.TARGET_MAC_OPTION, own)
    return {
        "datagram": datagram(guest, target),
        "ARP request": frames.arp(own, guest.ip),
        "gratuitous ARP": frames.arp(own, guest.ip, operation=frames.REPLY),
        "DHCP request": frames.ipv4(own, frames.BROADCAST, "0.0.0.0", "255.255.255.255", UDP, frames.udp(68, 67)),  # noqa: S104
        "ND": frames.icmpv6(own, target.mac, link, "ff02::1", frames.NEIGHBOR_ADVERT, advert),
        "duplicate address detection": frames.icmpv6(
            own, target.mac, "::", "ff02::1:ff00:1", frames.NEIGHBOR_SOLICIT, b"\x00" * 4 + b"\xfe\x80" + b"\x00" * 14
        ),
    }


def test_an_instance_that_spoofs_gets_nothing_through(each_segment: Segment) -> None:
    liar, target, victim = trio(each_segment)
    assert each_segment.deliver(liar, target, lies(liar, target, victim)) == set()
    assert each_segment.deliver(liar, target, truths(liar, target)) == set(truths(liar, target))


def test_a_spoofed_mac_poisons_nothing(segment: Segment) -> None:
    liar, target, victim = trio(segment)
    before = segment.space.run(["bridge", "fdb", "show"])
    segment.deliver(liar, target, lies(liar, target, victim))
    assert segment.space.run(["bridge", "fdb", "show"]) == before
    assert target.pings(victim.ip)


def test_without_port_security_everything_passes(segment: Segment) -> None:
    liar, target, victim = trio(segment, port_security=False)
    everything = lies(liar, target, victim)
    assert segment.deliver(liar, target, everything) == set(everything)


def test_a_port_without_security_is_found_by_what_it_sends_but_takes_nobodys_mac(segment: Segment) -> None:
    secured, free, other = port(A, *INGRESS_ALL), port(B, port_security=False), port(C, *INGRESS_ALL)
    segment.put(secured, free, other)
    guest, thief, honest = segment.boot(secured), segment.boot(free), segment.boot(other)
    segment.deliver(thief, guest, {"own": datagram(thief, guest, source_mac=VIRTUAL_MAC, source_ip=VIP)})
    to_virtual = {"to the VMAC": datagram(guest, thief, target_mac=VIRTUAL_MAC)}
    assert deliver(guest, [thief, honest], to_virtual) == [{"to the VMAC"}, set()]
    segment.deliver(thief, guest, {"stolen": datagram(thief, guest, source_mac=honest.mac, source_ip=honest.ip)})
    assert deliver(guest, [thief, honest], {"x": datagram(guest, honest)}) == [set(), {"x"}]


def test_a_vip_lives_with_its_pair_and_only_after_the_delay(each_segment: Segment) -> None:
    active, _, observer = trio(each_segment)
    active.run("ip", "address", "add", f"{VIP}/24", "dev", "ens3")
    assert not observer.pings(VIP)
    each_segment.switch.delay_s = 0.5
    ordered_s = time.monotonic()
    each_segment.order(replace(active.port, pairs=(pair(VIP, active.mac),)))
    assert not observer.pings(VIP, "-c", "1", "-W", "0.1")
    each_segment.switch.flush()
    assert time.monotonic() - ordered_s >= each_segment.switch.delay_s
    assert observer.pings(VIP)
    each_segment.put(active.port)
    assert not observer.pings(VIP)


def test_a_pair_names_one_mac_with_one_network(segment: Segment) -> None:
    active, _, observer = trio(segment)
    segment.put(replace(active.port, pairs=(pair("192.0.2.128/25", VIRTUAL_MAC),)))
    sent = {
        "the pair": frames.arp(VIRTUAL_MAC, "192.0.2.200"),
        "own MAC, pair's IP": frames.arp(active.mac, "192.0.2.200"),
        "pair's MAC, own IP": frames.arp(VIRTUAL_MAC, active.ip),
        "outside the pair": frames.arp(VIRTUAL_MAC, "192.0.2.127"),
    }
    assert segment.deliver(active, observer, sent) == {"the pair"}


def test_a_pairs_mac_leads_only_to_the_port_it_was_set_on_last(each_segment: Segment) -> None:
    ports = [
        port(A, *INGRESS_ALL, pairs=(pair(VIP, VIRTUAL_MAC, order=7),)),
        port(B, *INGRESS_ALL, pairs=(pair(VIP, VIRTUAL_MAC, order=5),)),
        port(C, *INGRESS_ALL),
    ]
    each_segment.put(*ports)
    first, second, observer = (each_segment.boot(each) for each in ports)
    sent = {"to the VMAC": datagram(observer, first, target_mac=VIRTUAL_MAC)}
    assert deliver(observer, [first, second], sent) == [{"to the VMAC"}, set()]
    assert each_segment.deliver(second, observer, {"GARP": frames.arp(VIRTUAL_MAC, VIP)}) == {"GARP"}
    assert deliver(observer, [first, second], sent) == [{"to the VMAC"}, set()]  # nothing was learned of it
    each_segment.put(replace(ports[1], pairs=(pair(VIP, VIRTUAL_MAC, order=8),)))
    assert deliver(observer, [first, second], sent) == [set(), {"to the VMAC"}]


def test_nothing_unknown_is_flooded(segment: Segment) -> None:
    first, second, third = trio(segment)
    sent = {"unknown": datagram(first, second, target_mac="02:00:00:00:00:99"), "known": datagram(first, second)}
    assert deliver(first, [second, third], sent) == [{"known"}, set()]


def test_a_port_that_is_down_neither_sends_nor_receives(segment: Segment) -> None:
    first, second, third = trio(segment)
    segment.put(port(A, *INGRESS_ALL, admin_up=False))
    down, up, token = first.wire(), second.wire(), frames.token()
    down.send(frames.arp(first.mac, first.ip) + token)
    third.wire().send(frames.arp(third.mac, third.ip) + token)
    assert third.pings(second.ip)
    assert [source for source, tail in overheard(up) if tail == token] == [frames.mac(third.mac)]
    assert [source for source, tail in overheard(down) if tail == token] == []
    segment.put(port(A, *INGRESS_ALL))
    assert second.pings(first.ip)


def test_dropping_all_frames_takes_effect_at_once_and_outlives_other_changes(segment: Segment) -> None:
    first, second, third = trio(segment)
    segment.switch.drop_all(tap_name(first.port.id))
    segment.put(third.port)
    assert not second.pings(first.ip)
    assert second.pings(third.ip)
    segment.switch.restore(tap_name(first.port.id))
    assert second.pings(first.ip)


def test_an_instance_that_comes_back_is_plugged_at_once(each_segment: Segment) -> None:
    first, second, third = trio(each_segment)
    each_segment.kill(first)
    assert second.pings(third.ip)
    each_segment.order(port(9))  # an order that waits does not hold the plug up
    again = each_segment.boot(first.port)
    assert second.pings(again.ip, "-c", "1")


def test_a_tap_of_a_port_to_come_is_plugged_when_that_is_effective(segment: Segment) -> None:
    first, _, _ = trio(segment)
    segment.order(port(9, *INGRESS_ALL))
    late = segment.boot(port(9, *INGRESS_ALL))
    segment.switch.flush()
    assert first.pings(late.ip)


def test_a_tap_that_is_not_there_is_named(segment: Segment) -> None:
    with pytest.raises(SwitchError, match="tapnowhere"):
        segment.switch.plug("tapnowhere")


def test_the_bridge_of_a_vanished_network_goes_and_a_removed_port_is_cut_off(segment: Segment) -> None:
    first, second, third = trio(segment)
    other = "7b2f0000-0000-4000-8000-000000000001"
    segment.put(port(9, network_id=other))
    assert bridge_name(other) in segment.space.run(["ip", "link"])
    del segment.ports[port(9).id], segment.ports[first.port.id]
    segment.put()
    links = segment.space.run(["ip", "link"])
    assert bridge_name(other) not in links
    assert bridge_name(NETWORK_ID) in links
    assert not second.pings(first.ip)
    assert second.pings(third.ip)


def test_networks_are_apart(segment: Segment) -> None:
    other = "7b2f0000-0000-4000-8000-000000000001"
    near, far = port(A, *INGRESS_ALL), port(B, *INGRESS_ALL, network_id=other)
    segment.put(near, far)
    first, second = segment.boot(near), segment.boot(far)
    assert not first.pings(second.ip)
    segment.put(port(B, *INGRESS_ALL))
    assert first.pings(second.ip)


def test_a_router_is_not_filtered_and_reaches_who_admits_it(segment: Segment) -> None:
    router, open_one, shut = port(A, kind=PortKind.ROUTER, egress=()), port(B, *INGRESS_ALL), port(C)
    segment.put(router, open_one, shut)
    gateway, reachable, hidden = (segment.boot(each) for each in (router, open_one, shut))
    assert gateway.pings(reachable.ip)
    assert not gateway.pings(hidden.ip)
    assert hidden.pings(gateway.ip)
    sent = {"from the internet": datagram(gateway, reachable, source_ip="203.0.113.5")}
    assert segment.deliver(gateway, reachable, sent) == {"from the internet"}


def test_the_switch_itself_is_nobody_on_the_segment(segment: Segment) -> None:
    first, _, _ = trio(segment)
    addresses = segment.space.run(["cat", "/proc/net/if_inet6"])
    assert "brq" not in addresses
    assert "tap" not in addresses
    segment.space.run(["ip", "address", "add", "192.0.2.50/24", "dev", bridge_name(NETWORK_ID)])
    assert not first.pings("192.0.2.50", "-c", "1")
    assert first.mac not in segment.space.run(["ip", "neigh"])  # it has not heard the question
    with pytest.raises(SwitchError):
        segment.space.run(["ping", "-c", "1", "-W", "0.2", first.ip])
    assert "lladdr" not in first.run("ip", "neigh", "show", "192.0.2.50")  # nor is it heard


def test_ipv6_neighbours_find_each_other(each_segment: Segment) -> None:
    first, second, _ = trio(each_segment)
    assert first.pings("2001:db8::2")
    assert second.pings("2001:db8::1")
    assert mac(A) in second.run("ip", "-6", "neigh", "show", "2001:db8::1")


def test_flows_of_one_network_answer_nothing_on_another(segment: Segment) -> None:
    other = "7b2f0000-0000-4000-8000-000000000001"
    here = port(A), port(B, ingress(UDP))
    # The same addresses on another network, with ids of their own.
    there = tuple(replace(each, id=f"f{each.id[1:]}", network_id=other) for each in here)
    segment.put(*here, *there)
    first, second, first_there, second_there = (segment.boot(each) for each in (*here, *there))
    assert segment.deliver(first, second, {"question": datagram(first, second)}) == {"question"}
    answer = frames.ipv4(second.mac, first.mac, second.ip, first.ip, UDP, frames.udp(4001, 4000))
    assert segment.deliver(second_there, first_there, {"answer": answer}) == set()
    assert segment.deliver(second, first, {"answer": answer}) == {"answer"}


def test_bridges_pass_br_netfilter_by_themselves_and_without_it_nothing_passes(segment: Segment) -> None:
    segment.space.run(["sh", "-c", "echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables"])
    first, second, _ = trio(segment)
    assert first.pings(second.ip)
    segment.space.run(["ip", "link", "set", bridge_name(NETWORK_ID), "type", "bridge", "nf_call_iptables", "0"])
    assert not first.pings(second.ip)


def test_this_machine_is_fit_and_the_trial_leaves_nothing(each_segment: Segment) -> None:
    before = each_segment.space.run(["ip", "-o", "link"])
    assert missing(each_segment.space.run) is None
    eventually(lambda: each_segment.space.run(["ip", "-o", "link"]) == before)
