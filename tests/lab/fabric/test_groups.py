"""Security groups on real frames: rules, their flows, and VRRP."""

from __future__ import annotations

import socket
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from haos.lab.model import Rule
from tests.lab.fabric import frames
from tests.lab.fabric.ports import (
    EGRESS_ALL,
    ICMP,
    ICMPV6,
    INGRESS_ALL,
    TCP,
    UDP,
    VIP,
    VRRP,
    egress,
    ingress,
    mac,
    pair,
    port,
)
from tests.lab.fabric.wire import DEADLINE_S, Guest, Segment, deliver, eventually, found, unavailable

pytestmark = pytest.mark.lab

A, B, C = 1, 2, 3
SSH = 22


def duo(
    segment: Segment, *rules: Rule, egress_a: tuple[Rule, ...] = EGRESS_ALL, ingress_a: tuple[Rule, ...] = ()
) -> tuple[Guest, Guest]:
    """A with the default group, B with ingress rules."""
    ports = port(A, *ingress_a, egress=egress_a), port(B, *rules)
    segment.put(*ports)
    return segment.boot(ports[0]), segment.boot(ports[1])


def ip(source: Guest, target: Guest, protocol: int, payload: bytes = b"") -> bytes:
    return frames.ipv4(source.mac, target.mac, source.ip, target.ip, protocol, payload)


def connect(client: Guest, server: Guest) -> tuple[socket.socket, socket.socket]:
    listener = server.open_socket(socket.SOCK_STREAM)
    listener.bind((server.ip, SSH))
    listener.listen()
    caller = client.open_socket(socket.SOCK_STREAM)
    caller.connect((server.ip, SSH))
    taken, _ = listener.accept()
    taken.settimeout(DEADLINE_S)
    return server.stack.enter_context(taken), caller


def arrives(client: Guest, server: Guest, number: int) -> bool:
    """Say whether the server's kernel gets, and so refuses, a connection to a closed port."""
    caller = client.open_socket(socket.SOCK_STREAM)
    caller.settimeout(0.3)
    try:
        caller.connect((server.ip, number))
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False
    raise AssertionError(f"port {number} is open")


def test_nothing_comes_in_by_default_but_answers_do(each_segment: Segment) -> None:
    first, second = duo(each_segment, ingress(ICMP))
    assert first.pings(second.ip)
    assert not second.pings(first.ip)


def test_rules_admit_what_they_say(segment: Segment) -> None:
    rules = (ingress(TCP, 22), ingress(UDP, 4001, 4003), ingress(ICMP, 8), ingress(VRRP, remotes=("192.0.2.1/32",)))
    first, second = duo(segment, *rules)
    third_port = port(C)
    segment.put(third_port)
    third = segment.boot(third_port)
    sent = {
        **{f"UDP {number}": ip(first, second, UDP, frames.udp(4000, number)) for number in range(4000, 4005)},
        "VRRP": ip(first, second, VRRP),
        "GRE": ip(first, second, 47),
    }
    assert segment.deliver(first, second, sent) == {"UDP 4001", "UDP 4002", "UDP 4003", "VRRP"}
    assert segment.deliver(third, second, {"VRRP": ip(third, second, VRRP)}) == set()
    assert first.pings(second.ip)
    assert [number for number in (21, 22, 23) if arrives(first, second, number)] == [22]


@pytest.mark.parametrize(("protocol", "payload"), [(UDP, frames.udp(4000, 4001)), (VRRP, b"")])
def test_a_protocol_passes_in_each_direction_only_by_its_own_rule(
    segment: Segment, protocol: int, payload: bytes
) -> None:
    first, second = duo(segment)
    assert segment.deliver(first, second, {"there": ip(first, second, protocol, payload)}) == set()
    assert segment.deliver(second, first, {"back": ip(second, first, protocol, payload)}) == set()
    segment.put(port(B, ingress(protocol)))
    assert segment.deliver(first, second, {"there": ip(first, second, protocol, payload)}) == {"there"}
    segment.put(port(A, ingress(protocol)))
    assert segment.deliver(second, first, {"back": ip(second, first, protocol, payload)}) == {"back"}


