"""The record against its nodes' own files: what confirms it, what contradicts it, what it is written anew from."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core import names, record, render
from haos.core.changes import AdoptPort, ReserveVip, UpdateRecord
from haos.core.model import Added, AddressPair, CloudNetwork, FixedIp, Instance, Member, Node, Pair, Port, Subnet
from haos.core.node import NodeFacts
from haos.core.nodeconf import node_record
from haos.core.plan import own_pair
from haos.core.rebuild import Witnesses
from haos.core.rebuild_cloud import RebuiltRecord, rebuilt
from haos.core.witness import doubts, justified, word_of
from haos.errors import HaosError, RecordError
from tests.core.test_record import PIECES, decoded, port_of
from tests.core.test_record import pairs as any_pairs

NETS = {4: ip_network("10.200.51.0/24"), 6: ip_network("fd00::/64")}
pairs = any_pairs.map(lambda pair: replace(pair, floating=None))
"""Of the floating IP the files say nothing."""


def facts_of(pair: Pair, index: int, text: str | None = None) -> NodeFacts:
    """Return a node that carries a pair; `text` in place of its file."""
    return NodeFacts(f"n{index}", "", "apt", systemd=True, interface="ens3", keepalived="2.2.7",
                     pair_files={pair.name: file_of(pair, index) if text is None else text})  # fmt: skip


def file_of(pair: Pair, index: int) -> str:
    base = int(NETS[pair.vip.version].network_address) + 100
    source, *peers = [type(pair.vip)(base + index), *(type(pair.vip)(base + n) for n in range(5) if n != index)]
    peers = peers[: len(pair.members) - 1]
    return render.pair_file(pair=pair, member_index=index, interface="ens3", source=source, peers=tuple(peers),
                            record=node_record(pair)).text  # fmt: skip


def ports_of(pair: Pair) -> dict[str, Port]:
    """Return the nodes' ports, each of which may speak for the VIP."""
    made = {}
    for index, member in enumerate(pair.members):
        port = Port(member.port_id, pair.network_id, pair.project_id, f"fa:16:3e:00:00:{index:02x}",
                    (FixedIp(type(pair.vip)(int(pair.vip) + 50 + index), "s"),), device_id=f"i{index}")  # fmt: skip
        made[port.id] = replace(port, pairs=(own_pair(port, pair),))
    return made


def nodes_of(pair: Pair) -> tuple[Node, ...]:
    return tuple(
        Node(Instance(f"i{index}", f"n{index}", "ACTIVE"), port, port.fixed_ips[0].address)
        for index, port in enumerate(ports_of(pair).values())
    )


def names_of(pair: Pair) -> dict[str, str]:
    return {member.port_id: f"n{index}" for index, member in enumerate(pair.members)}


def all_facts(pair: Pair) -> dict[str, NodeFacts]:
    return {f"n{index}": facts_of(pair, index) for index in range(len(pair.members))}


def witnesses(pair: Pair, reservation: Port | None) -> Witnesses:
    ports = (*ports_of(pair).values(), *([reservation] if reservation else []))
    net = NETS[pair.vip.version]
    network = CloudNetwork(pair.network_id, "net", pair.project_id)
    subnet = Subnet("s", "sub", pair.network_id, net)
    return Witnesses(pair.name, network, pair.project_id, nodes_of(pair), all_facts(pair), ports, (subnet,))


def with_port(pair: Pair, kind: tuple[bool, bool]) -> Pair:
    return replace(pair, adopted=kind[0], plain_mac=kind[1])


kinds = st.sampled_from([(False, False), (True, False), (False, True)])


@given(pairs, kinds)
def test_a_file_says_what_it_was_written_from(pair: Pair, kind: tuple[bool, bool]) -> None:
    pair = with_port(pair, kind)
    for index in range(len(pair.members)):
        word = word_of(pair.name, file_of(pair, index))
        assert word is not None
        assert (word.vip, word.vrid) == (pair.vip, pair.vrid)
        assert (word.said.members, word.said.mode, word.said.timing) == (pair.members, pair.mode, pair.timing)
        assert (word.said.adopted, word.said.plain_mac) == kind


@given(pairs, st.lists(st.tuples(st.integers(0, 900), st.integers(0, 4), PIECES), max_size=4))
def test_a_file_that_was_edited_says_the_same_something_else_or_nothing_and_never_fails(
    pair: Pair, edits: list[tuple[int, int, str]]
) -> None:
    text = file_of(pair, 0)
    for at, length, piece in edits:
        text = text[:at] + piece + text[at + length :]
    word = word_of(pair.name, text)
    if word is not None:
        assert word.said.name == pair.name
        assert record.read(record.write(word.said)) == word.said
        assert 1 <= word.vrid <= 255


@given(pairs, kinds)
def test_what_the_nodes_carry_confirms_it(pair: Pair, kind: tuple[bool, bool]) -> None:
    pair = with_port(pair, kind)
    assert doubts(pair, all_facts(pair), names_of(pair), ports_of(pair).values()) == {}
    assert justified(pair, all_facts(pair), names_of(pair)) == pair


