"""Whether a floating IP can lead to a VIP: the routers of the VIP's subnet and their gateways. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from haos.core.checks import Finding, blocker
from haos.core.model import FloatingIp, Port, Router, Subnet

ROUTER_OWNERS = ("network:router_interface", "network:ha_router_replicated_interface")
"""How the `device_owner` of a router's port on a subnet begins, distributed routers included."""


@dataclass(frozen=True)
class Route:
    """The external network that a floating IP is to be from, or why none can be."""

    network_id: str | None = None
    router: str = ""  # its name, where nobody has named the network
    finding: Finding | None = None


def has_router(ports: Iterable[Port], version: int) -> bool:
    """Say whether a floating IP can lead to a network at all: one of its ports is a router's."""
    return version == 4 and any(port.device_owner.startswith(ROUTER_OWNERS) for port in ports)


def routers_on(subnet: Subnet, ports: Iterable[Port]) -> tuple[str, ...]:
    """Return the ids of the routers that have a port on a subnet."""
    ids = {
        port.device_id
        for port in ports
        if port.device_owner.startswith(ROUTER_OWNERS) and subnet.id in {fixed.subnet_id for fixed in port.fixed_ips}
    }
    return tuple(sorted(ids))


def find_route(wanted: str | None, subnet: Subnet, ids: Sequence[str], routers: Sequence[Router]) -> Route:
    """Find the way from an external network to a subnet; without a wanted one there must be exactly one.

    `ids` are the subnet's routers, `routers` those of them that are the project's to see: of others Neutron decides.
    """
    gateways = sorted({router.gateway_network_id for router in routers if router.gateway_network_id})
    unseen = len(routers) < len(ids)
    if wanted is not None and (wanted in gateways or unseen):
        return Route(wanted)
    if wanted is None and len(gateways) == 1:
        return Route(gateways[0], next(router.name for router in routers if router.gateway_network_id))
    where = f"subnet {subnet.name or subnet.id}"
    if wanted is None and (gateways or unseen):
        return Route(finding=_unclear(where, gateways))
    return Route(wanted, finding=_nowhere(where, wanted, subnet, ids, gateways))


def is_known(wanted: str | None, ids: Sequence[str], ips: Iterable[FloatingIp]) -> bool:
    """Say whether another floating IP shows that one of these routers leads to that network."""
    return any(ip.network_id == wanted and ip.router_id in ids for ip in ips)


def _unclear(where: str, gateways: Sequence[str]) -> Finding:
    why = f"{where} is routed to {len(gateways)} external networks: {', '.join(gateways)}"
    if not gateways:
        why = f"the router of {where} is another project's, and its external network cannot be seen"
    return blocker("floating-choice", why, "name the network: --floating-ip NETWORK")


def _nowhere(where: str, wanted: str | None, subnet: Subnet, ids: Sequence[str], gateways: Sequence[str]) -> Finding:
    if not ids:
        why, remedy = f"no router is on {where}", f"openstack router add subnet ROUTER {subnet.id}"
    elif not gateways:
        why = f"the router of {where} has no gateway"
        remedy = f"openstack router set --external-gateway {wanted or 'NETWORK'} {ids[0]}"
    else:
        why = f"{where} is routed to external network {', '.join(gateways)}, not to {wanted}"
        remedy = "--floating-ip without a value, or another network"
    return blocker("floating-no-router", f"{why}: a floating IP could not lead to the VIP", remedy)
