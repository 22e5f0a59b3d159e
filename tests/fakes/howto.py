"""The howto's cloud, as an in-memory world."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

from haos.core.model import (
    AddressPair,
    CloudNetwork,
    FixedIp,
    Instance,
    Pool,
    Port,
    SecurityGroup,
    SecurityRule,
    Subnet,
)
from tests.fakes.cloud import PROJECT
from tests.fakes.floating import add_router
from tests.fakes.node import FakeNode
from tests.fakes.world import World

NETWORK = "56412e9d-045b-453a-8e09-e3584a8ebaf4"
SUBNET = "9a027a94-e688-45cb-a653-e223ccc9f72f"
GROUP = "aaaaaaaa-0000-4000-8000-000000000001"


def howto_world(*, keepalived: str | None = None, existing: bool = True, fabric: str = "learning") -> World:
    """The howto's cloud: ha_first, ha_second, observer; with `existing`, things on the ports that haos must keep."""
    world = World(fabric=fabric)
    world.networks[NETWORK] = CloudNetwork(NETWORK, "ha_lab", PROJECT)
    world.subnets[SUBNET] = Subnet(
        SUBNET,
        "ha_lab",
        NETWORK,
        ip_network("10.200.51.0/24"),
        gateway=ip_address("10.200.51.1"),
        pools=(Pool(ip_address("10.200.51.32"), ip_address("10.200.51.254")),),
        dns=(ip_address("8.8.4.4"), ip_address("8.8.8.8")),
    )
    ssh_icmp = tuple(
        SecurityRule("ingress", 4, protocol, port_min=port, port_max=port)
        for protocol, port in (("icmp", None), ("tcp", 22))
    )
    world.groups[GROUP] = SecurityGroup(GROUP, "ssh-icmp", PROJECT, rules=(*ssh_icmp, SecurityRule("egress", 4)))
    add_instance(world, "ha_first", 32, "fa:16:3e:8d:dc:bb")
    add_instance(world, "ha_second", 33, "fa:16:3e:f3:a9:a3")
    add_instance(world, "observer", 34, "fa:16:3e:08:e6:15")
    for node in world.nodes.values():
        node.package = keepalived
    if existing:
        first = next(port for port in world.ports.values() if port.mac == "fa:16:3e:8d:dc:bb")
        other = AddressPair("192.0.2.0/24", "fa:16:3e:8d:dc:bb")
        world.ports[first.id] = replace(first, pairs=(other,))
    return world


def routed_world(*, keepalived: str | None = None, gateway: bool = True) -> World:
    """The howto's cloud with a router on ha_lab, whose gateway is on the external network `public`."""
    world = howto_world(keepalived=keepalived)
    add_router(world, subnet_id=SUBNET, network_id=NETWORK, **({} if gateway else {"gateway": None}))
    return world


def add_instance(world: World, name: str, last: int, mac: str) -> Instance:
    """Plug one more instance into ha_lab."""
    address = ip_address(f"10.200.51.{last}")
    instance = Instance(world.new_id(), name, "ACTIVE", PROJECT, host_id=f"host-{name}", fixed=(address,))
    port_id = world.new_id()
    world.instances[instance.id] = instance
    world.ports[port_id] = Port(
        port_id,
        NETWORK,
        PROJECT,
        mac,
        (FixedIp(address, SUBNET),),
        device_id=instance.id,
        device_owner="compute:nova",
        group_ids=(GROUP,),
        revision=1,
    )
    world.nodes[instance.id] = FakeNode(world, instance, mac, address)
    return instance
