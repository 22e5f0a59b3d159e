"""Which MAC addresses are reached through which tap: a pure plan, one strategy for each kind of fabric."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from haos.lab.fabric.names import bridge_name, tap_name
from haos.lab.fabric.render import filtered
from haos.lab.model import Fabric, FabricKind, FabricPort, PortKind


@dataclass(frozen=True)
class TapPlan:
    """How one plugged tap is attached."""

    tap: str
    bridge: str
    pinned: frozenset[str] = frozenset()  # MAC addresses that are always reached here
    learning: bool = False  # source addresses seen here are remembered, frames to unknown addresses come here


Forwarding = Callable[[Iterable[FabricPort]], tuple[TapPlan, ...]]
"""Plan the taps of the plugged ports."""


def plan(fabric: Fabric, plugged: Iterable[str]) -> tuple[TapPlan, ...]:
    """Plan the plugged taps of a fabric."""
    taps = set(plugged)
    ports = (port for port in fabric.ports if port.kind is not PortKind.NONE)
    return STRATEGIES[fabric.kind]([port for port in ports if tap_name(port.id) in taps])


def bridges(fabric: Fabric) -> frozenset[str]:
    """Return the bridges of a fabric, one for each network that has a port to plug."""
    return frozenset(bridge_name(port.network_id) for port in fabric.ports if port.kind is not PortKind.NONE)


def ovs(ports: Iterable[FabricPort]) -> tuple[TapPlan, ...]:
    """Pin every MAC as the OVS agent and OVN do: a port's own to its tap, a pair's to the port it was set on last.

    Nothing is learned and nothing unknown is flooded but where port security is off: those agents learn there too.
    """
    plugged = tuple(ports)
    pinned = _last_set(plugged) | {(port.network_id, port.mac): port for port in plugged}
    return tuple(
        TapPlan(
            tap=tap_name(port.id),
            bridge=bridge_name(port.network_id),
            pinned=frozenset(mac for (_, mac), owner in pinned.items() if owner is port),
            learning=port.kind is PortKind.INSTANCE and not filtered(port),
        )
        for port in plugged
    )


def learning(ports: Iterable[FabricPort]) -> tuple[TapPlan, ...]:
    """Pin nothing: a MAC is reached where it was seen last, and one never seen is asked for everywhere.

    Only what anti-spoofing admits is ever seen, so a pair's MAC moves between the ports that have the pair.
    """
    return tuple(TapPlan(tap=tap_name(port.id), bridge=bridge_name(port.network_id), learning=True) for port in ports)


def _last_set(ports: tuple[FabricPort, ...]) -> dict[tuple[str, str], FabricPort]:
    """Find for every pair's MAC on a network the port whose pair was set last."""
    pairs = ((pair.order, pair.mac, port) for port in ports for pair in port.pairs)
    return {(port.network_id, mac): port for _, mac, port in sorted(pairs, key=lambda each: each[0])}


STRATEGIES: dict[FabricKind, Forwarding] = {
    FabricKind.OVS: ovs,
    FabricKind.LEARNING: learning,
    FabricKind.ARP_CACHE: learning,
}
