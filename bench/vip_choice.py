"""How long the choice of a VIP takes in a /8 with 10,000 ports: `python -m bench.vip_choice`."""

from __future__ import annotations

import statistics
import time
from ipaddress import IPv4Address, ip_address, ip_network

from haos.core import vip, vrrp
from haos.core.model import AddressPair, FixedIp, Pool, Port, Subnet

ROUNDS = 20
PORTS = 10_000
LIMIT_MS = 50.0


def ports() -> list[Port]:
    """Return ports that hold the lowest addresses, every tenth with an address pair besides."""
    first = int(IPv4Address("10.0.0.2"))
    return [
        Port(
            f"port-{number}",
            "network",
            "project",
            f"fa:16:3e:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
            (FixedIp(IPv4Address(first + number), "subnet"),),
            pairs=(AddressPair(f"10.1.{number >> 8}.{number & 255}", "fa:16:3e:00:00:01"),) * (number % 10 == 0),
        )
        for number in range(PORTS)
    ]


def main() -> None:
    """Print the minimum, median and maximum over all rounds."""
    pool = Pool(ip_address("10.128.0.0"), ip_address("10.255.255.254"))
    subnet = Subnet("subnet", "wide", "network", ip_network("10.0.0.0/8"), ip_address("10.0.0.1"), (pool,))
    known, took_ms = ports(), []
    for _ in range(ROUNDS):
        started_s = time.perf_counter()
        chosen = vip.choose(subnet, known), vrrp.choose_vrid((port.mac for port in known), 4)
        took_ms.append((time.perf_counter() - started_s) * 1000)
    print(f"chose VIP {chosen[0]} and VRID {chosen[1]} among {PORTS} ports of {subnet.cidr}, {ROUNDS} rounds")
    print(f"min {min(took_ms):.1f} ms, median {statistics.median(took_ms):.1f} ms, max {max(took_ms):.1f} ms")
    print(f"limit {LIMIT_MS:.0f} ms: {'kept' if statistics.median(took_ms) < LIMIT_MS else 'MISSED'}")


if __name__ == "__main__":
    main()
