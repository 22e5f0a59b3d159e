"""Choose the VIP: the lowest address that nobody can have been promised. Intervals throughout, no enumeration."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from haos.core.crowd import beyond
from haos.core.model import Address, AddressPair, Pool, Port, Subnet
from haos.errors import NoFreeAddressError

ANYCAST = 128
"""The highest interface identifiers of an IPv6 subnet are anycast addresses by definition (RFC 2526, 2)."""


class Span(NamedTuple):  # a tuple: a large network has tens of thousands
    """Addresses that are not free, both ends included, and why."""

    first: int
    last: int
    reason: str


def spans_in_use(subnet: Subnet, ports: Iterable[Port]) -> Iterator[Span]:
    """Yield what the subnet and the network's ports hold, allocation pools left out."""
    low, high = int(subnet.cidr.network_address), int(subnet.cidr.broadcast_address)
    if subnet.cidr.num_addresses > 2:
        # IPv6 has no broadcast, but its first address is the routers' anycast address (RFC 4291, 2.6.1).
        yield Span(low, low, "the subnet's network address")
        if subnet.cidr.version == 4:
            yield Span(high, high, "the subnet's broadcast address")
    if subnet.cidr.version == 6 and subnet.cidr.num_addresses >= 2 * ANYCAST:
        yield Span(high - ANYCAST + 1, high, "reserved for subnet anycast (RFC 2526)")
    singles = [(subnet.gateway, "the subnet's gateway")]
    singles += [(hop, "the next hop of a host route") for hop in subnet.next_hops]
    singles += [(server, "a DNS server of the subnet") for server in subnet.dns]
    for address, reason in singles:
        if address is not None and address in subnet.cidr:
            yield Span(int(address), int(address), reason)
    for port in ports:
        yield from _spans_of_port(subnet, low, high, port)


def _spans_of_port(subnet: Subnet, low: int, high: int, port: Port) -> Iterator[Span]:
    who = f"port {port.name or port.id}"
    version = subnet.cidr.version
    for fixed in port.fixed_ips:
        number = int(fixed.address)
        # Numbers, not `in`: a large network has tens of thousands of ports.
        if fixed.address.version == version and low <= number <= high:
            yield Span(number, number, f"a fixed IP of {who}")
    for pair in port.pairs:
        ends = _ends(pair, version)
        # A pair as wide as the subnet lets a router or firewall pass anything; it claims no address.
        if ends is None or ends[1] < low or ends[0] > high or (ends[0] <= low and ends[1] >= high):
            continue
        yield Span(*ends, f"allowed address pair {pair.ip_address} of {who}")


def _ends(pair: AddressPair, version: int) -> tuple[int, int] | None:
    """Return the first and the last address of a pair, None for one of the other IP version."""
    if "/" not in pair.ip_address:  # far quicker to read than a network, and by far the most are such
        address = ip_address(pair.ip_address)
        return (int(address), int(address)) if address.version == version else None
    net = pair.network
    return (int(net.network_address), int(net.broadcast_address)) if net.version == version else None


def spans_of_pools(pools: Iterable[Pool]) -> Iterator[Span]:
    """Yield the allocation pools, from which Neutron serves everybody."""
    for pool in pools:
        yield Span(int(pool.first), int(pool.last), f"allocation pool {pool.first}-{pool.last}")


def objection(vip: Address, subnet: Subnet, ports: Iterable[Port]) -> str | None:
    """Say why this address cannot be the VIP, or None. Lying in a pool is no objection: the reservation guards it."""
    if vip.version != subnet.cidr.version or vip not in subnet.cidr:
        return f"{vip} is not in subnet {subnet.name or subnet.id} ({subnet.cidr})"
    for span in spans_in_use(subnet, ports):
        if span.first <= int(vip) <= span.last:
            return f"{vip} is {span.reason}"
    return None


def pool_of(vip: Address, subnet: Subnet) -> Pool | None:
    """Return the allocation pool that the address lies in."""
    return next((pool for pool in subnet.pools if int(pool.first) <= int(vip) <= int(pool.last)), None)


