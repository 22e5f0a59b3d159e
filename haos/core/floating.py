"""A pair's floating IP: what was asked for, what the record says, and what becomes of both. Pure.

What haos makes carries a mark in its description, so that it is known wherever it is; what it only took is named in
the record. Nothing that leads elsewhere is ever moved, and nothing of others on the VIP is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from haos.core.checks import Finding, blocker, warning
from haos.core.model import CloudNetwork, FloatingIp, OwnFloatingIp, Pair, Subnet
from haos.core.names import floating_mark


@dataclass(frozen=True)
class FloatingWish:
    """What was asked for; neither: a floating IP on the network of the router's gateway."""

    network: str | None = None  # name or id
    address: IPv4Address | None = None


@dataclass(frozen=True)
class FloatingChoice:
    """What becomes of a pair's floating IP."""

    own: OwnFloatingIp | None = None  # as the record shall say
    there: FloatingIp | None = None  # leads to the VIP already
    take: FloatingIp | None = None  # leads nowhere, and shall lead to the VIP
    make: bool = False
    network_id: str | None = None  # on which it is made
    network: str = ""  # which that is, in words
    findings: tuple[Finding, ...] = ()

    @property
    def needs_route(self) -> bool:
        """Whether the VIP must still be reached from the external network."""
        return self.make or self.take is not None


def made_for(reservation_id: str, ips: Iterable[FloatingIp]) -> tuple[FloatingIp, ...]:
    """Return what haos made for a pair, wherever it leads by now."""
    return tuple(ip for ip in ips if ip.description == floating_mark(reservation_id))


def leading_to(port_id: str, ips: Iterable[FloatingIp]) -> tuple[FloatingIp, ...]:
    """Return what leads to a reservation port, whoever associated it."""
    return tuple(ip for ip in ips if ip.port_id == port_id)


def origin_of(ip: FloatingIp, pair: Pair) -> str:
    """Say who made a floating IP lead to a pair: haos "made" it or "associated" it, or it was an "other"."""
    if ip.description == floating_mark(pair.reservation_id):
        return "made"
    return "associated" if pair.floating is not None and pair.floating.taken == ip.address else "other"


def own_of(own: OwnFloatingIp | None, reservation_id: str, ips: Sequence[FloatingIp]) -> FloatingIp | None:
    """Return the floating IP that haos gave a pair, by what the record says; None where it is gone."""
    if own is None:
        return None
    found = [ip for ip in ips if ip.address == own.taken] if own.taken else made_for(reservation_id, ips)
    return min(found, key=lambda ip: (ip.port_id != reservation_id, ip.id), default=None)


def drift(own: OwnFloatingIp | None, reservation_id: str, ips: Sequence[FloatingIp]) -> str | None:
    """Say in words what became of the floating IP that haos gave a pair; None where it leads to the VIP."""
    if own is None:
        return None
    found = own_of(own, reservation_id, ips)
    if found is None:
        what = f"floating IP {own.taken}" if own.taken else "the floating IP that haos made for it"
        return f"{what} is gone"
    if found.port_id == reservation_id:
        return None
    whither = f"is associated with port {found.port_id}" if found.port_id else "is associated with nothing"
    return f"its floating IP {found.address} {whither} by now"


def choose(
    wish: FloatingWish | None,
    own: OwnFloatingIp | None,
    reservation_id: str | None,
    ips: Sequence[FloatingIp],
    network: CloudNetwork | None = None,
) -> FloatingChoice:
    """Choose by what there is; `network` is the wished one. A new pair has no reservation."""
    here = leading_to(reservation_id, ips) if reservation_id else ()
    mine = own_of(own, reservation_id or "", ips)
    if wish is None:
        return _keep(own, mine, here, drift(own, reservation_id or "", ips))
    if network is not None and not network.external:
        found = blocker(
            "floating-network",
            f"network {network.name} is not external: it has no floating IPs",
            "openstack network list --external",
        )
        return FloatingChoice(own, findings=(found,))
    if wish.address is not None:
        choice = _by_address(wish.address, own, mine, here, ips)
    else:
        choice = _on_network(network, own, mine, here, made_for(reservation_id, ips) if reservation_id else ())
    lost = drift(own, reservation_id or "", ips) if choice.there else None
    return choice if lost is None else _forget(choice.there, lost)


def _is_free(ip: FloatingIp) -> bool:
    return ip.port_id is None and not ip.forwards


def _keep(
    own: OwnFloatingIp | None, mine: FloatingIp | None, here: Sequence[FloatingIp], lost: str | None
) -> FloatingChoice:
    """Nothing was said: what haos gave leads to the VIP again where it is free; else the record forgets it."""
    if lost is None:
        return FloatingChoice(own, there=mine)
    if mine is not None and _is_free(mine) and not here:
        return FloatingChoice(own, take=mine)
    return _forget(next(iter(here), None), lost)


