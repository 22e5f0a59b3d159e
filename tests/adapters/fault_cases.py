"""What the tests of faults on a sandboxed node share: orders, the node's whole state, frames that pass or do not."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

from haos.adapters.node import Node
from haos.core.fault import FaultOrder
from haos.core.model import Pair, ServiceCheck
from haos.workflow.fault import Fault, NodeSide
from haos.workflow.faults_node import WITHDRAW
from tests.adapters.node_cases import WEB
from tests.adapters.node_sandbox import Sandbox

CHECKED = replace(WEB, checks=(ServiceCheck("true"),))
EXTRAS = """
ip neighbour add 10.200.51.33 lladdr fa:16:3e:00:00:33 nud permanent dev ens3
ip route add default via 10.200.51.1
ip route add 192.168.7.0/24 via 10.200.51.1 metric 7 mtu 1400
ip route add 192.168.8.0/24 via 192.168.7.1 table 100 onlink dev ens3
ip -6 route add default via 2001:db8:51::1
ip -6 route add 2001:db8:7::/48 via fe80::1 dev ens3
"""
"""Routes and a neighbour, beside the static addresses that the node has anyway."""

_TRACE = """
find /etc/keepalived /run/haos /run/fake/unit-* -printf '%p %M %u %l\n' 2>/dev/null | sort
ip -o address show dev ens3 | sed 's/valid_lft.*//; s/ tentative//' | sort
ip -br link show dev ens3; ip -br link show type macvlan
for family in 4 6; do ip -$family route show table all | grep -v " far " | sort; done; ip neighbour show nud permanent
tc qdisc show; tc filter show dev ens3 ingress; tc filter show dev ens3 egress; nft list ruleset
grep -o ' /etc/keepalived[^ ]*' /proc/self/mountinfo || :
"""

# Sends VRRP of two virtual routers to the node and hears which of it comes through; then does the same with ARP.
_FRAMES = """
import json, socket, struct, sys, time
HOST, PEER = bytes.fromhex("fa163e000001"), bytes.fromhex("fa163e000033")
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("far", 0))
raw4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
raw6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 112)
for one in (raw4, raw6):
    one.setblocking(False)
def total(data):
    return sum(struct.unpack("!%dH" % (len(data) // 2), data))
def folded(number):
    while number >> 16:
        number = (number & 0xFFFF) + (number >> 16)
    return ~number & 0xFFFF
def vrrp(vrid):
    return bytes([0x31, vrid, 1, 1, 0, 100, 0, 0, 10, 200, 51, 77])
def four(vrid):
    source, here = bytes([10, 200, 51, 33]), bytes([10, 200, 51, 32])
    head = struct.pack("!BBHHHBBH4s4s", 0x46, 0, 36, 0, 0, 255, 112, 0, source, here)
    head += bytes([1, 1, 1, 0])  # options: the header is longer than the usual 20
    head = head[:10] + struct.pack("!H", folded(total(head))) + head[12:]
    return HOST + PEER + b"\\x08\\x00" + head + vrrp(vrid)
def six(vrid):
    source, here = (socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8:51::33", "2001:db8:51::32"))
    return HOST + PEER + b"\\x86\\xdd" + struct.pack("!IHBB", 6 << 28, 12, 112, 255) + source + here + vrrp(vrid)
def arp(last):
    sender = PEER + bytes([10, 200, 51, last])
    return b"\\xff" * 6 + PEER + b"\\x08\\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + sender + bytes(6) + bytes(
        [10, 200, 51, 32])
for frame in (four(7), four(8), six(7), six(8), arp(int(sys.argv[1]))):
    wire.send(frame)
seen = {"in4": set(), "in6": set(), "out4": set(), "arp": False}
until = time.monotonic() + float(sys.argv[2])
wire.settimeout(0.02)
while time.monotonic() < until:
    for name, one, skip in (("in4", raw4, None), ("in6", raw6, 0)):
        try:
            data = one.recv(2048)
        except BlockingIOError:
            continue
        start = (data[0] & 15) * 4 if skip is None else skip
        seen[name].add(data[start + 1])
    try:
        frame, (_, _, direction, _, _) = wire.recvfrom(2048)
    except socket.timeout:
        continue
    if direction == 4 or frame[6:12] != HOST:
        continue
    if frame[12:14] == b"\\x08\\x00" and frame[23] == 112:
        seen["out4"].add(frame[14 + (frame[14] & 15) * 4 + 1])
    elif frame[12:14] == b"\\x08\\x06" and frame[20:22] == b"\\x00\\x02":
        seen["arp"] = True
print(json.dumps({key: sorted(value) if isinstance(value, set) else value for key, value in seen.items()}))
"""


def order(fault: Fault, pair: Pair = CHECKED, *, heal_after_s: float = 60.0, delay_s: float = 0.0) -> FaultOrder:
    """Return what a failover test would order."""
    make = fault.make
    assert isinstance(make, NodeSide)
    return FaultOrder(
        fault.name, pair.name, pair.vip, "ens3", make.inject, make.heal, heal_after_s, delay_s, make.refuse
    )


def by_sh(inject: str, heal: str = ":") -> Fault:
    """Return a fault of the test's own."""
    return Fault("trial", "a fault of the test's own", lambda *_: 1.0, NodeSide(inject, heal))


def trace(box: Sandbox) -> str:
    """Return all that a fault may have changed on the node."""
    return box.sh(_TRACE)


def frames(box: Sandbox, *, listen_s: float = 0.4) -> dict[str, object]:
    """Return what of a few frames came through: the VRIDs heard in either way, and whether ARP is answered."""
    last = 100 + int(box.sh("echo $(($(cat /run/fake/asked 2>/dev/null || echo 0) + 1)) | tee /run/fake/asked"))
    box.write("/run/fake/frames.py", _FRAMES)
    text = box.sh(f"python3 /run/fake/frames.py {last} {listen_s:g}; rm /run/fake/frames.py")
    result: dict[str, object] = json.loads(text)
    return result


def withdraw(node: Node, pair: Pair = WEB) -> None:
    """Let the pair leave the node; `heal` brings it back."""
    node.inject(order(WITHDRAW, pair))


def is_armed(box: Sandbox) -> bool:
    """Say whether the node's own timer is there."""
    return "active" in box.sh("systemctl is-active haos-heal.timer || :").split()


def well(box: Sandbox, node: Node) -> None:
    """Wait until the node holds the VIP again."""
    box.until(lambda: node.sight(CHECKED.name, CHECKED.vip).holds_vip, "Active again")


def as_before(box: Sandbox, before: str) -> None:
    """Wait until the node is as it was: an IPv6 address is in doubt for a second after its link came up."""
    with contextlib.suppress(AssertionError):
        box.until(lambda: trace(box) == before, "as before")
    assert trace(box).splitlines() == before.splitlines()
