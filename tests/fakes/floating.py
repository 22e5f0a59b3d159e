"""Routers and floating IPs of the fake cloud, with Neutron's rules as far as they matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING

from haos.core.floating_route import routers_on
from haos.core.model import Address, CloudNetwork, FixedIp, FloatingIp, Port, Router
from haos.errors import CloudError, ForbiddenError, NotFoundError, UnsatisfiableError

if TYPE_CHECKING:
    from tests.fakes.world import World

PUBLIC = "9b0142dc-98fe-4c8c-bbfc-bf6969de3af9"
ROUTER = "a9cc6681-df66-41ec-a76d-db5729a2021b"


def add_router(world: World, *, subnet_id: str, network_id: str, gateway: str | None = PUBLIC) -> None:
    """Put a router on a subnet, its gateway on the external network `public`."""
    world.networks[PUBLIC] = CloudNetwork(PUBLIC, "public", "admin", external=True)
    world.routers[ROUTER] = Router(ROUTER, "ha_router", gateway)
    interface = Port(
        world.new_id(),
        network_id,
        "26cfbd9d4ee64d8faecd287bb39d3870",
        "fa:16:3e:00:00:01",
        (FixedIp(ip_address("10.200.51.1"), subnet_id),),
        device_id=ROUTER,
        device_owner="network:router_interface",
    )
    world.ports[interface.id] = interface


def add_floating_ip(
    world: World, last: int, *, port_id: str | None = None, description: str = "", network_id: str = PUBLIC
) -> FloatingIp:
    """Give the project a floating IP."""
    address = IPv4Address(f"172.24.4.{last}")
    made = FloatingIp(world.new_id(), address, network_id, port_id, "ACTIVE" if port_id else "DOWN", description)
    world.floating[made.id] = replace(made, revision=1)
    return world.floating[made.id]


class FloatingCloud:
    """What FakeCloud knows of them."""

    world: World
    requests: int

    def routers(self, ids: Sequence[str]) -> tuple[Router, ...]:
        self.requests += 1
        return tuple(self.world.routers[one] for one in ids if one in self.world.routers)

    def floating_ips(self, *, needed: bool = False) -> tuple[FloatingIp, ...]:
        self.requests += 1
        if self.world.floating_hidden and needed:
            raise ForbiddenError("cannot list floating IPs: the cloud says 403")
        return () if self.world.floating_hidden else tuple(self.world.floating.values())

    def make_floating_ip(self, network_id: str, port_id: str, fixed: Address, description: str) -> FloatingIp:
        self._check(network_id, port_id, fixed)
        last = 10 + len(self.world.floating)
        with self.world.effects.effect("make floating ip"):
            return add_floating_ip(self.world, last, port_id=port_id, description=description, network_id=network_id)

    def take_floating_ip(self, floating: FloatingIp, port_id: str, fixed: Address) -> FloatingIp:
        now = self._floating_ip(floating.id)
        if now.port_id not in (None, port_id):
            raise CloudError(f"floating IP {now.address} was associated with port {now.port_id} meanwhile")
        self._check(now.network_id, port_id, fixed)
        with self.world.effects.effect("take floating ip"):
            self._lead(now, port_id)
        return self.world.floating[floating.id]

    def mark_floating_ip(self, floating: FloatingIp, description: str) -> FloatingIp:
        now = self._floating_ip(floating.id)
        with self.world.effects.effect("mark floating ip"):
            marked = replace(now, description=description, revision=(now.revision or 0) + 1)
            self.world.floating[now.id] = marked
        return marked

    def release_floating_ip(self, floating: FloatingIp) -> None:
        now = self.world.floating.get(floating.id)
        if now is not None and now.port_id == floating.port_id:
            with self.world.effects.effect("release floating ip"):
                self._lead(now, None)

    def delete_floating_ip(self, floating_id: str) -> None:
        with self.world.effects.effect("delete floating ip"):
            self.world.floating.pop(floating_id, None)

    def port_is_gone(self, port_id: str) -> None:
        """Let what led to a port lead nowhere."""
        for ip in list(self.world.floating.values()):
            if ip.port_id == port_id:
                self._lead(ip, None)

    def _floating_ip(self, floating_id: str) -> FloatingIp:
        if floating_id not in self.world.floating:
            raise NotFoundError(f"no floating IP {floating_id}")
        return self.world.floating[floating_id]

    def _lead(self, ip: FloatingIp, port_id: str | None) -> None:
        status = "ACTIVE" if port_id else "DOWN"
        self.world.floating[ip.id] = replace(ip, port_id=port_id, status=status, revision=(ip.revision or 0) + 1)

    def _check(self, network_id: str, port_id: str, fixed: Address) -> None:
        port = self.world.ports[port_id]
        assert fixed in [one.address for one in port.fixed_ips]
        subnet = self.world.subnets[port.fixed_ips[0].subnet_id]
        routers = [self.world.routers[one] for one in routers_on(subnet, self.world.ports.values())]
        if network_id not in [router.gateway_network_id for router in routers]:
            raise UnsatisfiableError(f"External network {network_id} is not reachable from subnet {subnet.id}")
        if any(ip.port_id == port_id and ip.network_id == network_id for ip in self.world.floating.values()):
            raise UnsatisfiableError(f"{fixed} already has a floating IP on external network {network_id}")