def _forget(there: FloatingIp | None, lost: str) -> FloatingChoice:
    """Let the record forget what haos gave; what others made lead to the VIP, if anything, is enough."""
    remedy = f"{there.address} leads to the VIP" if there else "create with --floating-ip gives it another"
    return FloatingChoice(None, there=there, findings=(warning("floating-lost", lost, remedy),))


def _by_address(
    address: IPv4Address,
    own: OwnFloatingIp | None,
    mine: FloatingIp | None,
    here: Sequence[FloatingIp],
    ips: Sequence[FloatingIp],
) -> FloatingChoice:
    wanted = next((ip for ip in ips if ip.address == address), None)
    if wanted is not None and wanted in here:
        return FloatingChoice(own, there=wanted)
    if wanted is None:
        found = blocker(
            "floating-missing",
            f"the project has no floating IP {address}",
            "--floating-ip NETWORK makes one with an address of Neutron's choice; openstack floating ip list",
        )
    elif here:
        found = _other(here[0])
    elif not _is_free(wanted):
        found = _in_use(wanted)
    else:
        return FloatingChoice(own if wanted == mine else OwnFloatingIp(address), take=wanted)
    return FloatingChoice(own, findings=(found,))


def _on_network(
    network: CloudNetwork | None,
    own: OwnFloatingIp | None,
    mine: FloatingIp | None,
    here: Sequence[FloatingIp],
    made: Sequence[FloatingIp],
) -> FloatingChoice:
    def fits(ip: FloatingIp) -> bool:
        return network is None or ip.network_id == network.id

    fitting = [ip for ip in here if fits(ip)]
    if fitting:
        return FloatingChoice(own, there=mine if mine in fitting else fitting[0])
    if here:
        return FloatingChoice(own, findings=(_other(here[0]),))
    if mine is not None and fits(mine):
        if _is_free(mine):
            return FloatingChoice(own, take=mine)
        if own == OwnFloatingIp():
            return FloatingChoice(own, findings=(_in_use(mine),))
    # One that haos made, and the record has forgotten since: not a second one beside it.
    spare = next((ip for ip in made if fits(ip) and _is_free(ip)), None)
    if spare is not None:
        return FloatingChoice(OwnFloatingIp(), take=spare)
    if network is None:
        return FloatingChoice(OwnFloatingIp(), make=True)
    return FloatingChoice(OwnFloatingIp(), make=True, network_id=network.id, network=network.name)


def _other(there: FloatingIp) -> Finding:
    return blocker(
        "floating-other",
        f"floating IP {there.address} leads to the VIP already",
        f"openstack floating ip unset --port {there.address} (or delete it), then the same command",
    )


def _in_use(ip: FloatingIp) -> Finding:
    user = f"is associated with port {ip.port_id}" if ip.port_id else "serves port forwardings"
    remedy = f"openstack floating ip unset --port {ip.address}" if ip.port_id else (
        f"openstack floating ip port forwarding list {ip.address}")  # fmt: skip
    return blocker("floating-in-use", f"floating IP {ip.address} {user}", f"{remedy}; or name another")


def refuse_ipv6(vip_subnet: Subnet) -> Finding:
    """Return why a pair on an IPv6 subnet has no floating IP."""
    return blocker(
        "floating-ipv6",
        f"subnet {vip_subnet.name or vip_subnet.id} is IPv6, for which there are no floating IPs",
        "leave out --floating-ip: an IPv6 address is routed as it is; or choose an IPv4 --subnet",
    )


@dataclass(frozen=True)
class FloatingRemoval:
    """What a teardown does about floating IPs."""

    delete: tuple[FloatingIp, ...] = ()  # made by haos, and leading nowhere else
    release: tuple[FloatingIp, ...] = ()  # the project's own, associated by haos
    kept: tuple[str, ...] = ()  # what is left alone, in words


def removal_of(pair: Pair, ips: Sequence[FloatingIp]) -> FloatingRemoval:
    """Sort out what haos made, what it only associated, and what others did meanwhile."""
    port_id, taken = pair.reservation_id, pair.floating.taken if pair.floating else None
    made = made_for(port_id, ips)
    ours = [ip for ip in ips if ip in made or ip.address == taken]
    others = [ip for ip in leading_to(port_id, ips) if ip not in ours]
    fate = "stays on the port" if pair.adopted else "leads nowhere without its port, and stays the project's"
    return FloatingRemoval(
        delete=tuple(ip for ip in made if ip.port_id in (None, port_id)),
        release=tuple(ip for ip in ours if ip not in made and ip.port_id == port_id),
        kept=(
            *(f"floating IP {ip.address}, which haos did not associate, {fate}" for ip in others),
            *(
                f"floating IP {ip.address}, which haos {'made' if ip in made else 'associated'}, is left alone: "
                f"it is associated with port {ip.port_id} by now"
                for ip in ours
                if ip.port_id not in (None, port_id)
            ),
        ),
    )
