"""Changes as values: what a plan consists of. `haos.workflow.apply` carries them out, views show them."""

from __future__ import annotations

from dataclasses import dataclass

from haos.core.model import Address, AddressPair, FloatingIp, Port, SecurityGroup, SecurityRule
from haos.core.names import group_name
from haos.core.node import NodeConfig, Removal


@dataclass(frozen=True)
class Reservation:
    """The port that shall hold a VIP, made in one call."""

    network_id: str
    subnet_id: str
    address: Address
    mac: str | None  # None: whichever Neutron chooses
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

    def reversed(self) -> PortAmendment:
        """Return what takes it back."""
        return PortAmendment(self.remove_pairs, self.add_pairs, self.remove_groups, self.add_groups)


@dataclass(frozen=True)
class ReserveVip:
    """Claim the VIP, by its MAC the VRID, and the pair's name, and write the record, in one request."""

    reservation: Reservation
    vrid: int


@dataclass(frozen=True)
class AdoptPort:
    """Claim the VIP and the pair's name on a reservation port that is there, and write the record on it."""

    port: Port
    vip: Address
    vrid: int
    device_id: str
    description: str


@dataclass(frozen=True)
class UpdateRecord:
    """Rewrite the record on the reservation port, before what it records is changed."""

    port: Port
    description: str


@dataclass(frozen=True)
class MakeGroup:
    """Make the security group that lets the pair's own packets pass between the nodes, and nothing else."""

    name: str
    rules: tuple[SecurityRule, ...]


@dataclass(frozen=True)
class MendGroup:
    """Bring the pair's own security group to exactly these rules."""

    group: SecurityGroup
    rules: tuple[SecurityRule, ...]


@dataclass(frozen=True)
class AdmitVip:
    """Let a node's port speak for the VIP: the address pairs, and the group where one is needed."""

    node: str
    port_id: str
    pairs: tuple[AddressPair, ...]
    group: bool


@dataclass(frozen=True)
class MakeFloatingIp:
    """Make a floating IP that leads to the VIP, in one request."""

    network_id: str
    network: str  # which that is, in words
    vip: Address


@dataclass(frozen=True)
class TakeFloatingIp:
    """Let a floating IP of the project's that leads nowhere lead to the VIP."""

    floating: FloatingIp
    vip: Address


@dataclass(frozen=True)
class DismissVip:
    """Take off a node's port what it needs no more: the pairs of a mode that is given up, or all, as it leaves."""

    node: str
    port_id: str
    pairs: tuple[AddressPair, ...]
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class RemovePair:
    """Take the pair off a node, to be put back: its mode changes, or something is there that no reload mends."""

    node: str
    previous: NodeConfig


@dataclass(frozen=True)
class LeavePair:
    """Take the pair off a node that is to be a member no more; its daemon goes with its last pair."""

    node: str
    removal: Removal
    previous: NodeConfig | None = None  # what lies there now, where it is whole
    packaged: bool = False  # the removal takes a package away that haos installed
    runs: bool = True  # its daemon does now


@dataclass(frozen=True)
class InstallKeepalived:
    """Install the package on a node."""

    node: str


@dataclass(frozen=True)
class Configure:
    """Put the pair's files on a node; nothing is started by it."""

    node: str
    config: NodeConfig
    previous: NodeConfig | None = None  # what lies there now, where it is whole


@dataclass(frozen=True)
class Activate:
    """Let keepalived run what lies on the node."""

    node: str


Change = (
    ReserveVip
    | AdoptPort
    | UpdateRecord
    | MakeGroup
    | MendGroup
    | AdmitVip
    | MakeFloatingIp
    | TakeFloatingIp
    | DismissVip
    | InstallKeepalived
    | RemovePair
    | LeavePair
    | Configure
    | Activate
)


@dataclass(frozen=True)
class DeletePort:
    """Undo of ReserveVip."""

    port_id: str


@dataclass(frozen=True)
class DeleteReservation:
    """Undo of a ReserveVip of which nobody knows whether it was made."""

    reservation: Reservation


@dataclass(frozen=True)
class ReleasePort:
    """Undo of AdoptPort."""

    port_id: str
    description: str = ""  # only if it has this one, where it is not known whether it was adopted


@dataclass(frozen=True)
class RewriteRecord:
    """Undo of UpdateRecord: puts the earlier record back where this run's own stands."""

    port_id: str
    description: str
    written: str


@dataclass(frozen=True)
class RestoreRules:
    """Undo of MendGroup."""

    group: SecurityGroup


@dataclass(frozen=True)
class DeleteGroup:
    """Undo of MakeGroup."""

    group_id: str


@dataclass(frozen=True)
class DeleteMarkedGroups:
    """Undo of a MakeGroup of which nobody knows whether it was made: whatever is marked as made for the pair."""

    pair: str
    reservation_id: str


@dataclass(frozen=True)
class AmendPort:
    """Undo of AdmitVip and DismissVip."""

    node: str
    port_id: str
    amendment: PortAmendment


@dataclass(frozen=True)
class DeleteFloatingIp:
    """Undo of MakeFloatingIp: whatever is marked as made for this reservation, and leads there."""

    reservation_id: str


@dataclass(frozen=True)
class ReleaseFloatingIp:
    """Undo of TakeFloatingIp: as it was, unless it leads elsewhere by now."""

    floating: FloatingIp


@dataclass(frozen=True)
class CleanNode:
    """Undo of InstallKeepalived, Configure and Activate together."""

    node: str
    removal: Removal


@dataclass(frozen=True)
class RestoreNode:
    """Undo of a change of a pair that was on the node before, or of its leaving: its earlier files, running."""

    node: str
    removal: Removal
    config: NodeConfig
    afresh: bool = False  # what is there must go first: its mode is another
    install: bool = False  # the package went too
    start: bool = True  # False: its daemon did not run


@dataclass(frozen=True)
class Unweigh:
    """Undo of a weight: the earlier one."""

    node: str
    pair: str
    weight: int


Undo = (
    DeletePort
    | DeleteReservation
    | ReleasePort
    | RewriteRecord
    | RestoreRules
    | DeleteGroup
    | DeleteMarkedGroups
    | AmendPort
    | DeleteFloatingIp
    | ReleaseFloatingIp
    | CleanNode
    | RestoreNode
    | Unweigh
)


def describe_undo(undo: Undo) -> str:
    """Name what an undo would have taken away, for a list of what is left."""
    match undo:
        case DeletePort(port_id):
            return f"reservation port {port_id}"
        case DeleteReservation(reservation):
            return f"reservation port {reservation.name}, if it was made"
        case ReleasePort(port_id, _):
            return f"claim on port {port_id}"
        case RewriteRecord(port_id, _, _):
            return f"record on reservation port {port_id}"
        case RestoreRules(group):
            return f"rules of security group {group.name} ({group.id})"
        case DeleteGroup(group_id):
            return f"security group {group_id}"
        case DeleteMarkedGroups(pair, _):
            return f"security group {group_name(pair)}, if it was made"
        case AmendPort(node, port_id, _):
            return f"address pair or group on port {port_id} of {node}"
        case DeleteFloatingIp(reservation_id):
            return f"floating IP of reservation port {reservation_id}"
        case ReleaseFloatingIp(floating):
            return f"association of floating IP {floating.address} ({floating.id})"
        case CleanNode(node, removal):
            return f"files of pair {removal.pair} on {node}"
        case RestoreNode(node, removal, _, _):
            return f"earlier configuration of pair {removal.pair} on {node}"
        case Unweigh(node, pair, _):
            return f"weight of pair {pair} on {node}"