def candidates(subnet: Subnet, ports: Iterable[Port]) -> Iterator[Address]:
    """Yield free addresses outside every allocation pool, lowest first."""
    taken = [*spans_in_use(subnet, ports), *spans_of_pools(subnet.pools)]
    for first, last in free_spans(subnet, taken):
        for number in range(first, last + 1):
            yield _address(number, subnet)


def free_spans(subnet: Subnet, taken: Iterable[Span]) -> Iterator[tuple[int, int]]:
    """Yield what `taken` leaves of the subnet, as (first, last), ascending."""
    cursor, end = int(subnet.cidr.network_address), int(subnet.cidr.broadcast_address)
    for span in sorted(taken, key=lambda span: span.first):
        if span.first > end:
            break
        if span.first > cursor:
            yield cursor, span.first - 1
        cursor = max(cursor, span.last + 1)
    if cursor <= end:
        yield cursor, end


def candidates_in_pools(subnet: Subnet, ports: Iterable[Port]) -> Iterator[Address]:
    """Yield free addresses inside the pools, highest first: Neutron hands out low ones sooner."""
    taken = list(spans_in_use(subnet, ports))
    inside = [(int(pool.first), int(pool.last)) for pool in subnet.pools]
    for first, last in sorted(inside, reverse=True):
        for low, high in reversed(list(free_spans(subnet, [*taken, *_outside(subnet, first, last)]))):
            for number in range(high, low - 1, -1):
                yield _address(number, subnet)


def _outside(subnet: Subnet, first: int, last: int) -> tuple[Span, Span]:
    low, high = int(subnet.cidr.network_address), int(subnet.cidr.broadcast_address)
    return Span(low - 1, first - 1, "below the pool"), Span(last + 1, high + 1, "above the pool")


def choose(
    subnet: Subnet,
    ports: Iterable[Port],
    *,
    avoid: Collection[Address] = (),
    passed: int = 0,
    from_pool: bool = False,
) -> Address:
    """Return the lowest free address outside the pools; with `from_pool`, where there is none, one from a pool.

    So many that are free are `passed` over, if there are more. Raises NoFreeAddressError, which tells in numbers
    where all have gone.
    """
    ports = tuple(ports)
    for address in beyond((one for one in candidates(subnet, ports) if one not in avoid), passed):
        return address
    inside = (one for one in candidates_in_pools(subnet, ports) if one not in avoid)
    in_pool = next(beyond(inside, passed if from_pool else 0), None)
    if from_pool and in_pool is not None:
        return in_pool
    raise no_free_address(subnet, ports, in_pool)


def no_free_address(subnet: Subnet, ports: Iterable[Port], offer: Address | None = None) -> NoFreeAddressError:
    """Build the error that says where all the addresses of a subnet have gone."""
    pools = list(spans_of_pools(subnet.pools))
    used = list(spans_in_use(subnet, ports))
    in_pools = _size(subnet, pools)
    elsewhere = _size(subnet, [*used, *pools]) - in_pools
    shrink = "shrink a pool: openstack subnet unset --allocation-pool …, then set a smaller one"
    return NoFreeAddressError(
        f"no free address outside the allocation pools of subnet {subnet.name or subnet.id} ({subnet.cidr}): "
        f"{in_pools} of {subnet.cidr.num_addresses} addresses are in pools, {elsewhere} more are in use or reserved",
        hint=f"--vip-from-pool takes one from a pool (the reservation guards it); or {shrink}" if offer else shrink,
        offer=offer,
    )


def adoptable(vip: Address, ports: Iterable[Port], project_id: str) -> Port | None:
    """Return the project's own free reservation of an address: a port that nobody uses, with nothing else on it."""
    for port in ports:
        if (
            [fixed.address for fixed in port.fixed_ips] == [vip]
            and port.project_id == project_id
            and not (port.device_id or port.device_owner or port.description or port.pairs)
        ):
            return port
    return None


def _size(subnet: Subnet, taken: Iterable[Span]) -> int:
    free = sum(last - first + 1 for first, last in free_spans(subnet, taken))
    return subnet.cidr.num_addresses - free


def _address(number: int, subnet: Subnet) -> Address:
    # ip_address() alone would take a low IPv6 number for IPv4.
    return type(subnet.cidr.network_address)(number) if subnet.cidr.version == 6 else ip_address(number)
