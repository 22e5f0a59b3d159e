"""A pair's record written anew, decided: from what lies on the nodes that the user named, and from the cloud. Pure.

The nodes' own files are the witnesses, since root alone can write them. Where they contradict each other nobody
guesses: the user says whose word counts. What neither they nor the cloud can tell is assumed, and said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from haos.core.model import Added, CloudNetwork, FloatingIp, Member, Node, Pair, Port, SecurityGroup, Subnet
from haos.core.node import NodeFacts
from haos.core.witness import Word, differences, has_left, names_on, priority_words, timing_words, words_of
from haos.errors import NotFoundError, UnsatisfiableError


@dataclass(frozen=True)
class Known:
    """A part of a record, and how it is known."""

    what: str
    value: str
    how: str


@dataclass(frozen=True)
class Witnesses:
    """All that a record is written from."""

    name: str
    network: CloudNetwork
    project_id: str
    nodes: tuple[Node, ...]  # those that the user named
    facts: Mapping[str, NodeFacts]  # by node name, of those that could be looked at
    ports: tuple[Port, ...]  # of the network
    subnets: tuple[Subnet, ...]
    groups: tuple[SecurityGroup, ...] = ()  # those of the pair's group's name
    floating: tuple[FloatingIp, ...] = ()
    alive: frozenset[str] = frozenset()  # reservation ports, of those that groups and floating IPs are marked with
    as_on: str | None = None  # the node whose word counts, where they differ

    @property
    def words(self) -> dict[str, Word]:
        """What each node says that says anything."""
        return words_of(self.name, self.facts)

    @property
    def names(self) -> dict[str, str]:
        """The nodes' names by port id."""
        return names_on(self.nodes)


@dataclass(frozen=True)
class Found:
    """The pair by its witnesses, before anybody has looked where its reservation port is."""

    word: Word
    by: str  # who says so, in words
    members: tuple[Member, ...]
    known: tuple[Known, ...]
    notes: tuple[str, ...] = field(default=())


def find(seen: Witnesses, recorded: Pair | None) -> Found:
    """Return the pair as its nodes know it; `recorded` is what stands on the port, if it can be read.

    Raises UnsatisfiableError, or NotFoundError where the word that shall count is nobody's.
    """
    words = seen.words
    if not words:
        raise UnsatisfiableError(
            f"no file on {', '.join(node.name for node in seen.nodes)} says what pair {seen.name} was",
            hint=f"haos create --network {seen.network.id} --nodes A,B makes a new one",
        )
    word, by = _decisive(seen, words, recorded)
    members, left = _members(seen, word, by)
    members = tuple(replace(member, added=_added(member, seen)) for member in members)
    said = word.said
    names = seen.names | {port_id: f"port {port_id}, which is gone" for port_id in left}
    known = (
        Known("VIP", str(word.vip), by),
        Known("VRID", str(word.vrid), by),
        Known("mode", str(said.mode), by),
        Known("timing", timing_words(said.timing), by),
        Known("priorities", priority_words(members, names), by),
        Known("what haos added", _added_words(members, names), f"{by}; packages: haos's own marks on the nodes"),
    )
    mute = [node.name for node in seen.nodes if node.name not in words]
    notes = tuple(f"{name} says nothing of the pair: its part is taken from {by}" for name in mute)
    return Found(word, by, members, known, notes)


def _decisive(seen: Witnesses, words: Mapping[str, Word], recorded: Pair | None) -> tuple[Word, str]:
    """Return the word that counts, and whose it is. The record may tell which of two is the later one."""
    if seen.as_on is not None:
        chosen = next((node.name for node in seen.nodes if seen.as_on in (node.name, node.instance.id)), None)
        if chosen is None or chosen not in words:
            raise NotFoundError(
                f"{seen.as_on} has no file of pair {seen.name}, or is not among --nodes",
                hint=f"--as-on {' or '.join(words)}",
            )
        return words[chosen], f"{chosen}'s own file"
    ports = {port.id: port for port in seen.ports}
    for name, each in words.items():
        if recorded is not None and not differences(recorded, each, seen.names, ports):
            return each, f"{name}'s own file and the record that is there"
    (first, word), *others = words.items()
    for name, other in others:
        if (said := contradiction(word, other, seen)) is not None:
            raise UnsatisfiableError(
                f"{first} and {name} do not agree on pair {seen.name}: {said}",
                hint=f"say whose word counts: --as-on {first}, or --as-on {name}",
            )
    whose = f"{' and '.join(words)}'s own file{'s' * (len(words) > 1)}"
    return word, whose


def contradiction(one: Word, other: Word, seen: Witnesses) -> str | None:
    """Say in what two words differ; None where they do not, but for what haos added."""
    found = differences(pair_of(one, seen), other, seen.names, {port.id: port for port in seen.ports})
    return "; ".join(f"{each.what} {each.recorded}, or {each.there}" for each in found) or None


def pair_of(word: Word, seen: Witnesses, reservation_id: str = "") -> Pair:
    """Return the pair that a word describes."""
    said = word.said
    return Pair(
        name=seen.name,
        network_id=seen.network.id,
        project_id=seen.project_id,
        vip=word.vip,
        vrid=word.vrid,
        members=said.members,
        mode=said.mode,
        timing=said.timing,
        reservation_id=reservation_id,
        adopted=said.adopted,
        plain_mac=said.plain_mac,
    )


def _members(seen: Witnesses, word: Word, by: str) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    """Return the members, and the ports of those that are gone. Raises UnsatisfiableError.

    Every instance that is a node must be named by the user: nobody else says that haos may touch it.
    """
    pair, ports = pair_of(word, seen), {port.id: port for port in seen.ports}
    said = {member.port_id: member for member in word.said.members}
    strangers = [node.name for node in seen.nodes if node.port.id not in said]
    if strangers:
        raise UnsatisfiableError(
            f"{', '.join(strangers)} is no node of pair {seen.name}, by {by}",
            hint="name the nodes that it has; another one in the place of one that is gone: haos replace-node",
        )
    named = {node.port.id for node in seen.nodes}
    unnamed = [port_id for port_id in said if port_id not in named and port_id in ports]
    missed = [port_id for port_id in unnamed if not has_left(said[port_id], pair, ports)]
    if missed:
        ids = ", ".join(ports[port_id].device_id or f"port {port_id}" for port_id in missed)
        raise UnsatisfiableError(
            f"pair {seen.name} has more nodes, by {by}: {ids}", hint="name them in --nodes too, by name or id"
        )
    members = tuple(member for member in word.said.members if member.port_id not in unnamed)
    gone = tuple(member.port_id for member in members if member.port_id not in ports)
    return members, gone


def _added(member: Member, seen: Witnesses) -> Added:
    """Return what haos added for a member, by all files together: a run that was killed left some of them behind."""
    added = Added.NOTHING
    for word in seen.words.values():
        for one in word.said.members:
            added |= one.added if one.port_id == member.port_id else Added.NOTHING
    facts = seen.facts.get(seen.names.get(member.port_id, ""))
    if facts is not None and facts.package_by_haos:
        added |= Added.PACKAGE
    return added


_NAMES = {
    Added.PAIR: "address pair",
    Added.VMAC: "address pairs with the virtual MAC",
    Added.GROUP: "security group",
    Added.PACKAGE: "package",
}


def _added_words(members: Sequence[Member], names: Mapping[str, str]) -> str:
    told = []
    for member in members:
        parts = [word for flag, word in _NAMES.items() if flag in member.added]
        told.append(f"{names.get(member.port_id, member.port_id)}: {', '.join(parts) or 'nothing'}")
    return "; ".join(told)
