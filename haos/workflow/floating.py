"""The floating IP of a pair: looked at beforehand, in as few requests as it can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from haos.core.floating import (
    FloatingChoice,
    FloatingRemoval,
    choose,
    refuse_ipv6,
    removal_of,
)
from haos.core.floating_route import find_route, has_router, is_known, routers_on
from haos.core.model import FloatingIp, Pair, Port
from haos.workflow.context import Cloud
from haos.workflow.request import CreateRequest
from haos.workflow.resolve import Place


def look_at_floating(
    request: CreateRequest, place: Place, reservation: Port | None, pair: Pair | None, cloud: Cloud
) -> FloatingChoice:
    """Choose the pair's floating IP, with what speaks against it.

    No request where none was asked for and the record has none; 1 where it leads to the VIP already; else 1 or 2.
    """
    wish, own = request.floating, pair.floating if pair else None
    if wish is None and own is None:
        return FloatingChoice()
    if place.subnet.cidr.version != 4:
        return FloatingChoice(own, findings=(refuse_ipv6(place.subnet),))
    # Nothing leads to a VIP that is not reserved yet.
    look = reservation is not None or (wish and wish.address)
    ips = cloud.floating_ips(needed=own is not None) if look else ()
    choice = choose(wish, own, reservation.id if reservation else None, ips, place.external)
    wanted, ids = choice.take.network_id if choice.take else choice.network_id, routers_on(place.subnet, place.ports)
    if not choice.needs_route or is_known(wanted, ids, ips):
        return choice
    route = find_route(wanted, place.subnet, ids, cloud.routers(ids) if ids else ())
    if route.finding is not None:
        return replace(choice, findings=(route.finding,))
    if choice.make and choice.network_id is None:
        return replace(choice, network_id=route.network_id, network=f"the network of router {route.router}'s gateway")
    return choice


def floating_ips_near(pair: Pair, ports: Iterable[Port], cloud: Cloud) -> tuple[FloatingIp, ...]:
    """Return the project's floating IPs; no request where none can lead to the pair, nor was given to it by haos.

    Raises ForbiddenError where one was, and the user may not see it: it would be called gone.
    """
    if pair.floating is None and not has_router(ports, pair.vip.version):
        return ()
    return cloud.floating_ips(needed=pair.floating is not None)


def look_at_removal(pair: Pair, cloud: Cloud) -> FloatingRemoval:
    """Say what a teardown does about floating IPs (1 request; none for IPv6)."""
    if pair.vip.version != 4:
        return FloatingRemoval()
    return removal_of(pair, cloud.floating_ips(needed=pair.floating is not None))
