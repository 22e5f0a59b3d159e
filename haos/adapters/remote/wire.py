"""The observer's end of the wire: how the VIP is reached, echoes to it, broadcast questions for it.

Streamed to the observer along with probe.py: see there for what may be used here.
"""

import array
import errno
import os
import socket
import struct
import time
from typing import Any

ETH_IP, ETH_ARP, ETH_IPV6 = 0x0800, 0x0806, 0x86DD
PACKET_OUTGOING, ARPHRD_ETHER, RTN_LOCAL = 4, 1, 2
SO_ATTACH_FILTER = 26
LOOK_S = 0.02
NO_MAC = "-"


def netlink(kind: int, flags: int, body: bytes) -> "list[tuple[int, bytes]]":
    """Ask the kernel's routing socket; return its (type, payload) messages. Needs no privilege and no iproute2."""
    messages: list[tuple[int, bytes]] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.settimeout(1.0)
        kernel.send(struct.pack("=IHHII", 16 + len(body), kind, 1 | flags, 1, 0) + body)
        while True:
            data = kernel.recv(1 << 16)
            while len(data) >= 16:
                size, found = struct.unpack_from("=IH", data)
                if found in (2, 3):  # error, or done
                    return messages
                messages.append((found, data[16:size]))
                data = data[(size + 3) & ~3 :]
            if not flags:
                return messages


def attributes(blob: bytes) -> "dict[int, bytes]":
    """Return a netlink message's attributes by type."""
    found = {}
    while len(blob) >= 4:
        size, kind = struct.unpack_from("=HH", blob)
        if size < 4:
            break
        found[kind] = blob[4:size]
        blob = blob[(size + 3) & ~3 :]
    return found


def mac_text(mac: bytes) -> str:
    """Write six bytes as a MAC address."""
    return ":".join(f"{byte:02x}" for byte in mac[:6])


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Target:
    """The VIP, and how the kernel would reach it."""

    def __init__(self, vip: str) -> None:
        self.text = vip
        self.v6 = ":" in vip
        self.family = socket.AF_INET6 if self.v6 else socket.AF_INET
        self.packed = socket.inet_pton(self.family, vip)
        attr = struct.pack("=HH", 4 + len(self.packed), 1) + self.packed
        head = struct.pack("=8BI", self.family, 8 * len(self.packed), 0, 0, 0, 0, 0, 0, 0)
        routes = netlink(26, 0, head + attr)
        self.interface = 0
        self.source = b""
        self.on_link = False
        if routes:
            found = attributes(routes[0][1][12:])
            self.interface = struct.unpack("=I", found.get(4, b"\0\0\0\0"))[0]
            self.source = found.get(7, b"")
            self.on_link = routes[0][1][7] != RTN_LOCAL and 5 not in found and 18 not in found

    def neighbour(self) -> str:
        """Return the MAC that the kernel's neighbour table has for the VIP."""
        for kind, body in netlink(30, 0x300, struct.pack("=BxHiHBB", self.family, 0, 0, 0, 0, 0)):
            found = attributes(body[12:])
            if kind == 28 and found.get(1) == self.packed and len(found.get(2, b"")) == 6:
                return mac_text(found[2])
        return NO_MAC


class Echoer:
    """Sends ICMP echoes and recognises the answers to its own."""

    method = ""

    def __init__(self, target: Target, kind: int) -> None:
        self.target = target
        self.request, self.reply = (128, 129) if target.v6 else (8, 0)
        self.protocol = socket.IPPROTO_ICMPV6 if target.v6 else socket.IPPROTO_ICMP
        self.identity = os.getpid() & 0xFFFF
        self.cookie = os.urandom(8)
        self.socket = self.receiver = socket.socket(target.family, kind, self.protocol)

    def send(self, seq: int) -> bool:
        """Send an echo; False if it could not leave this machine for lack of buffers."""
        body = self.cookie + struct.pack("!I", seq)
        head = struct.pack("!BBHHH", self.request, 0, 0, self.identity, seq & 0xFFFF)
        if not self.target.v6:
            head = struct.pack("!BBHHH", self.request, 0, checksum(head + body), self.identity, seq & 0xFFFF)
        try:
            self.socket.sendto(head + body, (self.target.text, 0))
        except OSError as error:
            # An unreachable VIP is what is to be measured; only a full queue here is not the VIP's fault.
            return error.errno not in (errno.ENOBUFS, errno.EAGAIN)
        return True

    def sequence(self, icmp: bytes) -> int:
        """Return the number of the echo that this message answers, or -1."""
        if len(icmp) >= 20 and icmp[0] == self.reply and icmp[8:16] == self.cookie:
            return int(struct.unpack_from("!I", icmp, 16)[0])
        return -1

    def parse(self, data: bytes, sender: "tuple[Any, ...]") -> "tuple[int, str]":
        """Return (the number of the echo that this packet answers or -1, the MAC that it came from)."""
        raise NotImplementedError


class DatagramEchoer(Echoer):
    """Echoes without privilege, where net.ipv4.ping_group_range allows it; who answers is read from the kernel."""

    method = "icmp-dgram"

    def __init__(self, target: Target) -> None:
        Echoer.__init__(self, target, socket.SOCK_DGRAM)
        self.looked_s = 0.0
        self.mac = NO_MAC

    def parse(self, data: bytes, sender: "tuple[Any, ...]") -> "tuple[int, str]":
        """Return (echo's number or -1, MAC)."""
        if self.target.on_link and time.monotonic() - self.looked_s >= LOOK_S:
            self.mac, self.looked_s = self.target.neighbour(), time.monotonic()
        return self.sequence(data), self.mac


