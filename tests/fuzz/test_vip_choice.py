"""The VIP against an oracle that asks one address at a time, written from what haos promises: subnets of any size.

tests/core/test_vip.py walks small subnets whole. Here the prefix is any, IPv4 and IPv6; whether an address is free
can change only at an edge of something, so all edges and their neighbours are asked, and in small subnets every one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core import vip
from haos.core.model import Address, AddressPair, FixedIp, Network, Pool, Port, Subnet
from haos.errors import NoFreeAddressError
from tests.fuzz.amount import examples

SMALL = 256
MAC = "fa:16:3e:00:00:01"
OWNERS = ("compute:nova", "network:dhcp", "network:distributed", "network:router_interface", "haos:vip", "")
"""OVN's metadata port is a network:distributed one."""


@dataclass(frozen=True)
class World:
    """A subnet, and all ports of its network."""

    subnet: Subnet
    ports: tuple[Port, ...]
    avoid: frozenset[Address]


def address(version: int, number: int) -> Address:
    return IPv4Address(number) if version == 4 else IPv6Address(number)


def networks(version: int) -> st.SearchStrategy[Network]:
    bits = 32 if version == 4 else 128
    prefixes = st.integers(0, bits) | st.integers(bits - 9, bits) | st.sampled_from([bits, bits - 1, bits - 2])
    numbers = st.integers(0, 2**bits - 1) | st.sampled_from([0, 1, 2**bits - 1, 0x0A000000, 0xC0A80000])
    return st.builds(
        lambda number, prefix: ip_network((address(version, number), prefix), strict=False), numbers, prefixes
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    version = draw(st.sampled_from([4, 6]))
    net = draw(networks(version))
    low, high = int(net.network_address), int(net.broadcast_address)
    # Near the ends most of all: that is where haos looks for a VIP, and where its rules end.
    near: st.SearchStrategy[int] = st.integers(low, min(high, low + 12)) | st.integers(max(low, high - 140), high)
    inside: st.SearchStrategy[Address] = (near | st.integers(low, high)).map(lambda number: address(version, number))
    elsewhere: list[Address] = [IPv4Address("10.0.0.1"), IPv6Address("fd00::1")]
    anywhere: st.SearchStrategy[Address] = inside | st.sampled_from(elsewhere)
    two = st.tuples(inside, inside).map(lambda ends: Pool(*sorted(ends, key=int)))
    whole = st.just(Pool(address(version, low), address(version, high)))
    subnet = Subnet(
        "s",
        "lab",
        "n",
        net,
        draw(st.none() | inside),
        tuple(draw(st.lists(two, max_size=3) | whole.map(lambda pool: [pool]))),
        tuple(draw(st.lists(anywhere, max_size=2))),
        tuple(draw(st.lists(anywhere, max_size=2))),
    )
    spelled = st.builds(_spelled, anywhere, st.integers(0, 128), st.booleans())
    ports = draw(st.lists(st.builds(_port, st.lists(anywhere, max_size=2), st.lists(spelled, max_size=2),
                                    st.sampled_from(OWNERS)), max_size=4))  # fmt: skip
    return World(subnet, tuple(ports), frozenset(draw(st.lists(near.map(lambda n: address(version, n)), max_size=3))))


def _spelled(one: Address, prefix: int, bare: bool) -> str:
    """Spell an address pair as somebody may have: an address, or a prefix with bits of a host in it."""
    return str(one) if bare else f"{one}/{min(prefix, one.max_prefixlen)}"


def _port(fixed: list[Address], pairs: list[str], owner: str) -> Port:
    admitted = tuple(AddressPair(text, MAC) for text in pairs)
    return Port("p", "n", "q", MAC, tuple(FixedIp(one, "s") for one in fixed), device_owner=owner, pairs=admitted)


def pooled(one: Address, subnet: Subnet) -> bool:
    return any(int(pool.first) <= int(one) <= int(pool.last) for pool in subnet.pools)


def held(one: Address, world: World) -> bool:
    """Say whether an address can be nobody's VIP, pools left out: the specification, line by line."""
    net, size = world.subnet.cidr, world.subnet.cidr.num_addresses
    offset = int(one) - int(net.network_address)
    if size > 2 and offset == 0:  # the network's, or the routers' anycast address (RFC 4291, 2.6.1)
        return True
    if net.version == 4 and size > 2 and offset == size - 1:
        return True
    if net.version == 6 and size >= 256 and size - offset <= 128:  # RFC 2526
        return True
    if one == world.subnet.gateway or one in world.subnet.dns or one in world.subnet.next_hops:
        return True
    for port in world.ports:
        if any(fixed.address == one for fixed in port.fixed_ips):
            return True
        for pair in port.pairs:
            claimed = ip_network(pair.ip_address, strict=False)
            # One as wide as the subnet is a router's or a firewall's: it claims no address.
            if claimed.version == net.version and one in claimed and not _covers(claimed, net):
                return True
    return False


def _covers(wide: Network, net: Network) -> bool:
    return wide.network_address <= net.network_address and wide.broadcast_address >= net.broadcast_address  # type: ignore[operator]


def asked(world: World) -> Iterator[Address]:
    """Yield, ascending, every address in a small subnet; in a large one those at which anything can change."""
    net = world.subnet.cidr
    low, high = int(net.network_address), int(net.broadcast_address)
    if net.num_addresses <= SMALL:
        numbers = set(range(low, high + 1))
    else:
        edges = [low, high, high - 127, *(int(one) for one in world.avoid)]
        edges += [int(one) for one in (world.subnet.gateway, *world.subnet.dns, *world.subnet.next_hops) if one]
        edges += [int(end) for pool in world.subnet.pools for end in (pool.first, pool.last)]
        for port in world.ports:
            edges += [int(fixed.address) for fixed in port.fixed_ips]
            nets = [ip_network(pair.ip_address, strict=False) for pair in port.pairs]
            edges += [int(end) for one in nets for end in (one.network_address, one.broadcast_address)]
        numbers = {edge + step for edge in edges for step in (-1, 0, 1, 2) if low <= edge + step <= high}
    yield from (address(net.version, number) for number in sorted(numbers))


@examples(60)
@given(world=worlds())
def test_the_vip_is_the_lowest_address_that_nobody_can_have(world: World) -> None:
    free = [one for one in asked(world) if not held(one, world) and one not in world.avoid]
    outside = [one for one in free if not pooled(one, world.subnet)]
    inside = [one for one in free if pooled(one, world.subnet)]
    if outside:
        assert vip.choose(world.subnet, world.ports, avoid=world.avoid) == outside[0]
        return
    with pytest.raises(NoFreeAddressError) as error:
        vip.choose(world.subnet, world.ports, avoid=world.avoid)
    assert str(error.value).isprintable()
    assert (error.value.offer is not None) is bool(inside)
    if inside:
        taken = vip.choose(world.subnet, world.ports, avoid=world.avoid, from_pool=True)
        assert taken == error.value.offer
        assert pooled(taken, world.subnet)
        assert not held(taken, world)


@examples(40)
@given(world=worlds(), data=st.data())
def test_what_speaks_against_a_wanted_vip_is_what_holds_it(world: World, data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(list(asked(world))) | st.ip_addresses())
    net = world.subnet.cidr
    within = wanted.version == net.version and wanted in net
    objection = vip.objection(wanted, world.subnet, world.ports)
    assert (objection is None) is (within and not held(wanted, world))


@examples(20)
@given(world=worlds())
def test_where_all_addresses_went_adds_up(world: World) -> None:
    net = world.subnet.cidr
    if net.num_addresses > SMALL:
        return
    in_pools = sum(pooled(one, world.subnet) for one in net)
    elsewhere = sum(held(one, world) for one in net if not pooled(one, world.subnet))
    said = str(vip.no_free_address(world.subnet, world.ports))
    assert f"{in_pools} of {net.num_addresses} addresses are in pools, {elsewhere} more are in use" in said
