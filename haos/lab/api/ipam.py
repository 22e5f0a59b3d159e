"""Which addresses a port gets: Neutron's rules for asked-for and for allocated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from haos.lab.api.attributes import plain_mac, uuid
from haos.lab.api.errors import invalid, neutron
from haos.lab.api.routing import Doc
from haos.lab.api.store import Store
from haos.lab.model import Address, Network

AUTO_MODES = ("slaac", "dhcpv6-stateless")
ROUTER_OWNERS = ("network:router_interface", "network:router_gateway")


def is_auto(subnet: Doc) -> bool:
    """Say whether hosts make their addresses on this subnet themselves."""
    return subnet["ipv6_address_mode"] in AUTO_MODES


def eui64(cidr: Network, mac: str) -> IPv6Address:
    """Return the address that a host with this MAC makes itself (RFC 4291, appendix A)."""
    octets = [int(part, 16) for part in plain_mac(mac).split(":")]
    octets[0] ^= 2
    interface = bytes([*octets[:3], 0xFF, 0xFE, *octets[3:]])
    return IPv6Address(int(cidr.network_address) + int.from_bytes(interface))


def usable(cidr: Network, address: Address, owner: str) -> bool:
    """Say whether a port may hold this address of a subnet: the pools and the gateway do not matter."""
    if address not in cidr:
        return False
    if isinstance(cidr, IPv4Network):
        return cidr.prefixlen >= 31 or address not in (cidr.network_address, cidr.broadcast_address)
    return address != cidr.network_address or cidr.prefixlen >= 127 or owner in ROUTER_OWNERS


def default_pools(cidr: Network, gateway: Address | None) -> list[Doc]:
    """Return the pools of a subnet that was made without: all but the gateway."""
    first = int(cidr.network_address) + (1 if cidr.prefixlen < cidr.max_prefixlen - 1 else 0)
    last = int(cidr.broadcast_address) - (1 if isinstance(cidr, IPv4Network) and cidr.prefixlen < 31 else 0)
    make = type(cidr.network_address)
    cuts = [(first, last)]
    if gateway is not None and first <= int(gateway) <= last:
        cuts = [(first, int(gateway) - 1), (int(gateway) + 1, last)]
    return [{"start": str(make(low)), "end": str(make(high))} for low, high in cuts if low <= high]


def fixed_ips(name: str, value: Any) -> list[Doc]:
    """Take what a port's fixed_ips may be."""
    seen: set[str] = set()
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict) or not isinstance(value, list):
            raise invalid(name, f"Invalid data format for fixed IP: '{item}'")
        if "ip_address" in item:
            _check_address(name, item["ip_address"], seen)
        if "subnet_id" in item:
            uuid(name, item["subnet_id"])
    return list(value)


def _check_address(name: str, value: Any, seen: set[str]) -> None:
    if value in seen:
        raise invalid(name, f"Duplicate IP address '{value}'")
    try:
        seen.add(str(ip_address(str(value))))
    except ValueError:
        raise invalid(name, f"'{value}' is not a valid IP address") from None


