"""What the nodes' own files say of a pair, beside its record.

Whoever may edit a port of the project may edit a record. A pair's file on a node is root's (0640), and carries the
record as it was when haos wrote the file. So a record that one node's file confirms is believed; one that every file
contradicts steers nothing. What haos added where only counts for undoing: it is weighed by itself (`justified`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address

from haos.core.model import Added, Address, Member, Mode, Node, Pair, Port, Timing
from haos.core.names import rebuild_command
from haos.core.node import NodeFacts
from haos.core.plan import has_pair, own_pair
from haos.core.record import Record, read

_RECORD = re.compile(r"^# haos-record: (.*)$", re.MULTILINE)
_VIP = re.compile(r"^# haos-vip: ([0-9A-Fa-f:.]+)/\d+ dev \S+$", re.MULTILINE)
_VRID = re.compile(r"^    virtual_router_id (\d{1,3})$", re.MULTILINE)


@dataclass(frozen=True)
class Word:
    """What one node's own file says of a pair."""

    vip: Address
    vrid: int
    said: Record


@dataclass(frozen=True)
class Difference:
    """Where a node's file and the record contradict each other."""

    what: str
    there: str
    recorded: str
    identity: bool = False  # not how the pair runs, but which one it is
    by_switchover: bool = False  # a switchover writes it into the record before the files
    undoable: bool = True  # whoever takes away what the record names forgets nothing for it

    def __str__(self) -> str:
        return f"{self.what} {self.there} there, {self.recorded} in the record"


def word_of(name: str, text: str) -> Word | None:
    """Return what a pair's file says; None where it says nothing that haos would have written."""
    found = [pattern.search(text) for pattern in (_RECORD, _VIP, _VRID)]
    if not all(found):
        return None
    record, vip, vrid = (match[1] for match in found if match)
    try:
        word = Word(ip_address(vip), int(vrid), read(record))
    except ValueError:
        return None
    whole = word.said.name == name and 1 <= word.vrid <= 255 and word.said.vrid in (None, word.vrid)
    return word if whole else None


def words_of(name: str, facts: Mapping[str, NodeFacts]) -> dict[str, Word]:
    """Return what each node says that says anything, by the names of the nodes in `facts`."""
    words = {node: word_of(name, seen.pair_files[name]) for node, seen in facts.items() if name in seen.pair_files}
    return {node: word for node, word in words.items() if word is not None}


def differences(
    pair: Pair, word: Word, names: Mapping[str, str], ports: Mapping[str, Port]
) -> tuple[Difference, ...]:
    """Return in what a node contradicts the record, but for what haos added.

    `names` of nodes, and the network's `ports`, by port id. A node that was replaced is not missed.
    """
    known = {member.port_id for member in pair.members}
    said = tuple(one for one in word.said.members if one.port_id in known or not has_left(one, pair, ports))
    return (
        *(one for one in _compared(pair, word, names) if one.there != one.recorded),
        *_on_members(pair, said, names),
    )


def has_left(member: Member, pair: Pair, ports: Mapping[str, Port]) -> bool:
    """Say whether a node that a file names cannot have a part in the pair any more: its port may not speak for it."""
    port = ports.get(member.port_id)
    return port is None or (port.port_security and not has_pair(port, own_pair(port, pair)))


def _compared(pair: Pair, word: Word, names: Mapping[str, str]) -> Iterator[Difference]:
    said = word.said
    yield Difference("the VIP is", str(word.vip), str(pair.vip), identity=True, undoable=False)
    yield Difference("the VRID is", str(word.vrid), str(pair.vrid), identity=True, undoable=False)
    origins = _origin(said.adopted), _origin(pair.adopted)
    yield Difference("the reservation port was", *origins, identity=True, undoable=False)
    yield Difference("the mode is", str(said.mode), str(pair.mode))
    yield Difference("the timing is", timing_words(said.timing), timing_words(pair.timing))


def _on_members(pair: Pair, said: tuple[Member, ...], names: Mapping[str, str]) -> Iterator[Difference]:
    there, recorded = [one.port_id for one in said], [one.port_id for one in pair.members]
    if set(there) != set(recorded):
        undoable = set(there) <= set(recorded)
        yield Difference(
            "the nodes are", _who(said, names), _who(pair.members, names), identity=True, undoable=undoable
        )
    elif there[0] != recorded[0]:
        yield Difference("the first node is", _name(said[0], names), _name(pair.members[0], names))
    elif there != recorded:
        yield Difference("the order is", _in_order(said, names), _in_order(pair.members, names))
    filed = {one.port_id: one.priority for one in said}
    if any(filed.get(one.port_id, one.priority) != one.priority for one in pair.members):
        words = priority_words(said, names), priority_words(pair.members, names)
        yield Difference("the priorities are", *words, by_switchover=True)


def _origin(adopted: bool) -> str:
    return "somebody's own before" if adopted else "made by haos"


def _who(members: Iterable[Member], names: Mapping[str, str]) -> str:
    return " and ".join(sorted(_name(one, names) for one in members))


