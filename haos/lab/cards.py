"""Give network cards their addresses, as DHCP and cloud-init do for an instance.

`python -m haos.lab.cards NICS` does it for those that were plugged into a running instance, in its network namespace.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address

from haos.lab.model import Nic
from haos.lab.wire import decode

VERSIONS = (4, 6)


def configure(nics: tuple[Nic, ...], *, routed: Iterable[int] = VERSIONS) -> None:
    """Give the cards their addresses, and the first of them the default routes of these IP versions."""
    for nic in (nic for nic in nics if not nic.checksums):
        subprocess.run(["ethtool", "-K", nic.device, "tx", "off"], stdout=subprocess.DEVNULL, check=True)
    lines = ["link set lo up", *(line for nic in nics for line in _lines(nic))]
    for version in routed:
        ways = [(nic, gateway) for nic in nics for gateway in nic.gateways if gateway.version == version]
        lines += [f"route add default via {gateway} dev {nic.device}" for nic, gateway in ways[:1]]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def _lines(nic: Nic) -> Iterator[str]:
    # A kernel that has IPv6 would hold its own link-local address back for a second, to see if it is taken.
    if os.path.exists("/proc/sys/net/ipv6"):
        yield f"link set {nic.device} addrgenmode none"
        yield f"address add {link_local(nic.mac)}/64 dev {nic.device} nodad"
    for address in nic.addresses:
        yield f"address add {address} dev {nic.device}{' nodad' if address.version == 6 else ''}"
    yield f"link set {nic.device} up"
    if os.path.exists("/proc/sys/net/ipv6"):
        yield f"link set {nic.device} addrgenmode eui64"


def link_local(mac: str) -> IPv6Address:
    """Return the link-local address that the kernel makes of a MAC address (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    return IPv6Address(b"\xfe\x80" + bytes(6) + bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:])


def _unrouted() -> list[int]:
    """Return the IP versions that have no default route yet."""
    shown = {
        version: subprocess.run(["ip", f"-{version}", "route", "show", "default"], capture_output=True, check=True)
        for version in VERSIONS
    }
    return [version for version, done in shown.items() if not done.stdout.strip()]


if __name__ == "__main__":
    configure(decode(tuple[Nic, ...], json.loads(sys.argv[1])), routed=_unrouted())
