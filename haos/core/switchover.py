"""A planned move of the VIP, decided: who shall have it, by which way, and what is still to be done. Pure.

What lies on the nodes tells how far an earlier run came: its weights are cleared last. So a run that was killed is
finished by the same command.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from haos.core import record, service, vrrp
from haos.core.model import Member, Node, Pair, Role
from haos.core.node import NodeConfig, NodeFacts, Sight
from haos.core.nodeconf import config_current, node_config
from haos.core.plan import admits
from haos.errors import UnsatisfiableError

RAISED = 253
"""keepalived stops at 254: whatever the node's priority is, with this weight it is the highest."""
HIGHEST = 254
_EXCHANGED = re.compile(r"^(?:# haos-record: .*|    priority \d+)$", re.MULTILINE)


class Way(enum.StrEnum):
    """How the target comes to take over."""

    RAISE = "raise"  # it speaks with a higher priority, and the Active falls silent only as it hears that
    WITHDRAW = "withdraw"  # the Active leaves: without preemption, or in Fault by BFD, a priority alone moves nothing


@dataclass(frozen=True)
class Look:
    """What was seen of one node."""

    facts: NodeFacts
    sight: Sight


@dataclass(frozen=True)
class Switchover:
    """What is to be done; `before` is the pair by its record, `after` has the priorities exchanged."""

    before: Pair
    after: Pair
    nodes: tuple[Node, ...]  # in the order of the record
    looks: Mapping[str, Look]  # by node name
    active: Node
    target: Node

    @property
    def moves(self) -> bool:
        """Whether the VIP is somewhere else yet."""
        return self.active is not self.target

    @property
    def way(self) -> Way:
        """How the VIP is moved."""
        timing = self.before.timing
        return Way.RAISE if timing.preempt and not timing.bfd else Way.WITHDRAW

    @property
    def bound_s(self) -> float:
        """How long the VIP may be gone: nothing, or as long as the target waits after the Active's goodbye."""
        if self.way is Way.RAISE or not self.moves:
            return 0.0
        return vrrp.bound_of_clean_stop_s(self.before.timing, [HIGHEST])

    @property
    def weights(self) -> tuple[tuple[Node, int], ...]:
        """The weights to give, in this order: nobody shall be as high as the target."""
        if not self.moves and self.after == self.before:
            return ()
        wanted = []
        for node in self.nodes:
            priority, now = self.filed_priority(node), self.weight_on(node)
            if node is not self.target and priority + now >= HIGHEST:
                wanted.append((node, HIGHEST - 1 - priority))
        if self.weight_on(self.target) != RAISED:
            wanted.append((self.target, RAISED))
        return tuple(wanted)

    @property
    def stale(self) -> tuple[Node, ...]:
        """The nodes whose file has to change or be told of: the target first, then who had the VIP."""
        late = [node for node in self.nodes if not self._is_settled(node)]
        return tuple(sorted(late, key=lambda node: (node is not self.target, node is not self.active)))

    @property
    def weighed(self) -> tuple[Node, ...]:
        """The nodes whose weight is to go in the end, the target last."""
        given = [node for node, _ in self.weights]
        heavy = [node for node in self.nodes if self.weight_on(node) or node in given]
        return tuple(sorted(heavy, key=lambda node: node is self.target))

    @property
    def nothing_to_do(self) -> bool:
        """Whether all is as it would be afterwards."""
        return not (self.moves or self.after != self.before or self.stale or self.weighed)

    def weight_on(self, node: Node) -> int:
        """Return the weight that a node has now."""
        return self.looks[node.name].facts.weights.get(self.before.name, 0)

    def filed_priority(self, node: Node) -> int:
        """Return the priority in a node's own file: an earlier run may not have come to change it."""
        found = re.search(r"^    priority (\d+)$", self.looks[node.name].facts.pair_files[self.before.name], re.M)
        return int(found[1]) if found else self.before.priority_of(node)

    def config(self, node: Node, pair: Pair) -> NodeConfig:
        """Return what a node carries for the pair in this form."""
        return config_of(pair, node, self.nodes, self.looks[node.name].facts)

    def is_withdrawn(self, node: Node) -> bool:
        """Say whether an earlier run took the pair off a node, and did not come to give it back."""
        return self.before.name in self.looks[node.name].facts.withdrawn

    def _is_settled(self, node: Node) -> bool:
        facts = self.looks[node.name].facts
        if self.moves and self.way is Way.WITHDRAW and node is self.active:
            return False  # it is put back by its file
        return not facts.pending and config_current(self.config(node, self.after), facts)


def config_of(pair: Pair, node: Node, nodes: tuple[Node, ...], facts: NodeFacts) -> NodeConfig:
    """Return what a node shall carry, with the service checks that its own file keeps."""
    kept = replace(pair, checks=service.checks_of(facts.pair_files[pair.name]))
    peers = tuple(peer.address for peer in nodes if peer is not node)
    return node_config(kept, facts, pair.members.index(_member(pair, node)), node.address, peers)


