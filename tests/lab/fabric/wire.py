"""A switch namespace with guests on it, made for one test and gone with it, however it ends."""

from __future__ import annotations

import array
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from shutil import which
from types import TracebackType

from haos.lab.fabric import ArpCache, Switch, SwitchError, tap_name
from haos.lab.fabric.command import SYSTEM_PATH, execute
from haos.lab.model import Fabric, FabricKind, FabricPort
from tests.lab.fabric import frames

DELAY_S = 0.1
ARP_CACHE_S = 600.0
DEADLINE_S = 10.0 * float(os.environ.get("HAOS_TIMEOUT_MULTIPLIER", "1"))
USER_NAMESPACE = ("--user", "--map-root-user")
# Runs inside a guest: opens a socket there and hands it out over the inherited descriptor.
OPENER = """
import array, socket, sys
family, kind, protocol, out = map(int, sys.argv[1:])
made = socket.socket(family, kind, protocol)
socket.socket(fileno=out).sendmsg([b"s"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [made.fileno()]))])
"""


class Namespace:
    """A process that holds a network namespace open as long as our end of its standard input is open."""

    def __init__(self, unshare: Sequence[str], *, inside: Namespace | None = None, user: bool = False) -> None:
        self.user: bool = user
        within = inside.enter[:-1] if inside and inside.user else []
        argv = [*within, "unshare", *unshare, "--net", "sh", "-c", "echo ready; exec cat"]
        self._holder = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            self.close()
            raise SwitchError("no network namespace")

    @property
    def pid(self) -> int:
        return self._holder.pid

    @property
    def enter(self) -> list[str]:
        """The command that goes in; its last word is the option of the network namespace."""
        who = ["--user", "--preserve-credentials"] if self.user else []
        return ["nsenter", "--target", str(self.pid), *who, "--net"]

    def run(self, argv: Sequence[str], text: str = "") -> str:
        return execute([*self.enter, *argv], text)

    def close(self) -> None:
        for pipe in (self._holder.stdin, self._holder.stdout):
            assert pipe is not None
            pipe.close()
        self._holder.wait(timeout=DEADLINE_S)