def test_multicast_obeys_the_rules_of_every_receiver(segment: Segment) -> None:
    ports = port(A), port(B, ingress(VRRP)), port(C)
    segment.put(*ports)
    first, second, third = (segment.boot(each) for each in ports)
    advert = frames.ipv4(first.mac, "01:00:5e:00:00:12", first.ip, "224.0.0.18", VRRP)
    for _ in range(2):  # a flow that one of them has let in says nothing about the other
        assert deliver(first, [second, third], {"advert": advert}) == [{"advert"}, set()]


def test_egress_must_be_admitted_too(segment: Segment) -> None:
    first, second = duo(segment, *INGRESS_ALL, egress_a=(egress(ICMP), egress(UDP, 53, remotes=("192.0.2.2/32",))))
    sent = {
        "DNS": ip(first, second, UDP, frames.udp(4000, 53)),
        "other UDP": ip(first, second, UDP, frames.udp(4000, 54)),
        "VRRP": ip(first, second, VRRP),
    }
    assert segment.deliver(first, second, sent) == {"DNS"}
    assert first.pings(second.ip)


def test_answers_leave_without_an_egress_rule(segment: Segment) -> None:
    ports = port(A), port(B, ingress(ICMP), egress=())
    segment.put(*ports)
    first, second = segment.boot(ports[0]), segment.boot(ports[1])
    assert first.pings(second.ip)
    assert not second.pings(first.ip)


def test_a_remote_group_without_members_admits_nobody(segment: Segment) -> None:
    first, second = duo(segment, ingress(ICMP, remotes=()))
    assert not first.pings(second.ip)
    segment.put(port(B, ingress(ICMP, remotes=("192.0.2.1/32",))))
    assert first.pings(second.ip)


def test_an_established_connection_lives_through_changes_even_if_the_server_speaks_first(
    each_segment: Segment,
) -> None:
    first, second = duo(each_segment, ingress(TCP, SSH))
    server, client = connect(first, second)
    each_segment.put(port(B, ingress(TCP, SSH), ingress(ICMP), pairs=(pair(VIP, mac(B)),)))
    server.send(b"welcome")
    assert client.recv(100) == b"welcome"
    client.send(b"thanks")
    assert server.recv(100) == b"thanks"


def test_a_removed_rule_cuts_its_connections_and_the_rule_returned_mends_them(segment: Segment) -> None:
    first, second = duo(segment, ingress(TCP, SSH))
    server, client = connect(first, second)
    segment.put(replace(second.port, rules=EGRESS_ALL))
    client.send(b"still there?")
    client.settimeout(0.5)
    server.settimeout(0.5)
    with pytest.raises(TimeoutError):
        server.recv(100)
    server.send(b"hello?")
    with pytest.raises(TimeoutError):
        client.recv(100)
    client.settimeout(DEADLINE_S)
    server.settimeout(DEADLINE_S)
    segment.put(second.port)
    assert server.recv(100) == b"still there?"
    assert client.recv(100) == b"hello?"


def test_answers_that_flow_on_by_themselves_are_cut_with_the_rule_too(segment: Segment) -> None:
    first, second = duo(segment, ingress(UDP, 4001))
    answer = {"answer": ip(second, first, UDP, frames.udp(4001, 4000))}
    assert segment.deliver(second, first, answer) == set()
    assert segment.deliver(first, second, {"question": ip(first, second, UDP, frames.udp(4000, 4001))})
    assert segment.deliver(second, first, answer) == {"answer"}
    segment.put(port(B))
    assert segment.deliver(second, first, answer) == set()


def test_errors_about_an_admitted_flow_come_back(segment: Segment) -> None:
    first, second = duo(segment, ingress(UDP, 4001))
    caller = first.open_socket(socket.SOCK_DGRAM)
    caller.connect((second.ip, 4001))
    caller.send(b"anybody?")
    with pytest.raises(ConnectionRefusedError):
        caller.recv(100)


