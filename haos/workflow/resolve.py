"""From the names that the user gave to the things in the cloud."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from haos.core import names, record
from haos.core.model import RESERVATION_OWNER, Address, CloudNetwork, FixedIp, Instance, Node, Pair, Port, Subnet
from haos.errors import AmbiguousError, NotFoundError, RecordError, UnsatisfiableError, UsageError
from haos.workflow.context import Cloud

OBSERVER = "observer"
"""Name, or tag, of the instance that watches when nobody names one."""


@dataclass(frozen=True)
class Place:
    """Where a pair lives: the network, the subnet that all nodes share, who is there."""

    network: CloudNetwork
    subnet: Subnet
    subnets: tuple[Subnet, ...]
    ports: tuple[Port, ...]  # every visible port of the network
    nodes: tuple[Node, ...]
    observer: Instance | None
    external: CloudNetwork | None = None  # the one that a floating IP shall be from, where it was named

    @property
    def observer_port(self) -> Port | None:
        """The observer's port on the network, one with an address of the subnet first."""
        mine = [port for port in self.ports if self.observer and port.device_id == self.observer.id]
        return min(mine, key=lambda port: _fixed_on(port, self.subnet.id) is None, default=None)

    @property
    def observer_on_subnet(self) -> bool:
        """Whether the observer has an address of the pair's subnet, and so sees who answers."""
        port = self.observer_port
        return port is not None and _fixed_on(port, self.subnet.id) is not None


def resolve_place(
    cloud: Cloud,
    network_ref: str,
    node_refs: Sequence[str],
    observer_ref: str | None,
    subnet_ref: str | None,
    *,
    name: str | None = None,
    watched: bool = True,
    external_ref: str | None = None,
) -> Place:
    """Find network, subnet, nodes and, unless nobody is to watch, the observer; and an external network, if named.

    The subnet of a pair that is there is its VIP's. Raises NotFoundError, AmbiguousError, UsageError or
    UnsatisfiableError.
    """
    networks = _networks(cloud, network_ref, external_ref)
    network = networks[network_ref]
    subnets = cloud.subnets(network.id)
    ports = cloud.ports(network.id)
    found = cloud.instances([*node_refs, *([OBSERVER if observer_ref is None else observer_ref] if watched else [])])
    instances = [the_one(ref, found[ref]) for ref in node_refs]
    if len({instance.id for instance in instances}) < len(instances):
        raise UsageError("the same instance is named twice in --nodes", hint="a pair needs two different instances")
    if subnet_ref is None:
        pair_name = name or names.default_name(instance.name for instance in instances)
        there = reservation_on(ports, pair_name, cloud.project_id())
        subnet_ref = there.fixed_ips[0].subnet_id if there and there.fixed_ips else None
    subnet = shared_subnet(network, subnets, ports, instances, subnet_ref)
    nodes = tuple(node_on(instance, subnet, ports) for instance in instances)
    observer = find_observer(cloud, observer_ref, found, ports, nodes) if watched else None
    external = networks[external_ref] if external_ref else None
    return Place(network, subnet, subnets, ports, nodes, observer, external)


def _networks(cloud: Cloud, network_ref: str, external_ref: str | None) -> Mapping[str, CloudNetwork]:
    """Find the network, and the one that a floating IP shall be from; what was meant for an address is no name."""
    try:
        return cloud.networks([network_ref, *([external_ref] if external_ref else [])])
    except NotFoundError as error:
        if external_ref and repr(external_ref) in error.reason and re.fullmatch(r"[0-9.:/]+", external_ref):
            hint = "openstack floating ip list; openstack network list --external"
            raise NotFoundError(
                f"{external_ref!r} is no IP address, and no network is named so", hint=hint
            ) from error
        raise


def the_one(ref: str, found: Sequence[Instance]) -> Instance:
    """Return the only instance of that name or id."""
    if not found:
        raise NotFoundError(f"no instance named {ref!r} in this project", hint="openstack server list")
    if len(found) > 1:
        ids = ", ".join(instance.id for instance in found)
        raise AmbiguousError(f"{len(found)} instances are named {ref!r}: {ids}", hint="give the id instead")
    return found[0]


