"""Changes as values: what a plan consists of. `haos.workflow.apply` carries them out, views show them."""

from __future__ import annotations

from dataclasses import dataclass

from haos.core.model import Address, AddressPair, SecurityRule
from haos.core.node import NodeConfig, Removal


@dataclass(frozen=True)
class Reservation:
    """The port that shall hold a VIP, made in one call."""

    network_id: str
    subnet_id: str
    address: Address
    mac: str
    name: str
    device_id: str
    description: str


@dataclass(frozen=True)
class PortAmendment:
    """What to add to a port and what to take from it; all else on the port stays as it is."""

    add_pairs: tuple[AddressPair, ...] = ()
    remove_pairs: tuple[AddressPair, ...] = ()
    add_groups: tuple[str, ...] = ()
    remove_groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReserveVip:
    """Claim the VIP, its VRID and the pair's name, and write the record, in one request."""

    reservation: Reservation
    vrid: int


@dataclass(frozen=True)
class MakeGroup:
    """Make the security group that lets protocol 112 pass between the nodes, and nothing else."""

    name: str
    rules: tuple[SecurityRule, ...]
    stale_id: str | None = None  # a half-made one of an interrupted run, to be replaced


@dataclass(frozen=True)
class AdmitVip:
    """Let a node's port speak for the VIP: the address pair, and the group where one is needed."""

    node: str
    port_id: str
    pair: AddressPair | None
    group: bool


@dataclass(frozen=True)
class InstallKeepalived:
    """Install the package on a node."""

    node: str


@dataclass(frozen=True)
class Configure:
    """Put the pair's files on a node; nothing is started by it."""

    node: str
    config: NodeConfig


@dataclass(frozen=True)
class Activate:
    """Let keepalived run what lies on the node."""

    node: str


Change = ReserveVip | MakeGroup | AdmitVip | InstallKeepalived | Configure | Activate


@dataclass(frozen=True)
class DeletePort:
    """Undo of ReserveVip."""

    port_id: str


@dataclass(frozen=True)
class DeleteGroup:
    """Undo of MakeGroup."""

    group_id: str


@dataclass(frozen=True)
class AmendPort:
    """Undo of AdmitVip."""

    node: str
    port_id: str
    amendment: PortAmendment


@dataclass(frozen=True)
class CleanNode:
    """Undo of InstallKeepalived, Configure and Activate together."""

    node: str
    removal: Removal


Undo = DeletePort | DeleteGroup | AmendPort | CleanNode


def describe_undo(undo: Undo) -> str:
    """Name what an undo would have taken away, for a list of what is left."""
    match undo:
        case DeletePort(port_id):
            return f"reservation port {port_id}"
        case DeleteGroup(group_id):
            return f"security group {group_id}"
        case AmendPort(node, port_id, _):
            return f"address pair or group on port {port_id} of {node}"
        case CleanNode(node, removal):
            return f"files of pair {removal.pair} on {node}"
