"""Where a record that is written anew goes, and what in the cloud is the pair's: found again, or made again. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TypeAlias

from haos.core import record, vip
from haos.core.changes import AdoptPort, Reservation, ReserveVip, UpdateRecord
from haos.core.model import (
    RESERVATION_OWNER,
    Added,
    FloatingIp,
    Mode,
    Node,
    Pair,
    Port,
    SecurityGroup,
    Subnet,
    virtual_mac,
    vrid_of,
)
from haos.core.names import device_id, group_mark, port_name
from haos.core.rebuild import Found, Known, Witnesses, find, pair_of
from haos.core.rebuild_marks import floating_of, lost_group, old_id, stray
from haos.errors import RecordError, UnsatisfiableError

AGAIN = "then the same command"


@dataclass(frozen=True)
class MarkGroup:
    """Mark the pair's security group with its reservation, so that haos knows it again."""

    group: SecurityGroup


@dataclass(frozen=True)
class MarkFloatingIp:
    """Mark the floating IP that haos made for the pair with its reservation; let it lead there where it is free."""

    floating: FloatingIp


RebuildChange: TypeAlias = ReserveVip | AdoptPort | UpdateRecord | MarkGroup | MarkFloatingIp


@dataclass(frozen=True)
class RebuiltRecord:
    """A record as it shall be, how each part of it is known, and what writes it."""

    pair: Pair  # without the id of a port that is yet to be made
    reservation: Port | None  # None: it is to be made
    nodes: tuple[Node, ...]
    known: tuple[Known, ...]
    notes: tuple[str, ...]  # what was taken for granted, or is not as it was
    changes: tuple[RebuildChange, ...]

    @property
    def old(self) -> str | None:
        """The record that is there."""
        return self.reservation.description if self.reservation is not None else None

    @property
    def new(self) -> str:
        """The record as it shall be."""
        return record.encode(self.pair)


def rebuilt(seen: Witnesses) -> RebuiltRecord:
    """Decide it. Raises UnsatisfiableError where the nodes, or the cloud, do not allow it; NotFoundError."""
    found = find(seen, _readable(_claimed(seen)))
    subnet = _subnet_of(found, seen)
    port = _holder(found, seen)
    recorded = _readable(port)
    if port is None:
        pair = _to_be_made(found, seen, subnet)
        where = Known("reservation port", "made anew", "none has the VIP")
    else:
        pair = _on_port(found, seen, port)
        where = Known("reservation port", port.name or port.id, f"it has {found.word.vip}")
    verified, proven = _proven(found, recorded)
    groups = tuple(lost_group(seen, port))
    floating, ips, told = floating_of(seen, port, recorded, old_id(groups))
    pair = replace(pair, members=found.members, verified=verified, floating=floating)
    known = (*found.known, where, *([told] if told else []), proven)
    notes = (*found.notes, *_notes(found, seen, port, pair, groups), *stray(seen, ips))
    changes: list[RebuildChange] = [*_written(pair, port, subnet), *(MarkFloatingIp(ip) for ip in ips)]
    changes += [MarkGroup(one) for one in groups]  # last: until then its mark tells what the reservation was called
    return RebuiltRecord(pair, port, seen.nodes, known, notes, tuple(changes))


def _claimed(seen: Witnesses) -> Port | None:
    """Return the port that claims to be the pair's."""
    claims = [port for port in seen.ports if _is_marked(port, seen) and port.project_id == seen.project_id]
    return min(claims, key=lambda port: port.id, default=None)


def _is_marked(port: Port, seen: Witnesses) -> bool:
    return port.device_owner == RESERVATION_OWNER and port.device_id == device_id(seen.name)


def _readable(port: Port | None) -> Pair | None:
    try:
        return record.decode(port) if port is not None else None
    except RecordError:
        return None


def _subnet_of(found: Found, seen: Witnesses) -> Subnet:
    for subnet in seen.subnets:
        if found.word.vip.version == subnet.cidr.version and found.word.vip in subnet.cidr:
            return subnet
    raise UnsatisfiableError(
        f"VIP {found.word.vip} of pair {seen.name}, by {found.by}, is on no subnet of network {seen.network.name}",
        hint="name the network that the pair is on: openstack subnet list",
    )


def _holder(found: Found, seen: Witnesses) -> Port | None:
    """Return the port that has the VIP, if it may be the reservation. Raises UnsatisfiableError: who has it."""
    address = found.word.vip
    port = next((port for port in seen.ports if address in [fixed.address for fixed in port.fixed_ips]), None)
    if port is None:
        moved = _claimed(seen)
        if moved is None:
            return None
        there = ", ".join(str(fixed.address) for fixed in moved.fixed_ips) or "no address"
        wanted = f"--no-fixed-ip --fixed-ip subnet={_subnet_of(found, seen).id},ip-address={address}"
        raise UnsatisfiableError(
            f"reservation port {moved.id} has {there}; the VIP of pair {seen.name} is {address}, by {found.by}",
            hint=f"openstack port set {wanted} {moved.id}, {AGAIN}",
        )
    _refuse_stranger(port, found, seen)
    vrid = _vrid_by_mac(port, found)
    if vrid not in (None, found.word.vrid):
        raise UnsatisfiableError(
            f"port {port.id}, which has {address}, has the MAC address of VRID {vrid}; "
            f"that of pair {seen.name} is {found.word.vrid}, by {found.by}",
            hint=f"openstack port delete {port.id}, {AGAIN}: it makes the port anew",
        )
    return port