def shared_subnet(
    network: CloudNetwork,
    subnets: Sequence[Subnet],
    ports: Sequence[Port],
    instances: Sequence[Instance],
    subnet_ref: str | None,
) -> Subnet:
    """Return the subnet on which every instance has an address; IPv4 goes first where that makes it one."""
    on = {instance.id: _subnet_ids(instance, ports) for instance in instances}
    for instance in instances:
        if not on[instance.id]:
            raise UnsatisfiableError(
                f"instance {instance.name} has no port on network {network.name}",
                hint=f"openstack server add network {instance.id} {network.id}",
            )
    shared = [subnet for subnet in subnets if all(subnet.id in have for have in on.values())]
    if subnet_ref is not None:
        shared = [subnet for subnet in subnets if subnet_ref in (subnet.id, subnet.name)]
        if not shared:
            raise NotFoundError(f"network {network.name} has no subnet {subnet_ref!r}", hint="openstack subnet list")
        if len(shared) > 1:
            ids = ", ".join(subnet.id for subnet in shared)
            raise AmbiguousError(f"{len(shared)} subnets are named {subnet_ref!r}: {ids}", hint="give the id instead")
        missing = [instance.name for instance in instances if shared[0].id not in on[instance.id]]
        if missing:
            raise UnsatisfiableError(
                f"{', '.join(missing)} has no address on subnet {subnet_ref}",
                hint=f"openstack port set --fixed-ip subnet={shared[0].id} PORT",
            )
    if not shared:
        raise UnsatisfiableError(
            f"the nodes share no subnet of network {network.name}", hint="openstack port list --network " + network.id
        )
    ipv4 = [subnet for subnet in shared if subnet.cidr.version == 4]
    choice = ipv4 if len(ipv4) == 1 else shared
    if len(choice) > 1:
        listed = ", ".join(f"{subnet.name or subnet.id} ({subnet.cidr})" for subnet in choice)
        raise AmbiguousError(f"the nodes share several subnets: {listed}", hint="choose one with --subnet")
    return choice[0]


def node_on(instance: Instance, subnet: Subnet, ports: Sequence[Port]) -> Node:
    """Return the instance as a node of that subnet."""
    for port in ports:
        fixed = _fixed_on(port, subnet.id)
        if port.device_id == instance.id and fixed:
            return Node(instance, port, fixed.address)
    raise UnsatisfiableError(
        f"instance {instance.name} has no address on subnet {subnet.name or subnet.id}",
        hint=f"openstack port set --fixed-ip subnet={subnet.id} PORT",
    )


def find_observer(
    cloud: Cloud,
    ref: str | None,
    found: dict[str, tuple[Instance, ...]],
    ports: Sequence[Port],
    nodes: Sequence[Node],
) -> Instance | None:
    """Return the observer: the one named, else one named or tagged `observer` on the network, else None."""
    here = {port.device_id for port in ports}
    return choose_observer(cloud, ref, found, here, {node.instance.id for node in nodes})


def choose_observer(
    cloud: Cloud, ref: str | None, found: dict[str, tuple[Instance, ...]], here: set[str], busy: set[str]
) -> Instance | None:
    """Choose among the instances with a port `here` that are not `busy` as nodes. Raises what find_observer does."""
    if ref is not None:
        observer = the_one(ref, found[ref])
        if observer.id in busy:
            raise UsageError(
                f"{observer.name} cannot watch the pair that it is a node of", hint="name another --observer"
            )
        if observer.id not in here:
            raise UnsatisfiableError(
                f"observer {observer.name} has no port on the nodes' network",
                hint="name another --observer; it must see who answers, so it must be on the network itself",
            )
        return observer

    def fit(candidates: Sequence[Instance]) -> list[Instance]:
        return [one for one in candidates if one.id in here and one.id not in busy]

    chosen = fit(found[OBSERVER]) or fit(cloud.instances_tagged(OBSERVER))
    if len(chosen) > 1:
        raise AmbiguousError(
            f"{len(chosen)} instances are named or tagged {OBSERVER!r}", hint="choose with --observer"
        )
    return chosen[0] if chosen else None


def _subnet_ids(instance: Instance, ports: Sequence[Port]) -> set[str]:
    return {fixed.subnet_id for port in ports if port.device_id == instance.id for fixed in port.fixed_ips}


