"""Whether a record is believed: what its nodes' own files say is asked before anything is done by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from haos.core.model import Node, Pair, Port
from haos.core.node import NodeFacts
from haos.core.repair import EnablePort, Opening, UndoFault
from haos.core.witness import (
    Difference,
    against_undoing,
    doubts,
    in_words,
    names_on,
    remedy,
    word_of,
    words_of,
)
from haos.errors import HaosError, RecordError
from haos.workflow.context import Context
from haos.workflow.parallel import attempt_each


def refuse_doubtful(pair: Pair, nodes: Iterable[Node], facts: Mapping[str, NodeFacts], ports: Iterable[Port]) -> None:
    """Refuse a record that the nodes' own files contradict; `facts` by node name. Raises RecordError."""
    nodes, ports = tuple(nodes), tuple(ports)
    if found := doubts(pair, facts, names_on(nodes), ports):
        raise contradicted(pair, found, facts, nodes, ports)


@dataclass(frozen=True)
class Beside:
    """Nodes that the files name and the record does not."""

    carrying: Mapping[Node, NodeFacts]  # the very pair, still
    silent: Mapping[Node, HaosError]
    left: frozenset[str] = frozenset()  # ports of those that have no part in the pair any more: nothing is there


def look_beside(pair: Pair, facts: Mapping[str, NodeFacts], ports: Iterable[Port], ctx: Context) -> Beside:
    """Look at the nodes that the files name and the record does not: an exchange may have got no further."""
    known = {member.port_id for member in pair.members}
    named = {one.port_id for word in words_of(pair.name, facts).values() for one in word.said.members} - known
    there = [port for port in ports if port.id in named and port.project_id == pair.project_id and port.fixed_ips]
    if not there:
        return Beside({}, {})
    instances = ctx.cloud.instances_by_id([port.device_id for port in there])
    others = [
        Node(instances[port.device_id], port, port.fixed_ips[0].address)
        for port in there
        if port.device_id in instances and instances[port.device_id].project_id in ("", pair.project_id)
    ]
    gone = {port.id for port in there if port.device_id not in instances}
    looked, silent = attempt_each(others, lambda node: ctx.fleet.node(node.instance).facts(node.port.mac))
    words = {node: word_of(pair.name, seen.pair_files.get(pair.name, "")) for node, seen in looked.items()}
    carrying = {node: seen for node, seen in looked.items() if (word := words[node]) and word.vip == pair.vip}
    left = gone | {node.port.id for node in looked if node not in carrying}
    return Beside(carrying, silent, frozenset(left))


def refuse_another(
    pair: Pair,
    nodes: Iterable[Node],
    facts: Mapping[str, NodeFacts],
    ports: Iterable[Port],
    left: Set[str] = frozenset(),
) -> None:
    """Refuse to undo by a record that would forget something: another VIP or VRID, or nodes left out. RecordError.

    Those who have `left`, by port id, are not missed.
    """
    nodes, ports = tuple(nodes), tuple(port for port in ports if port.id not in left)
    if found := against_undoing(doubts(pair, facts, names_on(nodes), ports)):
        raise contradicted(pair, found, facts, nodes, ports)


def refuse_left_behind(
    pair: Pair, facts: Mapping[str, NodeFacts], nodes: Iterable[Node], ports: Iterable[Port], beside: Beside
) -> None:
    """Refuse to undo a pair while a node that the record does not name, but the files do, carries it. RecordError."""
    for node in beside.carrying:
        raise RecordError(
            f"{node.name} carries pair {pair.name} too, and its record does not name it",
            hint=remedy(pair, facts, (*nodes, node), ports),
        )


def refuse_unconfirmed(pair: Pair, facts: Mapping[str, NodeFacts]) -> None:
    """Refuse a record of which no node that was looked at has a file: nobody has named the nodes. RecordError."""
    if facts and not words_of(pair.name, facts):
        raise RecordError(
            f"nothing confirms the record of pair {pair.name}: none of the nodes that it names has a file of it",
            hint=f"haos create --network {pair.network_id} --nodes A,B --name {pair.name} puts it where you say",
        )


def confirmed_openings(pair: Pair, steps: tuple[Opening, ...], facts: Mapping[str, NodeFacts]) -> tuple[Opening, ...]:
    """Return the steps that may open the way: where no node's file confirms the record yet, those on nodes alone.

    A port is set up, an instance started, for no record that anybody may have edited. Raises RecordError where
    nothing else is left: the user knows whose they are.
    """
    if words_of(pair.name, facts):
        return steps
    inside = tuple(step for step in steps if not isinstance(step, EnablePort | UndoFault))
    if inside or not steps:
        return inside
    behind = ", ".join(step.node for step in steps if isinstance(step, EnablePort | UndoFault))
    ports = [f"openstack port set --enable {step.port_id}" for step in steps if isinstance(step, EnablePort)]
    faults = [f"haos failover-test --restore {pair.name}" for step in steps if isinstance(step, UndoFault)][:1]
    raise RecordError(
        f"nothing confirms the record of pair {pair.name} yet: no node that answers has a file of it, and what may "
        f"is behind a port that is down or a fault ({behind})",
        hint=f"if that is the pair's: {'; '.join((*faults, *ports))}; then haos repair {pair.name}",
    )


def contradicted(
    pair: Pair,
    found: Mapping[str, tuple[Difference, ...]],
    facts: Mapping[str, NodeFacts],
    nodes: Iterable[Node],
    ports: Iterable[Port],
) -> RecordError:
    """Build the error, with the command that writes the record anew."""
    return RecordError(in_words(pair, found), hint=remedy(pair, facts, nodes, ports))
