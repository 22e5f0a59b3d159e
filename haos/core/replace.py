"""One node in the place of another, decided: who goes, who comes, in which order. Pure.

While both are in the record they have one priority, and the old one stands right before the new one: nothing else of
haos's gives two nodes one priority. So a run that was killed is known again, and finished by the same command.
"""

from __future__ import annotations

import enum
import shlex
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import pairwise

from haos.core import record
from haos.core.checks import Severity
from haos.core.keepalived import vrids_in_use
from haos.core.model import CloudNetwork, Member, Mode, Node, Pair, Port, Role, SecurityGroup, Subnet
from haos.core.node import NodeFacts, Sight
from haos.core.node_checks import check_facts
from haos.core.nodeconf import mode_on
from haos.core.witness import Difference, differences, words_of
from haos.errors import AmbiguousError, UnsatisfiableError

MIN_PREFIX = 8
"""So many characters of a port's id are enough to name a member whose instance is gone."""


class Way(enum.StrEnum):
    """Who goes first."""

    BESIDE = "beside"  # the new node joins, then the old one leaves: there is a Backup all the time
    AFTER = "after"  # the old node leaves, then the new one joins
    MEND = "mend"  # the old node has left the record already: what is missing of the new one


@dataclass(frozen=True)
class Departing:
    """The node that goes, as far as it is there."""

    member: Member
    node: Node | None  # None: its port is gone; an instance that is gone, but not its port, has only an id
    facts: NodeFacts | None = None  # None: it could not be looked at
    sight: Sight | None = None
    silent: str | None = None  # why it could not be reached, though its instance is there

    @property
    def name(self) -> str:
        """What to call it."""
        return self.node.name if self.node else short(self.member.port_id)

    @property
    def is_active(self) -> bool:
        """Whether it has the VIP, by its own view."""
        return self.sight is not None and self.sight.role is Role.ACTIVE


@dataclass(frozen=True)
class Exchange:
    """All that an exchange is decided from, and what the record shall say while and after it."""

    pair: Pair  # as recorded
    after: Pair  # the new node in the place of the old one
    between: Pair | None  # both; None where they are not in the record together
    old: Departing | None
    new: Node
    nodes: tuple[Node, ...]  # those that are there of `after`, in its order
    facts: Mapping[str, NodeFacts]  # by node name, the old node's too where it was looked at
    network: CloudNetwork
    subnet: Subnet
    reservation: Port
    group: SecurityGroup | None
    way: Way
    why: str = ""  # this way
    active: str | None = None  # name of the node that had the VIP as it was looked
    purge: bool = False

    @property
    def everyone(self) -> tuple[Node, ...]:
        """All nodes of the exchange, the old one last."""
        return (*self.nodes, *([self.old.node] if self.old and self.old.node else []))

    @property
    def reached(self) -> tuple[Node, ...]:
        """The nodes that were looked at."""
        return tuple(node for node in self.everyone if node.name in self.facts)

    @property
    def lacking(self) -> tuple[str, ...]:
        """The ports of other members that are gone: they stay in the record until somebody takes their place."""
        there = {node.port.id for node in self.nodes}
        return tuple(member.port_id for member in self.after.members if member.port_id not in there)


def under_way(pair: Pair) -> tuple[Member, Member] | None:
    """Return (old, new) of an exchange that was begun and is not over; somebody else stays beside them."""
    if len(pair.members) < 3:
        return None
    return next(((one, two) for one, two in pairwise(pair.members) if one.priority == two.priority), None)


def find_member(ref: str, pair: Pair, nodes: Mapping[str, Node], ports: Iterable[Port]) -> Member | None:
    """Return the member that a name, an instance's id, or a port's id or its beginning means; None for nobody.

    `nodes` by port id, those that are there. Raises AmbiguousError.
    """
    owners = {port.id: port.device_id for port in ports}
    start = ref.rstrip("….")

    def means(member: Member) -> bool:
        node = nodes.get(member.port_id)
        begins = len(start) >= MIN_PREFIX and member.port_id.startswith(start)
        return ref in (owners.get(member.port_id), *((node.name, node.instance.id) if node else ())) or begins

    found = [member for member in pair.members if means(member)]
    if len(found) > 1:
        ids = ", ".join(member.port_id for member in found)
        raise AmbiguousError(f"{ref!r} may be {len(found)} nodes of pair {pair.name}: ports {ids}", hint="give an id")
    return found[0] if found else None


def called(pair: Pair, nodes: Mapping[str, Node]) -> str:
    """Return how the nodes of a pair can be named."""
    return ", ".join(nodes[one.port_id].name if one.port_id in nodes else one.port_id for one in pair.members)


def short(port_id: str) -> str:
    """Return a port's id as far as it takes to name a member by it."""
    return f"port {port_id[:MIN_PREFIX]}…"


def with_both(pair: Pair, old: Member, new: Member) -> Pair:
    """Return the pair with the new node right after the old one."""
    members = [each for member in pair.members for each in ((member, new) if member == old else (member,))]
    return replace(pair, members=tuple(members), verified=False)