def _fixed_on(port: Port, subnet_id: str) -> FixedIp | None:
    return next((fixed for fixed in port.fixed_ips if fixed.subnet_id == subnet_id), None)


def reservation_on(ports: Sequence[Port], name: str, project_id: str) -> Port | None:
    """Return the reservation port of that pair; of several (a race) the one with the smallest id wins."""
    ours = [
        port
        for port in ports
        if port.device_owner == RESERVATION_OWNER
        and port.device_id == names.device_id(name)
        and port.project_id == project_id
    ]
    return min(ours, key=lambda port: port.id, default=None)


def find_pair(cloud: Cloud, name: str | None) -> tuple[Pair, Port]:
    """Return the pair of that name, or the project's only one. Raises NotFoundError, AmbiguousError, RecordError."""
    ports = [port for port in cloud.reservations() if port.project_id == cloud.project_id()]
    if name is not None:
        ports = [port for port in ports if port.device_id == names.device_id(name) or port.id == name]
    if not ports:
        wanted = f"no pair named {name!r}" if name else "no pair"
        hint = "haos create --network NETWORK --nodes A,B makes one"
        lost = "PAIR" if name is None else name
        if names.NAME.fullmatch(lost):
            hint += f"; if its reservation port was deleted: {names.rebuild_command(lost, 'NETWORK')}"
        raise NotFoundError(f"{wanted} in this project", hint=hint)
    if len(ports) > 1:
        called = [port.device_id.removeprefix("haos-") for port in ports]
        if name is None and len(set(called)) == len(called):
            raise AmbiguousError(f"the project has several pairs: {', '.join(sorted(called))}", hint="name one")
        listed = ", ".join(f"{one} (reservation port {port.id})" for one, port in zip(called, ports, strict=True))
        raise AmbiguousError(f"several pairs have this name: {listed}", hint="give the id of the reservation port")
    return record.decode(ports[0]), ports[0]


def pair_nodes(cloud: Cloud, pair: Pair) -> tuple[dict[str, Node], tuple[Port, ...]]:
    """Return the pair's nodes that still exist, by port id, and all ports of the network.

    A member counts only if its port is the project's own: a record never steers haos to somebody else's instance.
    """
    ports = cloud.ports(pair.network_id)
    members = {member.port_id for member in pair.members}
    mine = {port.id: port for port in ports if port.id in members}
    foreign = [port.id for port in mine.values() if port.project_id != pair.project_id]
    if foreign:
        raise RecordError(
            f"the record of pair {pair.name} names ports of another project: {', '.join(foreign)}",
            hint=f"somebody edited it: {names.rebuild_command(pair.name, pair.network_id)} writes it anew",
        )
    instances = cloud.instances_by_id([port.device_id for port in mine.values()])
    instances = {one: found for one, found in instances.items() if found.project_id in ("", pair.project_id)}
    reservation = next((port for port in ports if port.id == pair.reservation_id), None)
    nodes = {}
    for port_id, port in mine.items():
        address = _address_beside(pair, reservation, port)
        if port.device_id in instances and address is not None:
            nodes[port_id] = Node(instances[port.device_id], port, address)
    return nodes, ports


def _address_beside(pair: Pair, reservation: Port | None, port: Port) -> Address | None:
    """Return the address by which a port takes part in a pair: of several the one on the VIP's own subnet."""
    near = [fixed for fixed in port.fixed_ips if fixed.address.version == pair.vip.version]
    vip = _fixed_of(reservation, pair.vip)
    return min(near, key=lambda fixed: vip is None or fixed.subnet_id != vip.subnet_id).address if near else None


def _fixed_of(port: Port | None, address: Address) -> FixedIp | None:
    return next((fixed for fixed in (port.fixed_ips if port else ()) if fixed.address == address), None)


def whole(pair: Pair, found: Mapping[str, Node]) -> tuple[Node, ...]:
    """Return the nodes in the order of the record, all of them. Raises UnsatisfiableError where one is gone."""
    missing = [member.port_id for member in pair.members if member.port_id not in found]
    if missing:
        raise UnsatisfiableError(
            f"pair {pair.name} is not whole: port {', '.join(missing)} or its instance is gone",
            hint=f"haos status {pair.name}",
        )
    return tuple(found[member.port_id] for member in pair.members)
