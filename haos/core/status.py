"""What a status is made of: what the cloud, the nodes and the observer say of a pair, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from haos.core.model import FloatingIp, Node, Pair, Port, Role, SecurityGroup
from haos.core.node import NodeFacts, Sight
from haos.core.outage import Verdict
from haos.core.sighting import Observation


@dataclass(frozen=True)
class Trouble:
    """Something that is not as it should be."""

    code: str  # for programs
    where: str  # name of a node or of the observer; "" for the pair as a whole
    reason: str
    remedy: str | None = None  # a command, or a hint in words
    grave: bool = True  # the pair does not count as healthy

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" if self.where else self.reason


IN_MOTION = frozenset({"vip", "dual-active", "no-active", "observer"})
"""What is seen of a healthy pair too, where one node was looked at before the VIP moved and the other after."""


@dataclass(frozen=True)
class CloudView:
    """A pair as the cloud has it."""

    pair: Pair
    reservation: Port
    nodes: Mapping[str, Node]  # by port id, as far as port and instance are there
    ports: tuple[Port, ...]  # of the network
    groups: tuple[SecurityGroup, ...] = ()  # those of the nodes' ports
    floating: tuple[FloatingIp, ...] = ()  # of the project, where one may lead to the VIP

    @property
    def members(self) -> tuple[Node, ...]:
        """The nodes that are there, in the order of the record."""
        return tuple(self.nodes[one.port_id] for one in self.pair.members if one.port_id in self.nodes)


@dataclass(frozen=True)
class NodeView:
    """A node as it sees itself."""

    facts: NodeFacts
    sight: Sight


@dataclass(frozen=True)
class Silent:
    """Why a node says nothing."""

    reason: str
    remedy: str | None = None
    fingerprints: tuple[str, ...] = ()  # of new host keys that its console log vouches for: it was rebuilt


@dataclass(frozen=True)
class NodeStatus:
    """One row of the table; None where it could not be seen."""

    name: str
    port_id: str
    role: Role
    holds_vip: bool
    priority: int  # as configured
    instance_id: str | None = None
    instance_status: str | None = None  # Nova's
    address: str | None = None
    effective_priority: int | None = None  # by keepalived's own dump
    keepalived: str | None = None  # version
    keepalived_running: bool | None = None
    port_up: bool | None = None
    port_security: bool | None = None
    pair_admitted: bool | None = None  # the port may speak for the VIP
    vrrp_admitted: bool | None = None  # the port lets VRRP (and BFD) pass, from and to its peers
    config: str = "unknown"  # ok | differs | missing | withdrawn | unknown
    troubles: tuple[Trouble, ...] = ()

    @property
    def problem(self) -> str | None:
        """The first thing that is wrong."""
        return next((trouble.reason for trouble in self.troubles if trouble.grave), None)


@dataclass(frozen=True)
class PairStatus:
    """The whole of it."""

    pair: Pair
    nodes: tuple[NodeStatus, ...]
    observation: Observation | None = None
    verdict: Verdict | None = None  # on what the observer sees
    reason: str | None = None
    troubles: tuple[Trouble, ...] = ()  # all of them, the nodes' first
    names: Mapping[str, str] = field(default_factory=dict)  # MAC -> name of the node that answers by it
    floating: tuple[FloatingIp, ...] = ()  # those that lead to the VIP

    @property
    def healthy(self) -> bool:
        """One Active, a Backup ready, nothing grave, and the observer (where there is one) is answered."""
        return not any(trouble.grave for trouble in self.troubles)

    @property
    def may_be_in_motion(self) -> bool:
        """Whether what is wrong may be nothing but a VIP that moved while it was looked at: all could be asked."""
        codes = {trouble.code for trouble in self.troubles}
        return bool(codes & IN_MOTION) and not codes & {"unreachable", "instance", "gone"}

    @property
    def pending(self) -> tuple[str, ...]:
        """The faults that are announced and not undone, in words."""
        return tuple(trouble.reason for trouble in self.troubles if trouble.code == "fault-pending")

    @property
    def active(self) -> str | None:
        """The name of the only Active node."""
        active = [node.name for node in self.nodes if node.role is Role.ACTIVE]
        return active[0] if len(active) == 1 else None