def decide(
    pair: Pair, nodes: tuple[Node, ...], looks: Mapping[str, Look], active: Node, to: Node | None
) -> Switchover:
    """Return what is to be done to move the VIP to a node, or to the best Backup. Raises UnsatisfiableError.

    An earlier run that was broken off decides where to, if nobody says it.
    """
    target = to or _under_way(pair, nodes, looks) or best_backup(pair, nodes, looks, active)
    after = pair.exchanged(pair.preferred, _member(pair, target))
    return Switchover(pair, after, nodes, looks, active, target)


def best_backup(pair: Pair, nodes: tuple[Node, ...], looks: Mapping[str, Look], active: Node) -> Node:
    """Return the Backup that would take over if the Active failed. Raises UnsatisfiableError."""
    for node in pair.by_preference(nodes):
        if node is not active and is_ready(pair, looks[node.name].sight):
            return node
    raise UnsatisfiableError(f"no Backup is ready to take over from {active.name}", hint=f"haos status {pair.name}")


def is_ready(pair: Pair, sight: Sight) -> bool:
    """Say whether a node waits to take over; under BFD it does so in Fault."""
    return not sight.holds_vip and (sight.role is Role.BACKUP or (pair.timing.bfd and sight.role is Role.FAULT))


def _under_way(pair: Pair, nodes: tuple[Node, ...], looks: Mapping[str, Look]) -> Node | None:
    """Return where an earlier run was to move the VIP."""
    raised = [node for node in nodes if looks[node.name].facts.weights.get(pair.name, 0) > 0]
    if len(raised) == 1:
        return raised[0]
    return next(iter(pair.by_preference(nodes))) if unfinished(pair, nodes, looks) else None


def unfinished(pair: Pair, nodes: tuple[Node, ...], looks: Mapping[str, Look]) -> bool:
    """Say whether an earlier run was broken off: a weight is left, or priorities are not the record's."""
    for node in nodes:
        facts = looks[node.name].facts
        lines = facts.pair_files.get(pair.name, "").splitlines()
        if pair.name in facts.weights or f"    priority {pair.priority_of(node)}" not in lines:
            return True
    return False


def objections(pair: Pair, nodes: tuple[Node, ...], looks: Mapping[str, Look]) -> Iterator[str]:
    """Yield why the pair is not fit to be moved; what an earlier run left half done is no reason."""
    resumed = unfinished(pair, nodes, looks)
    for node in nodes:
        look = looks[node.name]
        reason = _objection(pair, node, nodes, look.facts, resumed=resumed) or _role_objection(pair, look)
        if reason is not None:
            yield f"{node.name}: {reason}"


def _objection(pair: Pair, node: Node, nodes: tuple[Node, ...], facts: NodeFacts, *, resumed: bool) -> str | None:
    if facts.tested:
        return "a failover-test is at work there, or died: haos failover-test --restore"
    if node.port.port_security and not admits(node.port, pair):
        return "its port lacks the address pair"
    if pair.name not in facts.pair_files or facts.interface is None:
        return "its configuration is missing"
    if not _alike(pair, node, nodes, facts):
        return "its configuration is not what this haos would write"
    if pair.name in facts.withdrawn and not resumed:
        return "its configuration is withdrawn"
    if facts.pending and not resumed:
        return "keepalived was not told of its last change of configuration"
    return None


def _role_objection(pair: Pair, look: Look) -> str | None:
    sight = look.sight
    if not sight.daemon_active:
        return "keepalived does not run"
    if pair.name in look.facts.withdrawn or sight.role is Role.ACTIVE or is_ready(pair, sight):
        return None
    return f"it is {sight.role}{' and holds the VIP' * sight.holds_vip}"


def _alike(pair: Pair, node: Node, nodes: tuple[Node, ...], facts: NodeFacts) -> bool:
    """Say whether a node carries the pair, whoever is the preferred one by its file."""
    facts = replace(
        facts, withdrawn=facts.withdrawn - {pair.name}, pair_files={pair.name: _bare(facts.pair_files[pair.name])}
    )
    # Under BFD the two nodes' files differ in more than the priority.
    forms = [pair, pair.exchanged(*pair.members)] if pair.timing.bfd else [pair]
    return any(config_current(_bared(config_of(form, node, nodes, facts)), facts) for form in forms)


def _bared(config: NodeConfig) -> NodeConfig:
    return replace(config, files=tuple(replace(file, text=_bare(file.text)) for file in config.files))


def _bare(text: str) -> str:
    return _EXCHANGED.sub("", text)


def _member(pair: Pair, node: Node) -> Member:
    return next(member for member in pair.members if member.port_id == node.port.id)


def records(move: Switchover) -> tuple[str, str]:
    """Return the record as it is and as it shall be."""
    return record.encode(move.before), record.encode(move.after)