class Allocator:
    """Gives addresses to one port. `sees` tells whether the caller may know of a subnet."""

    def __init__(
        self,
        store: Store,
        network: Doc,
        *,
        mac: str,
        owner: str,
        port_id: str = "",
        sees: Callable[[Doc], bool] = lambda subnet: True,
    ) -> None:
        self._store = store
        self._sees = sees
        self._network = network
        self._mac = mac
        self._owner = owner
        self._port_id = port_id
        self._subnets = store.where("subnets", network_id=network["id"])

    def automatic(self) -> list[Doc]:
        """Give one address of each version, and one on every subnet where hosts make their own."""
        fixed_ips: list[Doc] = []
        for version in (4, 6):
            subnets = [item for item in self._subnets if item["ip_version"] == version and not is_auto(item)]
            if subnets:
                fixed_ips.append(self._next(subnets))
        return fixed_ips + self._self_made(fixed_ips)

    def requested(self, wanted: Sequence[Doc], *, complete: bool) -> list[Doc]:
        """Give what was asked for; `complete` adds the subnets where hosts make their own (at creation)."""
        fixed_ips = [self._fixed(item) for item in wanted if "ip_address" in item]
        for item in wanted:
            if "ip_address" not in item:
                subnet = self._subnet(item, None)
                if not is_auto(subnet) or not complete:
                    fixed_ips.append(self._next([subnet]) if not is_auto(subnet) else self._eui64(subnet))
        return fixed_ips + (self._self_made(fixed_ips) if complete and wanted else [])

    def _fixed(self, item: Doc) -> Doc:
        address = ip_address(item["ip_address"])
        subnet = self._subnet(item, address)
        cidr = ip_network(subnet["cidr"])
        if is_auto(subnet) and self._owner not in ROUTER_OWNERS and address != eui64(cidr, self._mac):
            raise neutron("AllocationOnAutoAddressSubnet", ip=address, subnet_id=subnet["id"])
        if str(address) in self._taken(subnet):
            raise neutron("IpAddressAlreadyAllocated", ip=address, subnet_id=subnet["id"])
        return {"subnet_id": subnet["id"], "ip_address": str(address)}

    def _subnet(self, item: Doc, address: Address | None) -> Doc:
        if "subnet_id" in item:
            return self._named_subnet(item["subnet_id"], address)
        if address is None:
            raise neutron("InvalidInput", error_message="IP allocation requires subnet_id or ip_address")
        for subnet in self._subnets:
            if usable(ip_network(subnet["cidr"]), address, self._owner):
                return subnet
        raise neutron("InvalidIpForNetwork", ip_address=address)

    def _named_subnet(self, subnet_id: str, address: Address | None) -> Doc:
        subnet = self._store.get("subnets", subnet_id)
        if subnet is None or not self._sees(subnet):
            raise neutron("SubnetNotFound", id=subnet_id)
        if subnet["network_id"] != self._network["id"]:
            text = (
                f"Failed to create port on network {self._network['id']}, because fixed_ips included invalid subnet"
            )
            raise neutron("InvalidInput", error_message=f"{text} {subnet_id}")
        if address is not None and not usable(ip_network(subnet["cidr"]), address, self._owner):
            raise neutron("InvalidIpForSubnet", ip_address=address)
        return subnet

    def _next(self, subnets: Sequence[Doc]) -> Doc:
        for subnet in subnets:
            taken = self._taken(subnet)
            free = next((address for address in _pool_addresses(subnet) if str(address) not in taken), None)
            if free is not None:
                return {"subnet_id": subnet["id"], "ip_address": str(free)}
        raise neutron("IpAddressGenerationFailure", net_id=self._network["id"])

    def _self_made(self, given: Sequence[Doc]) -> list[Doc]:
        if self._owner in ROUTER_OWNERS:
            return []
        have = {item["subnet_id"] for item in given}
        return [self._eui64(subnet) for subnet in self._subnets if is_auto(subnet) and subnet["id"] not in have]

    def _eui64(self, subnet: Doc) -> Doc:
        cidr = ip_network(subnet["cidr"])
        return {"subnet_id": subnet["id"], "ip_address": str(eui64(cidr, self._mac))}

    def _taken(self, subnet: Doc) -> set[str]:
        ports = [port for port in self._store.all("ports") if port["id"] != self._port_id]
        held = (item for port in ports for item in port["fixed_ips"])
        return {item["ip_address"] for item in held if item["subnet_id"] == subnet["id"]}


def _pool_addresses(subnet: Doc) -> Iterator[Address]:
    for pool in subnet["allocation_pools"]:
        start, end = ip_address(pool["start"]), ip_address(pool["end"])
        for number in range(int(start), int(end) + 1):
            yield type(start)(number)


def parse_cidr(text: str) -> IPv4Network | IPv6Network:
    """Parse a subnet's CIDR; host bits are dropped as Neutron drops them."""
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise neutron("InvalidInput", error_message=f"{text} is not in a CIDR format") from None