def in_place(pair: Pair, old: Member, new: Member) -> Pair:
    """Return the pair with the new node instead of the old one; it was not proven yet."""
    kept = [new if member == old else member for member in pair.members if member.port_id != new.port_id]
    return replace(pair, members=tuple(kept), verified=False)


def choose_way(pair: Pair, old: Departing, *, both: bool, room: bool) -> tuple[Way, str]:
    """Decide who goes first, and say why; `both` are in the record already, or there is `room` for one more."""
    if (idle := _idle(pair, old)) is not None:
        return Way.AFTER, idle
    if pair.timing.bfd:
        return Way.AFTER, "BFD is between two nodes"
    if not (both or room):
        return Way.AFTER, f"the pair has {len(pair.members)} nodes, and no room for one more"
    return Way.BESIDE, "there is a Backup all the time"


def _idle(pair: Pair, old: Departing) -> str | None:
    """Say why the old node is of no use to the pair any more; None where it is at work."""
    if old.facts is None or old.sight is None:
        if old.silent:
            return f"{old.name} is out of reach"
        return f"the instance of {old.name} is gone" if old.node else f"{old.name} is gone"
    waiting = (Role.BACKUP, Role.FAULT) if pair.timing.bfd else (Role.BACKUP,)
    if not old.sight.daemon_active or old.sight.role not in (Role.ACTIVE, *waiting):
        return f"{old.name} is {old.sight.role}"
    if pair.name in old.facts.withdrawn or mode_on(pair.name, old.facts) is not pair.mode:
        return f"the pair is not whole on {old.name}"
    wrong = next((one for one in check_facts(old.name, old.facts) if one.severity is Severity.BLOCKER), None)
    return wrong.reason if wrong else None


def refuse_newcomer(pair: Pair, new: Node, facts: NodeFacts) -> None:
    """Refuse a node that cannot join this pair, whatever else speaks for it. Raises UnsatisfiableError."""
    if new.port.project_id != pair.project_id or new.instance.project_id not in ("", pair.project_id):
        raise UnsatisfiableError(
            f"{new.name}, or its port, is another project's", hint="name an instance of your own"
        )
    if pair.mode is Mode.VMAC and pair.plain_mac and new.port.port_security:
        raise UnsatisfiableError(
            f"pair {pair.name} is in mode vmac on ports without port security, and {new.name}'s port has it",
            hint=f"openstack port set --no-security-group --disable-port-security {new.port.id}",
        )
    if pair.name not in facts.pair_files:
        if pair.vip in facts.addresses:
            raise UnsatisfiableError(
                f"{new.name} has {pair.vip} on its {facts.interface} already, and not by haos",
                hint="take it off there: it would answer beside the Active node",
            )
        if pair.vrid in vrids_in_use(facts, pair.vip.version):
            raise UnsatisfiableError(
                f"VRID {pair.vrid} is in use on {new.name}, by another instance of keepalived's there",
                hint="name another --new, or give that instance another virtual_router_id",
            )


def is_of(pair: Pair, text: str) -> bool:
    """Say whether a pair's file on a node is this very pair's, and not one of that name from another network."""
    return any(record.port_code(member.port_id) in text for member in pair.members)


def unsaid(
    pair: Pair, facts: Mapping[str, NodeFacts], names: Mapping[str, str], ports: Iterable[Port], meant: Set[str]
) -> dict[str, tuple[Difference, ...]]:
    """Return what speaks against the record, by node name, beside an exchange of the ports that are `meant`.

    Nothing where one node's own file confirms all the rest of it.
    """
    there = {port.id: port for port in ports}
    moving = any(pair.name in seen.weights for seen in facts.values())
    found = {}
    for node, word in words_of(pair.name, facts).items():
        apart = {one.port_id for one in pair.members} ^ {one.port_id for one in word.said.members}
        bare = replace(word, said=replace(word.said, members=_without(word.said.members, apart & meant)))
        rest = replace(pair, members=_without(pair.members, apart & meant))
        different = differences(rest, bare, names, there)
        found[node] = tuple(one for one in different if not (moving and one.by_switchover))
    return found if all(found.values()) else {}


def _without(members: Sequence[Member], ports: Set[str]) -> tuple[Member, ...]:
    return tuple(member for member in members if member.port_id not in ports)


def goes_on(pair: Pair, names: Mapping[str, str]) -> tuple[str, str] | None:
    """Return (what is under way, the command that goes on with it), where an exchange is.

    `names`, or ids, of the instances that are there, by port id; where the new one is gone, it is taken back.
    """
    found = under_way(pair)
    if found is None:
        return None
    there = [bool(names.get(member.port_id)) for member in found]
    old, new = (names.get(member.port_id) or member.port_id for member in found)
    said = f"{old} is being replaced by {new}, or that was broken off"
    goes, comes = (new, old) if there == [True, False] else (old, new)
    return said, shlex.join(["haos", "replace-node", pair.name, "--old", goes, "--new", comes])
