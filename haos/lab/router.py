"""The lab's router: a network namespace with the gateway addresses, and a helper that hands out its sockets.

`python -m haos.lab.router SOCKET` runs inside that namespace. For every byte "4" or "6" on the SEQPACKET socket it
sends back a fresh TCP socket of that family: whoever connects it comes from the router.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from haos.lab.fabric.names import tap_name
from haos.lab.instances import Switchboard
from haos.lab.iproute import ip_batch
from haos.lab.model import Fabric, FabricPort, Interface, PortKind
from haos.lab.namespaces import environment, python

SETTINGS = {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
    # A network with two subnets has two ports here: each speaks of its own address alone, as on Neutron's routers.
    "ipv4/conf/all/arp_ignore": "1",
    "ipv4/conf/all/arp_announce": "2",
}
FAMILIES = {b"4": socket.AF_INET, b"6": socket.AF_INET6}
START_S = 10.0


@dataclass(frozen=True)
class _Leg:
    """A router port as it was made."""

    mac: str
    addresses: tuple[Interface, ...]


class Router:
    """The router's namespace. Its ports follow the fabric at once: the switch takes its delay into account."""

    def __init__(self, switch: Switchboard, sockets: socket.socket) -> None:
        self._switch = switch
        self._legs: dict[str, _Leg] = {}
        argv = ["unshare", "--net", "--", *python("haos.lab.router", str(sockets.fileno()))]
        self._helper = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=[sockets.fileno()], env=environment()
        )
        assert self._helper.stdout is not None
        self._helper.stdout.readline()

    def apply(self, fabric: Fabric) -> None:
        """Have exactly the router ports of the fabric."""
        wanted = {port.id: port for port in fabric.ports if port.kind is PortKind.ROUTER}
        for port_id, leg in list(self._legs.items()):
            port = wanted.get(port_id)
            if port is None or leg != _Leg(port.mac, port.addresses):
                ip_batch([f"link del {tap_name(port_id)}"], force=True)
                del self._legs[port_id]
        for port_id in wanted.keys() - self._legs.keys():
            self._add(wanted[port_id])

    def _add(self, port: FabricPort) -> None:
        tap, device = tap_name(port.id), f"qr-{port.id[:11]}"
        peer = f"peer name {device} address {port.mac} netns {self._helper.pid}"
        ip_batch([f"link add {tap} type veth {peer}", f"link set {tap} up"])
        lines = [
            f"address add {address} dev {device}{' nodad' if address.version == 6 else ''}"
            for address in port.addresses
        ]
        ip_batch([*lines, f"link set {device} up"], netns_of=self._helper.pid)
        self._legs[port.id] = _Leg(port.mac, port.addresses)
        self._switch.plug(tap)


def serve(requests: socket.socket) -> None:
    """Hand out sockets until nobody asks any more."""
    while family := FAMILIES.get(requests.recv(1)):
        with socket.socket(family, socket.SOCK_STREAM) as fresh:
            socket.send_fds(requests, [b"!"], [fresh.fileno()])


def main(socket_fd: int) -> None:
    """Make the namespace a router, say so, and serve."""
    for name, value in SETTINGS.items():
        setting = Path("/proc/sys/net", name)
        if setting.exists():  # a kernel may be without IPv6
            setting.write_text(value)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    with socket.socket(fileno=socket_fd) as requests:
        serve(requests)


if __name__ == "__main__":
    main(int(sys.argv[1]))
