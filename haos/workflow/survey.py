"""Ask the segment itself before a VIP is claimed: Neutron does not know who merely uses an address."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import islice

from haos.core import vip
from haos.core.crowd import beyond
from haos.core.model import Address, Node
from haos.core.node import Survey
from haos.errors import RemoteError, UnsatisfiableError
from haos.workflow.context import Context
from haos.workflow.decide import Avoid, choose_vip
from haos.workflow.preflight import Asking, Preflight
from haos.workflow.request import CreateRequest

AT_ONCE = 8
"""How many candidates are asked for together: one is nearly always enough."""
ROUNDS = 4
LISTEN_S = 1.2
"""A little more than the advertisement interval that keepalived and most routers have by default, 1 s."""
FORGET_TIMEOUT_S = 900.0
"""How long to wait for a network that caches ARP to forget an address: longer than any cache that was heard of."""
FORGET_POLL_S = 5.0


def ask_segment(request: CreateRequest, seen: Preflight, avoid: Avoid, ctx: Context) -> Avoid:
    """Return what to avoid beside what was given: addresses that answer on the wire, VRIDs heard there.

    Raises UnsatisfiableError if the VIP that the user chose answers, or cannot be one anyway.
    """
    if request.vip is not None:
        choose_vip(request, seen, avoid)  # Neutron knows more of an address than that it answers
    asker = next((node for node in seen.place.nodes if node.interface is not None), None)
    if asker is None:
        return avoid
    said, listen_s = seen.survey, LISTEN_S
    for _ in range(ROUNDS):
        asked = [request.vip] if request.vip else _candidates(request, seen, avoid)
        if not asked:
            return avoid
        if said is None:
            with ctx.progress.step("ask the network whether the VIP is free"):
                said = _survey(asker, asked, listen_s, ctx)
        if said is None:
            return avoid
        version = seen.place.subnet.cidr.version
        heard = frozenset(vrid for vrid, of in said.vrids or () if of == version)
        avoid = replace(avoid, vips=avoid.vips | set(said.answers), vrids=avoid.vrids | heard)
        if request.vip is not None and request.vip in said.answers:
            raise UnsatisfiableError(
                f"{request.vip} is in use: {said.answers[request.vip]} answers for it, though no port has it",
                hint=f"who is that? openstack port list --mac-address {said.answers[request.vip]}",
            )
        if any(address not in said.answers for address in asked):
            return avoid
        said, listen_s = None, 0.0
    return avoid


def first_survey(request: CreateRequest, seen: Preflight, avoid: Avoid, ctx: Context) -> Asking | None:
    """Return what asks for the first candidates, while the nodes are looked at: nothing takes longer before a plan.

    None where there are none: for a pair that is there, and for a VIP of the user's own, which is judged first.
    """
    asked = [] if seen.pair or request.vip else _candidates(request, seen, avoid)
    if not asked:
        return None
    return lambda asker: ctx.fleet.node(asker.instance).survey(asker.address, asked, listen_s=LISTEN_S)


def _survey(asker: Node, addresses: Collection[Address], listen_s: float, ctx: Context) -> Survey | None:
    """Ask; a node that cannot is no reason to give up: Neutron has been asked already."""
    try:
        return ctx.fleet.node(asker.instance).survey(asker.address, tuple(addresses), listen_s=listen_s)
    except RemoteError as error:
        ctx.progress.note(f"the network could not be asked: {error}")
        return None


def _candidates(request: CreateRequest, seen: Preflight, avoid: Avoid) -> list[Address]:
    subnet, ports = seen.place.subnet, seen.place.ports

    def first(free: Iterable[Address]) -> list[Address]:
        return list(islice(beyond((one for one in free if one not in avoid.vips), avoid.passed), AT_ONCE))

    found = first(vip.candidates(subnet, ports))
    if found or not request.vip_from_pool:
        return found
    return first(vip.candidates_in_pools(subnet, ports))


def await_forgotten(address: Address, asker: Node, ctx: Context) -> None:
    """Wait until nobody answers for an address any more. Raises UnsatisfiableError at the deadline."""
    deadline_s = ctx.clock.now_s() + FORGET_TIMEOUT_S
    with ctx.progress.step(f"wait until the network forgets {address} (at most {FORGET_TIMEOUT_S:.0f} s)"):
        while ctx.fleet.node(asker.instance).survey(asker.address, (address,), listen_s=0.0).answers:
            if ctx.clock.now_s() >= deadline_s:
                raise UnsatisfiableError(
                    f"the network still answers for {address} after {FORGET_TIMEOUT_S:.0f} s",
                    hint="leave out --vip: on a fresh address there is nothing to forget",
                )
            ctx.clock.sleep(FORGET_POLL_S)