def _in_order(members: Iterable[Member], names: Mapping[str, str]) -> str:
    return ", ".join(_name(one, names) for one in members)


def _name(member: Member, names: Mapping[str, str]) -> str:
    return names.get(member.port_id, f"port {member.port_id}")


def priority_words(members: Iterable[Member], names: Mapping[str, str]) -> str:
    """Say the priorities of a pair's nodes; in the same words for the same ones."""
    return ", ".join(sorted(f"{_name(one, names)} {one.priority}" for one in members))


def timing_words(timing: Timing) -> str:
    """Say a pair's timing in words."""
    back = f"preempt delay {timing.preempt_delay_s} s" if timing.preempt else "no preemption"
    return f"interval {timing.advertisement_interval_s:g} s, {back}{', BFD' if timing.bfd else ''}"


def doubts(
    pair: Pair, facts: Mapping[str, NodeFacts], names: Mapping[str, str], ports: Iterable[Port]
) -> dict[str, tuple[Difference, ...]]:
    """Return what speaks against the record, by node name: nothing where one node's own file confirms it.

    A switchover that is under way, or was broken off, has left its weight on a node: then the priorities may differ.
    """
    moving = any(pair.name in seen.weights for seen in facts.values())
    there = {port.id: port for port in ports}
    found = {
        node: tuple(one for one in differences(pair, word, names, there) if not (moving and one.by_switchover))
        for node, word in words_of(pair.name, facts).items()
    }
    return found if all(found.values()) else {}


def against_undoing(found: Mapping[str, tuple[Difference, ...]]) -> dict[str, tuple[Difference, ...]]:
    """Return the doubts for which a teardown would forget something; none where one node has none of these."""
    kept = {node: tuple(one for one in each if not one.undoable) for node, each in found.items()}
    return kept if all(kept.values()) else {}


def in_words(pair: Pair, found: Mapping[str, tuple[Difference, ...]]) -> str:
    """Say in one line what contradicts the record."""
    by_words: dict[str, list[str]] = {}
    for node, each in found.items():
        by_words.setdefault("; ".join(map(str, each)), []).append(node)
    told = "; ".join(f"{' and '.join(nodes)}: {words}" for words, nodes in by_words.items())
    return f"the record of pair {pair.name} is not what its nodes' own files say: {told}"


def names_on(nodes: Iterable[Node]) -> dict[str, str]:
    """Return the nodes' names by port id."""
    return {node.port.id: node.name for node in nodes}


def remedy(pair: Pair, facts: Mapping[str, NodeFacts], nodes: Iterable[Node], ports: Iterable[Port]) -> str:
    """Return the command that writes a record anew, with the nodes that the files name: by id where nobody knows."""
    known, owners = names_on(nodes), {port.id: port.device_id for port in ports}
    words = words_of(pair.name, facts).values()
    said = dict.fromkeys(member.port_id for word in words for member in word.said.members)
    refs = [ref for port_id in said if (ref := known.get(port_id) or owners.get(port_id))]
    return rebuild_command(pair.name, pair.network_id, refs or ("A", "B"))


def unsure_of(pair: Pair, facts: Mapping[str, NodeFacts], nodes: Mapping[str, Node]) -> str | None:
    """Say where the record and the files do not agree on what haos added; `facts` by name, `nodes` by port id."""
    sure = justified(pair, facts, names_on(nodes.values()))
    names = names_on(nodes.values())
    both = zip(pair.members, sure.members, strict=True)
    whom = " and ".join(_name(member, names) for member, one in both if member.added != one.added)
    return f"the record of pair {pair.name} and the nodes' own files do not agree on what haos added for {whom}" if (
        whom) else None  # fmt: skip


def justified(pair: Pair, facts: Mapping[str, NodeFacts], names: Mapping[str, str]) -> Pair:
    """Return the pair with what haos added where, as far as it is sure; `facts` by node name, `names` by port id.

    What a node's file says was added counts, and what the record says beyond that only if it takes nothing away that
    may have been there before: the run that wrote it may have been killed before it came to the nodes.
    """
    words = tuple(words_of(pair.name, facts).values())
    members = (
        replace(member, added=_justified(member, pair, words, facts.get(names.get(member.port_id, ""))))
        for member in pair.members
    )
    return replace(pair, members=tuple(members))


def _justified(member: Member, pair: Pair, words: Sequence[Word], facts: NodeFacts | None) -> Added:
    told = [one.added for word in words for one in word.said.members if one.port_id == member.port_id]
    if not told:
        return member.added
    likely = Added.GROUP  # it is known by its mark
    if facts is not None and (facts.package_by_haos or facts.keepalived is None):
        likely |= Added.PACKAGE
    if pair.mode is Mode.VMAC and all(word.said.mode is Mode.GARP for word in words):
        likely |= Added.VMAC  # a change of mode was broken off
    sure = Added.NOTHING
    for added in told:
        sure |= added
    return sure | (member.added & likely)