@dataclass
class Guest:
    """One instance's network: `ens3` on a veth whose other end is the port's tap."""

    port: FabricPort
    space: Namespace
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def ip(self) -> str:
        return str(self.port.addresses[0].ip)

    @property
    def mac(self) -> str:
        return self.port.mac

    def run(self, *argv: str) -> str:
        return self.space.run(argv)

    def pings(self, address: str, *options: str) -> bool:
        """Say whether one of three echo requests is answered; the neighbour is looked up anew."""
        try:
            self.run("ip", "neigh", "flush", "dev", "ens3")
            self.run("ping", "-n", "-q", "-c", "3", "-i", "0.2", "-W", "0.5", *options, address)
        except SwitchError:
            return False
        return True

    def open_socket(self, kind: int, *, family: int = socket.AF_INET, protocol: int = 0) -> socket.socket:
        """Open a socket inside."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            words = [str(int(each)) for each in (family, kind, protocol, theirs.fileno())]
            argv = [*self.space.enter, sys.executable, "-IS", "-c", OPENER, *words]
            subprocess.run(argv, pass_fds=[theirs.fileno()], check=True, timeout=DEADLINE_S)
            _, extra, *_ = ours.recvmsg(1, socket.CMSG_SPACE(4))
        descriptor = array.array("i", extra[0][2])[0]
        made = self.stack.enter_context(socket.socket(fileno=descriptor))
        made.settimeout(DEADLINE_S)
        return made

    def wire(self) -> socket.socket:
        """Open a socket for raw frames on ens3."""
        made = self.open_socket(socket.SOCK_RAW, family=socket.AF_PACKET)
        made.bind(("ens3", 3))  # ETH_P_ALL
        return made


class Segment:
    """The switch with its guests."""

    def __init__(
        self, *, user: bool = False, kind: FabricKind = FabricKind.OVS, arp_cache_s: float = ARP_CACHE_S
    ) -> None:
        self._stack = ExitStack()
        self._kind = kind
        self.space = Namespace(USER_NAMESPACE if user else (), user=user)
        self._stack.callback(self.space.close)
        self.ports: dict[str, FabricPort] = {}
        if kind is FabricKind.ARP_CACHE:
            self._stack.enter_context(ArpCache(arp_cache_s, self.space.enter))
        self.switch = Switch(DELAY_S, self.space.run)
        self._stack.callback(self.switch.close)

    def __enter__(self) -> Segment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def order(self, *ports: FabricPort) -> None:
        """Change or add ports; they are effective after the delay."""
        self.ports |= {port.id: port for port in ports}
        self.switch.apply(Fabric(self._kind, tuple(self.ports.values())))

    def put(self, *ports: FabricPort) -> None:
        """Change or add ports and wait until that is effective."""
        self.order(*ports)
        self.switch.flush(DEADLINE_S)

    def boot(self, port: FabricPort) -> Guest:
        """Make the namespace of a port's instance and plug it, as a launcher of instances does."""
        guest = Guest(port, Namespace((), inside=self.space, user=self.space.user))
        guest.stack.callback(guest.space.close)
        self._stack.callback(guest.stack.close)
        tap = tap_name(port.id)
        cable = ["type", "veth", "peer", "name", "ens3", "address", port.mac, "netns", str(guest.space.pid)]
        self.space.run(["ip", "link", "add", tap, *cable])
        lines = ["link set lo up", "link set ens3 addrgenmode none", "link set ens3 up"]
        lines += [f"addr add {address} dev ens3" + " nodad" * (address.version == 6) for address in port.addresses]
        guest.space.run(["ip", "-batch", "-"], "\n".join(lines))
        self.switch.plug(tap)
        return guest

    def kill(self, guest: Guest) -> None:
        """Pull the plug: the namespace dies, and ens3 and its tap with it."""
        guest.stack.close()
        tap = tap_name(guest.port.id)
        eventually(lambda: f" {tap}@" not in self.space.run(["ip", "-o", "link"]))

    def deliver(self, sender: Guest, receiver: Guest, sent: Mapping[str, bytes]) -> set[str]:
        """Send frames; return the names of those that the receiver's ens3 sees."""
        return deliver(sender, [receiver], sent)[0]


def deliver(sender: Guest, receivers: Sequence[Guest], sent: Mapping[str, bytes]) -> list[set[str]]:
    """Send frames and, last, an honest ARP request that reaches everybody; return which ones each receiver sees."""
    tokens = {name: frames.token() for name in sent}
    last = frames.token()
    ears = [guest.wire() for guest in receivers]
    mouth = sender.wire()
    for name, frame in sent.items():
        mouth.send(frame + tokens[name])
    mouth.send(frames.arp(sender.mac, sender.ip) + last)
    return [
        {name for name, each in tokens.items() if each in heard} for heard in (_listen(ear, last) for ear in ears)
    ]


def _listen(ear: socket.socket, last: bytes) -> set[bytes]:
    heard: set[bytes] = set()
    while last not in heard:
        heard.add(ear.recv(2048)[-frames.TOKEN_LENGTH :])
    return heard


def eventually(condition: Callable[[], bool], deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, "the condition did not come true in time"
        time.sleep(0.02)


def found(tool: str) -> str:
    """Find a command, also in the directories that an ordinary user's PATH lacks; empty if it is missing."""
    return which(tool, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}") or ""


def unavailable(tools: Iterable[str], *, user: bool) -> str:
    """Name what is missing for a segment; empty if nothing is."""
    absent = [tool for tool in tools if not found(tool)]
    if absent:
        return f"missing commands: {', '.join(absent)}"
    if not user and os.geteuid():
        return "not root (the same test runs in a user namespace)"
    try:
        execute(["unshare", *(USER_NAMESPACE if user else ()), "--net", "true"])
    except SwitchError as error:
        return f"no namespaces: {error}"
    return ""
