"""Cloud, nodes and time as one value, and the VIP that moves among the nodes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import TYPE_CHECKING
from uuid import UUID

from haos.core.model import (
    Address,
    CloudNetwork,
    FloatingIp,
    Instance,
    InstanceAction,
    Port,
    Router,
    SecurityGroup,
    Subnet,
)
from haos.errors import HaosError
from tests.fakes.clock import FakeClock
from tests.fakes.effects import Effects
from tests.fakes.faults import SPLIT

if TYPE_CHECKING:
    from tests.fakes.guardian import Watch
    from tests.fakes.node import FakeNode


TAKEOVER_S = 0.02

ELECTING = RLock()
"""Nodes are worked at side by side, and elect each in its own thread. A world cannot have it: worlds are copied."""


@dataclass
class World:
    """Cloud, nodes, time."""

    clock: FakeClock = field(default_factory=FakeClock)
    effects: Effects = field(default_factory=Effects)
    networks: dict[str, CloudNetwork] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=dict)
    ports: dict[str, Port] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    groups: dict[str, SecurityGroup] = field(default_factory=dict)
    routers: dict[str, Router] = field(default_factory=dict)
    floating: dict[str, FloatingIp] = field(default_factory=dict)
    floating_left: int = 50  # of the quota
    floating_hidden: bool = False  # the user may not list them
    nodes: dict[str, FakeNode] = field(default_factory=dict)  # by instance id
    holders: list[tuple[float, str | None]] = field(default_factory=list)  # when -> MAC that answers
    splits: list[tuple[str, float, float | None]] = field(default_factory=list)  # MAC that answers too, from, to
    unreachable: set[str] = field(default_factory=set)
    awaited: dict[str, HaosError] = field(default_factory=dict)  # instance id -> why it has not been reached so far
    rebuilt: dict[str, tuple[str, ...]] = field(default_factory=dict)  # instance id -> the host keys that it has now
    takeover_s: float = TAKEOVER_S
    answers: dict[Address, str] = field(default_factory=dict)  # what answers ARP beside the cloud's ports -> its MAC
    heard: frozenset[tuple[int, int]] = frozenset()  # (VRID, IP version) of routers that are not the cloud's
    fabric: str = "learning"
    """Or "ovs": a virtual MAC reaches one node only; "ovn": the port that has it; "arp-cache": see arp_reply."""
    arp_cache: dict[Address, str] = field(default_factory=dict)
    no_service: set[str] = field(default_factory=set)  # MACs of nodes on which the service does not run
    observer_can: frozenset[str] = frozenset({"root", "python", "ping"})
    watches: list[Watch] = field(default_factory=list)
    made: int = 0
    nova_s: float = 0.0  # how long Nova goes on showing an instance as it was before an action
    acted: dict[str, tuple[float, InstanceAction, Instance]] = field(default_factory=dict)  # -> (when, what, before)

    def __deepcopy__(self, memo: dict[int, object]) -> World:
        """Copy what changes; what is frozen both worlds can have, and it is most of a world."""
        tables: list[Mapping[str, object]] = [self.networks, self.subnets, self.ports, self.instances, self.groups]
        tables += [self.routers, self.floating, *(node.files for node in self.nodes.values())]
        for table in tables:
            memo.update((id(one), one) for one in table.values())
        memo[id(self)] = world = World()
        vars(world).update({name: copy.deepcopy(value, memo) for name, value in vars(self).items()})
        return world

    def new_id(self) -> str:
        self.made += 1
        return str(UUID(int=self.made, version=4))

    def snapshot(self) -> object:
        """All state that a user could compare, without revisions."""
        return (
            {key: replace(port, revision=None) for key, port in self.ports.items()},
            {key: replace(one, rules=tuple(sorted(one.rules, key=repr))) for key, one in self.groups.items()},
            {key: node.snapshot() for key, node in self.nodes.items()},
            dict(self.instances),
            {key: replace(ip, revision=None) for key, ip in self.floating.items()},
        )

    def shown(self, instance: Instance) -> Instance:
        """Return the instance as Nova shows it now."""
        when, _, before = self.acted.get(instance.id, (float("-inf"), None, instance))
        return before if self.clock.now < when + self.nova_s else instance

    def holder(self) -> str | None:
        now = self.clock.now
        return next((mac for at, mac in reversed(self.holders) if at <= now), None)

    def split_at(self, at_s: float) -> frozenset[str]:
        """Return the MACs that went on answering for the VIP at that time, though peers had given their node up."""
        return frozenset(
            mac for mac, since, until in self.splits if since <= at_s and (until is None or at_s < until)
        )

    def reunite(self) -> None:
        """End a split: of those who are Active, the one with the highest priority stays so at once."""
        now, current = self.clock.now, self.holder()
        active = [node for node in self.nodes.values() if node.mac == current or node.mac in self.split_at(now)]
        self.splits = [(mac, since, now if until is None else until) for mac, since, until in self.splits]
        speaking = [node for node in active if node.speaks()]
        if best := max(speaking, key=lambda node: node.priority, default=None):
            self.holders = [event for event in self.holders if event[0] <= now]
            self.holders += [(now, best.mac)] * (best.mac != current)

    def arp_reply(self, vip: Address, holder: str | None) -> str | None:
        """Return the MAC that the network names for the VIP; "arp-cache" keeps to the first that it heard."""
        node = next((one for one in self.nodes.values() if one.mac == holder), None)
        own = None
        if node is not None and self.admitted(vip, node):
            own = node.virtual_mac or node.mac
        if self.fabric == "arp-cache":
            return self.arp_cache.setdefault(vip, own) if own else self.arp_cache.get(vip)
        return own

    def admitted(self, vip: Address, node: FakeNode) -> bool:
        """Say whether port security lets the node speak for the VIP."""
        macs = {node.mac, node.virtual_mac or node.mac}
        port = next(port for port in self.ports.values() if port.mac == node.mac)
        return not port.port_security or macs <= {pair.mac_address for pair in port.pairs if pair.covers(vip)}

    def echo_reply(self, vip: Address, holder: str | None) -> str | None:
        """Return the MAC that an echo is answered from, None where it does not get through."""
        node = next((one for one in self.nodes.values() if one.mac == holder), None)
        named = self.arp_reply(vip, holder)
        if node is None or named not in (node.mac, node.virtual_mac):
            return None
        pinned = next(iter(self.nodes.values()))
        if self.fabric == "ovs" and node.virtual_mac and node is not pinned:
            return None
        if self.fabric == "ovn" and node.virtual_mac in {port.mac for port in self.ports.values()}:
            return None
        return node.mac

    def elect(self) -> None:
        """Let VRRP choose anew after something changed on a node; who chooses last knows of all changes."""
        with ELECTING:
            self._elect()

    def _elect(self) -> None:
        candidates = [node for node in self.nodes.values() if node.speaks()]
        best = max(candidates, key=lambda node: node.priority, default=None)
        now, current = self.clock.now, self.holder()
        self.holders = [event for event in self.holders if event[0] <= now]
        target = best.mac if best else None
        alive = {node.mac for node in candidates}
        if target == current:
            return
        if current in alive and best is not None and not best.preempts:
            return
        if any(node.mac == current and best and node.priority == best.priority for node in candidates):
            return  # whoever is Active stays so until it hears a higher priority
        if any(node.mac == current and node.effective in SPLIT for node in self.nodes.values()):
            self.splits.append((str(current), now, None))
            self.holders += [(now + self.takeover_s, target)] * (target is not None)
            return
        if current in alive and best is not None:
            self.holders.append((now + best.preempt_delay_s, target))
        else:
            self.holders += [(now, None), (now + self.takeover_s, target)]