def test_ipv6_rules_are_apart_from_ipv4_rules(segment: Segment) -> None:
    first, second = duo(segment, ingress(ICMP))
    assert not first.pings("2001:db8::2")
    segment.put(port(B, ingress(ICMPV6, 128, version=6)))
    assert first.pings("2001:db8::2")
    assert not first.pings(second.ip)


class Pair:
    """Two nodes with keepalived, unicast VRRP."""

    def __init__(self, nodes: tuple[Guest, Guest], home: Path, stack: ExitStack) -> None:
        self.nodes = nodes
        for node, peer in (nodes, nodes[::-1]):
            self._start(node, peer, home, stack)

    def actives(self) -> list[str]:
        """Return the addresses of the nodes that hold the VIP."""
        return [node.ip for node in self.nodes if VIP in node.run("ip", "-o", "address", "show", "dev", "ens3")]

    def _start(self, node: Guest, peer: Guest, home: Path, stack: ExitStack) -> None:
        name = str(home / node.ip)
        Path(f"{name}.conf").write_text(
            f"global_defs {{\n vrrp_version 3\n}}\nvrrp_instance V {{\n state BACKUP\n interface ens3\n"
            f" virtual_router_id 51\n priority {100 + int(node.ip[-1])}\n advert_int 0.2\n"
            f" unicast_src_ip {node.ip}\n unicast_peer {{\n  {peer.ip}\n }}\n"
            f" virtual_ipaddress {{\n  {VIP}/24\n }}\n}}\n"
        )
        files = ["-f", f"{name}.conf", "-p", f"{name}.pid", "-r", f"{name}.vrrp.pid"]
        with Path(f"{name}.log").open("w") as log:
            argv = [
                *node.space.enter,
                "setpriv",
                "--pdeathsig",
                "KILL",
                found("keepalived"),
                "--vrrp",
                "-n",
                "-l",
                *files,
            ]
            daemon = subprocess.Popen(argv, stdout=log, stderr=log)
        stack.callback(daemon.wait, timeout=DEADLINE_S)
        stack.callback(daemon.terminate)


def test_without_a_rule_for_vrrp_both_nodes_are_active(segment: Segment, tmp_path: Path) -> None:
    if reason := unavailable(["keepalived", "setpriv"], user=segment.space.user):
        pytest.skip(reason)
    vrrp = ingress(VRRP)
    vip = tuple(replace(port(number, vrrp), pairs=(pair(VIP, mac(number)),)) for number in (A, B))
    segment.put(*vip)
    with ExitStack() as stack:
        nodes = Pair((segment.boot(vip[0]), segment.boot(vip[1])), tmp_path, stack)
        eventually(lambda: nodes.actives() == ["192.0.2.2"])
        segment.put(*(replace(each, rules=EGRESS_ALL) for each in vip))
        eventually(lambda: nodes.actives() == ["192.0.2.1", "192.0.2.2"])
        segment.put(*vip)
        eventually(lambda: nodes.actives() == ["192.0.2.2"])


def test_without_a_rule_for_vrrp_both_nodes_are_active_from_the_start(each_segment: Segment, tmp_path: Path) -> None:
    if reason := unavailable(["keepalived", "setpriv"], user=each_segment.space.user):
        pytest.skip(reason)
    ports = port(A), port(B)
    each_segment.put(*ports)
    with ExitStack() as stack:
        nodes = Pair((each_segment.boot(ports[0]), each_segment.boot(ports[1])), tmp_path, stack)
        eventually(lambda: nodes.actives() == ["192.0.2.1", "192.0.2.2"])
        for node, peer in (
            nodes.nodes,
            nodes.nodes[::-1],
        ):  # neither hears the other, answers to its own adverts included
            assert each_segment.deliver(node, peer, {"advert": ip(node, peer, VRRP)}) == set()
        assert nodes.actives() == ["192.0.2.1", "192.0.2.2"]
        each_segment.put(*(port(number, ingress(VRRP)) for number in (A, B)))
        eventually(lambda: nodes.actives() == ["192.0.2.2"])
