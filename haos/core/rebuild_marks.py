"""What is marked as a pair's in the cloud, where the mark leads to a reservation that is no more. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from haos.core.floating import made_for
from haos.core.model import FloatingIp, OwnFloatingIp, Pair, Port, SecurityGroup
from haos.core.names import floating_mark, group_mark
from haos.core.rebuild import Known, Witnesses


def lost_group(seen: Witnesses, port: Port | None) -> Iterator[SecurityGroup]:
    """Yield the pair's security group where its mark leads to a port that is no more."""
    if port is not None and any(one.description == group_mark(port.id) for one in seen.groups):
        return
    lost = [one for one in seen.groups if id_in(one.description) and id_in(one.description) not in seen.alive]
    attached = {key for node in seen.nodes for key in node.port.group_ids}
    yield from sorted(lost, key=lambda one: (one.id not in attached, one.id))[:1]


def id_in(mark: str) -> str | None:
    """Return the reservation's id in a mark of haos's."""
    head = floating_mark("")
    return mark.removeprefix(head) if mark.startswith(head) else None


def old_id(groups: Sequence[SecurityGroup]) -> str | None:
    """Return the id that the pair's reservation had, by the mark on its group."""
    return id_in(groups[0].description) if groups else None


def floating_of(
    seen: Witnesses, port: Port | None, recorded: Pair | None, known_as: str | None
) -> tuple[OwnFloatingIp | None, tuple[FloatingIp, ...], Known | None]:
    """Return (as the record shall say, those to be marked anew, how it is known)."""
    made = made_for(port.id, seen.floating) if port is not None else ()
    own = recorded.floating if recorded is not None else None
    # The record may have forgotten one on purpose, since it led elsewhere.
    wanted = recorded is None or own == OwnFloatingIp()
    if port is not None and any(ip.port_id == port.id or (ip.port_id is None and wanted) for ip in made):
        return OwnFloatingIp(), (), Known("floating IP", "made by haos", "its description")
    here = {ip.address for ip in seen.floating if port is not None and ip.port_id == port.id}
    if own is not None and own.taken in here:
        return own, (), Known("floating IP", f"{own.taken}, associated by haos", "the record that is there")
    lost = tuple(ip for ip in made_for(known_as, seen.floating) if ip.port_id is None)[:1] if known_as else ()
    if lost:
        return OwnFloatingIp(), lost, Known("floating IP", f"{lost[0].address}, made by haos", "its description")
    return None, (), None


def stray(seen: Witnesses, kept: Sequence[FloatingIp]) -> Iterator[str]:
    """Name floating IPs that haos made for a port that is no more: whose they are, nobody can tell."""
    for ip in seen.floating:
        key = id_in(ip.description)
        if ip not in kept and ip.port_id is None and key is not None and key not in seen.alive:
            yield (
                f"floating IP {ip.address} was made by haos for a reservation that is gone: if it was this pair's, "
                f"haos create … --floating-ip {ip.address} gives it back"
            )
