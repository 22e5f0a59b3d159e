"""Whether a record is believed: what its nodes' own files say is asked before anything is done by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from haos.core.model import Node, Pair, Port
from haos.core.node import NodeFacts
from haos.core.witness import (
    Difference,
    doubts,
    in_words,
    names_on,
    of_identity,
    remedy,
    words_of,
)
from haos.errors import RecordError


def refuse_doubtful(pair: Pair, nodes: Iterable[Node], facts: Mapping[str, NodeFacts], ports: Iterable[Port]) -> None:
    """Refuse a record that the nodes' own files contradict; `facts` by node name. Raises RecordError."""
    nodes = tuple(nodes)
    if found := doubts(pair, facts, names_on(nodes)):
        raise contradicted(pair, found, facts, nodes, ports)


def refuse_another(pair: Pair, nodes: Iterable[Node], facts: Mapping[str, NodeFacts], ports: Iterable[Port]) -> None:
    """Refuse a record whose nodes know of another pair of this name: other nodes, VIP or VRID. Raises RecordError."""
    nodes = tuple(nodes)
    if found := of_identity(doubts(pair, facts, names_on(nodes))):
        raise contradicted(pair, found, facts, nodes, ports)


def refuse_unconfirmed(pair: Pair, facts: Mapping[str, NodeFacts]) -> None:
    """Refuse a record of which no node that was looked at has a file: nobody has named the nodes. RecordError."""
    if facts and not words_of(pair.name, facts):
        raise RecordError(
            f"nothing confirms the record of pair {pair.name}: none of the nodes that it names has a file of it",
            hint=f"haos create --network {pair.network_id} --nodes A,B --name {pair.name} puts it where you say",
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