class RawEchoer(Echoer):
    """Echoes with CAP_NET_RAW: the answers are taken off the wire, with the MAC that sent them."""

    method = "icmp-raw"

    def __init__(self, target: Target) -> None:
        Echoer.__init__(self, target, socket.SOCK_RAW)
        # Answers come by the packet socket: let none pile up here (ICMP_FILTER, ICMP6_FILTER).
        if target.v6:
            self.socket.setsockopt(socket.IPPROTO_ICMPV6, 1, b"\xff" * 32)
        else:
            self.socket.setsockopt(255, 1, b"\xff" * 4)
        kind = ETH_IPV6 if target.v6 else ETH_IP
        self.receiver = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(kind))
        attach(self.receiver, from_vip(target, 12, 9, 1) if not target.v6 else from_vip(target, 8, 6, 58))

    def parse(self, data: bytes, sender: "tuple[Any, ...]") -> "tuple[int, str]":
        """Return (echo's number or -1, MAC)."""
        start = 40 if self.target.v6 else (data[0] & 15) * 4
        known = self.target.on_link and sender[3] == ARPHRD_ETHER
        return (
            -1 if sender[2] == PACKET_OUTGOING else self.sequence(data[start:]),
            mac_text(sender[4]) if known else NO_MAC,
        )


def from_vip(target: Target, source_at: int, protocol_at: int, protocol: int) -> "list[tuple[int, ...]]":
    """Return a packet filter: packets of this protocol whose source is the VIP."""
    words = struct.unpack(f"!{len(target.packed) // 4}I", target.packed)
    tests: list[tuple[int, ...]] = [(0x30, protocol_at, protocol)]
    tests += [(0x20, source_at + 4 * index, word) for index, word in enumerate(words)]
    return match_all(tests)


def match_all(tests: "list[tuple[int, ...]]") -> "list[tuple[int, ...]]":
    """Return a packet filter that wants each (load, offset, value) to hold."""
    code: list[tuple[int, ...]] = []
    left = 2 * len(tests)
    for load, offset, value in tests:
        left -= 2
        code += [(load, 0, 0, offset), (0x15, 0, left + 1, value)]
    return [*code, (0x06, 0, 0, 0xFFFF), (0x06, 0, 0, 0)]


def attach(sock: socket.socket, code: "list[tuple[int, ...]]") -> None:
    """Attach a packet filter, so that other traffic does not wake us."""
    program = array.array("B", b"".join(struct.pack("=HBBI", *step) for step in code))
    address, _ = program.buffer_info()
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(code), address))


class Asker:
    """Asks the whole segment who has the VIP: broadcast ARP, or for IPv6 a neighbour solicitation."""

    def __init__(self, target: Target) -> None:
        self.target = target
        name = socket.if_indextoname(target.interface)
        kind = ETH_IPV6 if target.v6 else ETH_ARP
        self.receiver = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(kind))
        attach(self.receiver, match_all([(0x30, 6, 58), (0x30, 40, 136)] if target.v6 else [(0x28, 6, 2)]))
        self.receiver.bind((name, kind))
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((name, 0))
        self.mac: bytes = self.socket.getsockname()[4][:6]
        if self.socket.getsockname()[3] != ARPHRD_ETHER:
            raise OSError(errno.EOPNOTSUPP, "no Ethernet")
        self.frame = self.solicitation() if target.v6 else self.request()

    def request(self) -> bytes:
        """Return the ARP request."""
        body = struct.pack("!HHBBH", 1, ETH_IP, 6, 4, 1) + self.mac + self.target.source + b"\0" * 6
        return b"\xff" * 6 + self.mac + struct.pack("!H", ETH_ARP) + body + self.target.packed

    def solicitation(self) -> bytes:
        """Return the neighbour solicitation (RFC 4861), to the VIP's solicited-node group."""
        vip, tail = self.target.packed, b"\xff" + self.target.packed[-3:]
        group = b"\xff\x02" + b"\0" * 9 + b"\x01" + tail
        body = b"\x87\0\0\0\0\0\0\0" + vip + b"\x01\x01" + self.mac
        pseudo = self.target.source + group + struct.pack("!II", len(body), 58)
        body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
        head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + self.target.source + group
        return b"\x33\x33" + tail + self.mac + struct.pack("!H", ETH_IPV6) + head + body

    def send(self) -> None:
        """Ask."""
        try:
            self.socket.send(self.frame)
        except OSError:
            return  # the link is down: nobody answers

    def parse(self, data: bytes, sender: "tuple[Any, ...]") -> str:
        """Return the MAC that claims the VIP, "" if this packet claims something else."""
        if sender[2] == PACKET_OUTGOING:
            return ""
        if not self.target.v6:
            return mac_text(data[8:14]) if data[14:18] == self.target.packed else ""
        if data[48:64] != self.target.packed:
            return ""
        return mac_text(data[66:72]) if data[64:66] == b"\x02\x01" else mac_text(sender[4])


def prepare(vip: str) -> "tuple[Target, Echoer, Asker | None]":
    """Find the best way to probe that we have the right to; OSError if there is none."""
    target = Target(vip)
    try:
        echoer: Echoer = RawEchoer(target)
    except OSError:
        return target, DatagramEchoer(target), None
    try:
        return target, echoer, Asker(target) if target.on_link and target.source else None
    except OSError:
        return target, echoer, None