@given(pairs, pairs)
def test_another_pair_in_its_place_is_contradicted_by_every_node(pair: Pair, other: Pair) -> None:
    """Whatever the record says, if it is not what the files say, but for what haos added and whether it is proven."""
    other = replace(other, name=pair.name)
    told = doubts(other, all_facts(pair), names_of(pair), ports_of(pair).values())
    same = node_record(bare(other)) == node_record(bare(pair)) and (other.vip, other.vrid) == (pair.vip, pair.vrid)
    assert set(told) == (set() if same else set(all_facts(pair)))


def bare(pair: Pair) -> Pair:
    return replace(pair, members=tuple(replace(member, added=Added.NOTHING) for member in pair.members))


@given(pairs, st.data())
def test_no_edit_of_the_record_makes_haos_believe_that_it_added_more(pair: Pair, data: st.DataObject) -> None:
    flags = [Added.PAIR, Added.VMAC, Added.GROUP, Added.PACKAGE]
    every = Added.PAIR | Added.VMAC | Added.GROUP | Added.PACKAGE
    drawn = [Added(sum(one.value for one in data.draw(st.sets(st.sampled_from(flags))))) for _ in pair.members]
    edited = replace(
        pair, members=tuple(replace(one, added=flag) for one, flag in zip(pair.members, drawn, strict=True))
    )
    sure = justified(edited, all_facts(pair), names_of(pair))
    for was, now in zip(pair.members, sure.members, strict=True):
        assert now.added & was.added == was.added, "what the files say was added goes"
        assert (now.added & ~was.added & every) in (Added.NOTHING, Added.GROUP), "the group is known by its mark"


@given(pairs, kinds, st.one_of(st.none(), st.text(max_size=255), st.just("as it was")))
def test_the_record_is_as_it_was_whatever_stands_on_the_port(
    pair: Pair, kind: tuple[bool, bool], text: str | None
) -> None:
    pair = replace(with_port(pair, kind), verified=False)
    good = record.encode(pair)
    port = None if text is None else replace(port_of(pair, good if text == "as it was" else text), name="haos-vip-x")
    planned = rebuilt(witnesses(pair, port))
    if port is None:
        assert planned.pair == replace(pair, reservation_id="", adopted=False)
        assert [type(change) for change in planned.changes] == [ReserveVip]
        return
    # The port's MAC is the virtual one: there is no need to say the VRID twice.
    assert planned.pair == replace(pair, plain_mac=False)
    assert [type(change) for change in planned.changes] == ([UpdateRecord] if planned.new != port.description else [])
    assert isinstance(decoded(replace(port, description=planned.new)), Pair)


def tried(seen: Witnesses) -> RebuiltRecord | HaosError:
    try:
        return rebuilt(seen)
    except HaosError as error:
        return error


@given(
    pairs,
    st.sampled_from(["", "haos:vip", "compute:nova", "network:dhcp"]),
    st.sampled_from(["", "own", "haos-db", "5"]),
    st.sampled_from(["", "own", "mine"]),
    st.sampled_from(["project", "other"]),
    st.sampled_from(["own", "fa:16:3e:12:34:56", "00:00:5e:00:01:fe", "00:00:5e:00:02:fe"]),
    st.booleans(),
)
def test_a_port_is_claimed_only_if_nobody_else_has_a_use_for_it(
    pair: Pair, owner: str, device: str, name: str, project: str, mac: str, readable: bool
) -> None:
    good = port_of(pair, record.encode(pair))
    port = replace(
        good,
        device_owner=owner,
        device_id=names.device_id(pair.name) if device == "own" else device,
        name=names.port_name(pair.name) if name == "own" else name,
        project_id=project,
        mac=good.mac if mac == "own" else mac,
        description=good.description if readable else "x",
    )
    planned = tried(witnesses(pair, port))
    if isinstance(planned, HaosError):
        assert planned.exit_code == 5
        return
    assert project == "project"
    assert owner in ("", "haos:vip")
    assert owner == "haos:vip" or not port.device_id, "a port with a device is somebody's"
    told = decoded(
        replace(port, device_owner="haos:vip", device_id=names.device_id(pair.name), description=planned.new)
    )
    assert not isinstance(told, RecordError), "what is written can be read"
    assert replace(told, verified=False) == replace(planned.pair, verified=False)
    assert all(isinstance(change, UpdateRecord | AdoptPort) for change in planned.changes)
    assert planned.pair.adopted == (owner == "" and port.name != names.port_name(pair.name))


@pytest.mark.parametrize("covers", ["10.200.51.2", "10.200.51.0/28"])
def test_an_address_pair_of_somebody_else_is_somebody_elses_claim(covers: str) -> None:
    members = (
        Member("913c4131-0cc3-4df4-9f7e-b4cf4ae885ca", 240),
        Member("e220e2d9-f4de-4941-92e0-640ee352aa4f", 230),
    )
    pair = Pair("web", "net", "project", NETS[4][2], 7, members)
    seen = witnesses(pair, None)
    other = Port("p", "net", "project", "fa:16:3e:99:99:99", (), pairs=(AddressPair(covers, "fa:16:3e:99:99:99"),))
    with pytest.raises(HaosError, match="was given away"):
        rebuilt(replace(seen, ports=(*seen.ports, other)))
    assert rebuilt(seen).pair.vip == pair.vip
