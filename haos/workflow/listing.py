"""`haos list`: every pair of the project, in as few requests as it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from haos.core import record
from haos.core.floating import drift, leading_to
from haos.core.intent import pending, where
from haos.core.model import Address, CloudNetwork, FloatingIp, Instance, Pair, Port, vrid_of
from haos.errors import RecordError
from haos.workflow.context import Cloud

OK = "ok"


@dataclass(frozen=True)
class ListedPair:
    """A pair as its record says; what an unreadable record does not tell is None."""

    name: str
    vip: Address | None
    network: str
    vrid: int | None
    mode: str | None
    nodes: tuple[str, ...] | None
    verified: bool | None
    status: str  # "ok", "unreadable: " and why, or "fault pending: " and which, or what became of its floating IP
    floating: tuple[Address, ...] = ()  # floating IPs that lead to the VIP


def list_pairs(cloud: Cloud) -> tuple[ListedPair, ...]:
    """Return the project's pairs, sorted by name (5 requests; 1 where there is none)."""
    reservations = [port for port in cloud.reservations() if port.project_id == cloud.project_id()]
    if not reservations:
        return ()
    read = {port.id: _read(port) for port in reservations}
    pairs = [pair for pair in read.values() if isinstance(pair, Pair)]
    networks = cloud.networks_by_id([port.network_id for port in reservations])
    ports = cloud.ports_by_id([member.port_id for pair in pairs for member in pair.members])
    known = cloud.instances_by_id([port.device_id for port in ports.values() if port.device_id])
    instances = {one: each for one, each in known.items() if each.project_id in ("", cloud.project_id())}
    given = any(pair.floating is not None for pair in pairs)
    floating = cloud.floating_ips(needed=given) if any(_is_ipv4(port) for port in reservations) else ()
    rows = [
        replace(_row(port, read[port.id], networks, ports, instances, floating), floating=_leading(port, floating))
        for port in reservations
    ]
    return tuple(sorted(rows, key=lambda row: (row.name, row.network)))


def _read(port: Port) -> Pair | RecordError:
    try:
        return record.decode(port)
    except RecordError as error:
        return error


def _row(
    port: Port,
    read: Pair | RecordError,
    networks: Mapping[str, CloudNetwork],
    ports: Mapping[str, Port],
    instances: Mapping[str, Instance],
    floating: Sequence[FloatingIp],
) -> ListedPair:
    network = networks[port.network_id].name if port.network_id in networks else port.network_id
    if isinstance(read, RecordError):
        vrid = vrid_of(port.mac)
        return ListedPair(
            name=port.device_id.removeprefix("haos-") or port.id,
            vip=port.fixed_ips[0].address if port.fixed_ips else None,
            network=network,
            vrid=vrid[0] if vrid else None,
            mode=None,
            nodes=None,
            verified=None,
            status=f"unreadable: {read.reason.rpartition('cannot be trusted: ')[2]}",
        )
    if any(ports[one.port_id].project_id != read.project_id for one in read.members if one.port_id in ports):
        strange = "unreadable: it names ports of another project"
        return ListedPair(read.name, read.vip, network, read.vrid, str(read.mode), None, read.verified, strange)
    names = {member.port_id: _node(member.port_id, ports, instances) for member in read.members}
    faults = [f"fault pending: {intent.fault} on {where(intent, names)}" for intent in pending(read, port)]
    lost = drift(read.floating, port.id, floating)
    status, nodes = "; ".join([*faults, *([lost] if lost else [])]) or OK, tuple(names.values())
    return ListedPair(read.name, read.vip, network, read.vrid, str(read.mode), nodes, read.verified, status)


def _is_ipv4(port: Port) -> bool:
    return any(fixed.address.version == 4 for fixed in port.fixed_ips)


def _leading(port: Port, floating: Sequence[FloatingIp]) -> tuple[Address, ...]:
    return tuple(ip.address for ip in leading_to(port.id, floating))


def _node(port_id: str, ports: Mapping[str, Port], instances: Mapping[str, Instance]) -> str:
    port = ports.get(port_id)
    instance = instances.get(port.device_id) if port else None
    return instance.name if instance else f"gone ({port_id[:8]})"