def _refuse_stranger(port: Port, found: Found, seen: Witnesses) -> None:
    """Refuse a port that is not the pair's reservation, and could not be. Raises UnsatisfiableError."""
    ours = port.project_id == seen.project_id and len(port.fixed_ips) == 1
    free = not port.device_owner and not port.device_id
    renamed = port.device_owner == RESERVATION_OWNER and _was_ours(port, found, seen)
    if ours and (free or renamed or _is_marked(port, seen)):
        return
    what = f"port {port.name or port.id} ({port.id})"
    whose = f"of {port.device_owner} {port.device_id}".rstrip() if port.device_owner else "of nobody"
    whose = whose if port.project_id == seen.project_id else "of another project"
    raise UnsatisfiableError(
        f"VIP {found.word.vip} of pair {seen.name} is on {what} {whose} by now",
        hint=f"openstack port show {port.id}; once the address is free, {AGAIN}",
    )


def _was_ours(port: Port, found: Found, seen: Witnesses) -> bool:
    """Say whether a reservation of another pair's name was this pair's: by its own name, or by whom it names."""
    recorded = _readable(port)
    if recorded is None:
        return port.name == port_name(seen.name)
    return {one.port_id for one in recorded.members} == {one.port_id for one in found.word.said.members}


def _vrid_by_mac(port: Port, found: Found) -> int | None:
    by_mac = vrid_of(port.mac)
    return by_mac[0] if by_mac is not None and by_mac[1] == found.word.vip.version else None


def _on_port(found: Found, seen: Witnesses, port: Port) -> Pair:
    pair = pair_of(found.word, seen, port.id)
    # A free port that is not called as haos calls its own may have been somebody's before: it is given back.
    adopted = pair.adopted or (not port.device_owner and port.name != port_name(seen.name))
    return replace(pair, adopted=adopted, plain_mac=not adopted and _vrid_by_mac(port, found) is None)


def _to_be_made(found: Found, seen: Witnesses, subnet: Subnet) -> Pair:
    pair, word = replace(pair_of(found.word, seen), adopted=False), found.word
    named = {node.port.id for node in seen.nodes}
    exact = ip_network(word.vip)
    others = [
        replace(port, pairs=tuple(one for one in port.pairs if one.network != exact)) if port.id in named else port
        for port in seen.ports
    ]
    if (reason := vip.objection(word.vip, subnet, others)) is not None:
        raise UnsatisfiableError(f"the VIP of pair {seen.name} was given away: {reason}", hint=f"free it, {AGAIN}")
    mac = virtual_mac(word.vrid, word.vip.version)
    taken = next((port for port in seen.ports if port.mac == mac), None)
    if taken is None or pair.plain_mac:
        return pair
    if pair.mode is Mode.VMAC:
        raise UnsatisfiableError(
            f"the virtual MAC address of pair {seen.name} (VRID {word.vrid}) is on port {taken.id} by now",
            hint=f"haos list says whose that is; tear that pair down, {AGAIN}",
        )
    return replace(pair, plain_mac=True)


def _proven(found: Found, recorded: Pair | None) -> tuple[bool, Known]:
    if recorded is not None and recorded.vip == found.word.vip:
        return recorded.verified, Known("proven", "yes" if recorded.verified else "no", "the record that is there")
    return False, Known("proven", "no", "assumed: nobody but the record knew; the next create tries a failover")


def _notes(
    found: Found, seen: Witnesses, port: Port | None, pair: Pair, groups: Sequence[SecurityGroup]
) -> Iterator[str]:
    word = found.word
    if port is None and word.said.adopted:
        yield "the reservation port was somebody's own, and is gone: the new one is haos's, and goes with the pair"
    if pair.plain_mac and not word.said.plain_mac and not word.said.adopted:
        why = (
            "another port has the virtual MAC address" if port is None else "the port's MAC address is another by now"
        )
        yield f"{why}: the record holds VRID {pair.vrid}, which Neutron no longer locks"
    if pair.adopted and not word.said.adopted:
        yield "assumed: the port that has the VIP was there before haos, and is given back by a teardown"
    marked = port is not None and any(one.description == group_mark(port.id) for one in seen.groups)
    if any(Added.GROUP in one.added for one in found.members) and not (groups or marked):
        yield "the pair's security group is gone: a repair makes another"


def _written(pair: Pair, port: Port | None, subnet: Subnet) -> Iterator[ReserveVip | AdoptPort | UpdateRecord]:
    text = record.encode(pair)
    if port is None:
        mac = None if pair.plain_mac else virtual_mac(pair.vrid, pair.vip.version)
        yield ReserveVip(
            Reservation(
                network_id=pair.network_id,
                subnet_id=subnet.id,
                address=pair.vip,
                mac=mac,
                name=port_name(pair.name),
                device_id=device_id(pair.name),
                description=text,
            ),
            pair.vrid,
        )
    elif (port.device_owner, port.device_id) != (RESERVATION_OWNER, device_id(pair.name)):
        yield AdoptPort(port, pair.vip, pair.vrid, device_id(pair.name), text)
    elif port.description != text:
        yield UpdateRecord(port, text)
