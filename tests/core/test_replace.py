"""An exchange of nodes, decided: who is meant, who goes first, and what the record says meanwhile."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core import record, vrrp
from haos.core.model import Added, FixedIp, Instance, Member, Mode, Node, Pair, Port, Role, Timing, virtual_mac
from haos.core.names import device_id
from haos.core.node import NodeFacts, Sight
from haos.core.nodeconf import config_current, node_config
from haos.core.replace import (
    Departing,
    Way,
    choose_way,
    find_member,
    goes_on,
    in_place,
    is_of,
    under_way,
    with_both,
)
from haos.core.replace_plan import as_it_lies, carried
from haos.errors import AmbiguousError

IDS = (
    "4f1c9e2a-0000-4000-8000-000000000001",
    "4f1c9e2b-0000-4000-8000-000000000002",
    "4f1c9e2c-0000-4000-8000-000000000003",
)
NEW = Member("aaaaaaaa-0000-4000-8000-000000000009", 240, Added.PAIR | Added.PACKAGE)


def pair_of(count: int = 2, **changed: object) -> Pair:
    priorities = vrrp.priorities(count, 0.3)
    members = tuple(Member(port, priority) for port, priority in zip(IDS, priorities, strict=False))
    return replace(Pair("web", "net", "project", ip_address("10.200.51.9"), 7, members, verified=True), **changed)  # type: ignore[arg-type]


def node_of(port_id: str, name: str, last: int) -> Node:
    address = ip_address(f"10.200.51.{last}")
    port = Port(port_id, "net", "project", f"fa:16:3e:00:00:{last:02x}", (FixedIp(address, "sub"),))
    return Node(Instance(f"id-of-{name}", name, "ACTIVE"), port, address)


NODES = {IDS[0]: node_of(IDS[0], "web1", 32), IDS[1]: node_of(IDS[1], "web2", 33)}


def facts_of(**seen: object) -> NodeFacts:
    return NodeFacts("web1", "Debian", "apt", True, "ens3", keepalived="2.2.7", **seen)  # type: ignore[arg-type]


def departing(
    role: Role = Role.BACKUP, *, text: str | None = "vrrp_instance haos_web {", **seen: object
) -> Departing:
    files = {} if text is None else {"web": text}
    facts = facts_of(pair_files=files, daemon_active=True, **seen)
    return Departing(pair_of().members[0], NODES[IDS[0]], facts, Sight(role, role is Role.ACTIVE, True))


SILENT = Departing(pair_of().members[0], NODES[IDS[0]], silent="it does not answer")


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ("web1", IDS[0]),
        ("id-of-web2", IDS[1]),
        (IDS[2], IDS[2]),
        ("4f1c9e2c", IDS[2]),
        ("4f1c9e2c…", IDS[2]),
        ("4f1c9e2", None),  # too short to be meant
        ("id-of-the-deleted", IDS[2]),
        ("web3", None),
    ],
)
def test_a_member_is_named_by_all_that_there_is_of_it(ref: str, expected: str | None) -> None:
    ports = [replace(NODES[IDS[0]].port, id=IDS[2], device_id="id-of-the-deleted")]
    found = find_member(ref, pair_of(3), NODES, ports)
    assert (found and found.port_id) == expected


def test_who_may_be_two_is_ambiguous() -> None:
    nodes = {**NODES, IDS[1]: node_of(IDS[1], "web1", 33)}
    with pytest.raises(AmbiguousError, match=f"ports {IDS[0]}, {IDS[1]}"):
        find_member("web1", pair_of(), nodes, [])


@given(st.integers(2, 4), st.data())
def test_the_record_says_itself_that_an_exchange_is_under_way_and_of_whom(count: int, data: st.DataObject) -> None:
    pair = pair_of(min(count, 3))
    old = data.draw(st.sampled_from(pair.members))
    new = replace(NEW, priority=old.priority)
    assert under_way(pair) is None
    both = with_both(pair, old, new)
    bare = Port("r", "net", "project", virtual_mac(7, 4), (FixedIp(pair.vip, "sub"),))
    port = replace(bare, description=record.encode(both), device_owner="haos:vip", device_id=device_id("web"))
    read = record.decode(port)
    assert under_way(read) == (old, new)
    assert not read.verified, "the new node was never proven"
    after = in_place(read, old, new)
    assert after == in_place(replace(pair, reservation_id="r"), old, new)
    assert [one.priority for one in after.members] == [one.priority for one in pair.members]
    assert in_place(read, new, old).members == pair.members, "the other way round it is taken back"


def test_the_command_that_goes_on_is_said() -> None:
    both = with_both(pair_of(), pair_of().members[0], NEW)
    assert goes_on(both, {IDS[0]: "web1", NEW.port_id: "web 3"}) == (
        "web1 is being replaced by web 3, or that was broken off",
        "haos replace-node web --old web1 --new 'web 3'",
    )
    assert goes_on(both, {NEW.port_id: "web3"}) == (
        f"{IDS[0]} is being replaced by web3, or that was broken off",
        f"haos replace-node web --old {IDS[0]} --new web3",
    )
    assert goes_on(both, {IDS[0]: "web1", NEW.port_id: ""}) == (
        f"web1 is being replaced by {NEW.port_id}, or that was broken off",
        f"haos replace-node web --old {NEW.port_id} --new web1",
    )
    assert goes_on(pair_of(), {}) is None


@pytest.mark.parametrize(
    ("old", "changed", "room", "both", "way", "why"),
    [
        (departing(), {}, True, False, Way.BESIDE, "there is a Backup all the time"),
        (departing(Role.ACTIVE), {}, True, False, Way.BESIDE, "there is a Backup all the time"),
        (departing(), {}, False, True, Way.BESIDE, "there is a Backup all the time"),
        (departing(), {}, False, False, Way.AFTER, "no room for one more"),
        (departing(), {"timing": Timing(bfd=True)}, True, False, Way.AFTER, "BFD is between two nodes"),
        (departing(Role.FAULT), {}, True, False, Way.AFTER, "web1 is Fault"),
        (departing(text=None), {}, True, False, Way.AFTER, "not whole on web1"),
        (departing(withdrawn=frozenset({"web"})), {}, True, False, Way.AFTER, "not whole on web1"),
        (departing(), {"mode": Mode.VMAC}, True, False, Way.AFTER, "not whole on web1"),
        (departing(free_mb=3), {}, True, False, Way.AFTER, "web1 has 3 MB left where /etc lies"),
        (Departing(pair_of().members[0], None), {}, True, False, Way.AFTER, "port 4f1c9e2a… is gone"),
        (SILENT, {}, True, False, Way.AFTER, "web1 is out of reach"),
        (replace(SILENT, silent=None), {}, True, False, Way.AFTER, "the instance of web1 is gone"),
    ],
)  # fmt: skip
def test_the_new_node_joins_first_wherever_the_old_one_is_of_use_until_then(
    old: Departing, changed: dict[str, object], room: bool, both: bool, way: Way, why: str
) -> None:
    chosen, because = choose_way(replace(pair_of(), **changed), old, both=both, room=room)  # type: ignore[arg-type]
    assert chosen is way
    assert why in because


def test_a_file_says_of_which_pair_it_is() -> None:
    assert is_of(pair_of(), f"# haos-record: … N={record.port_code(IDS[1])}:230:p")
    assert not is_of(pair_of(), f"# haos-record: … N={record.port_code(IDS[2])}:230:p")


@pytest.mark.parametrize(
    ("text", "other", "more"),
    [
        ("x N={0}:240:pg,{1}:230:p", "x N={0}:240:pg,{1}:230:p", False),
        ("x N={0}:240:pg,{1}:230:p", "x N={0}:240:pg", True),
        ("x N={0}:240:pg", "x N={0}:230:pgk,{1}:230:", False),
        ("x N={0}:240:pgk", "x N={0}:240:pg", True),
        ("", "x N={0}:240:pg", False),
        ("x N={0}:240:", "", True),
    ],
)
def test_a_record_that_names_more_is_not_to_be_given_up(text: str, other: str, more: bool) -> None:
    codes = [record.port_code(port) for port in IDS]
    assert record.names_more(text.format(*codes), other.format(*codes)) is more


@pytest.mark.parametrize("main", [None, "vrrp_instance mine {\n}\n"])
@pytest.mark.parametrize("mode", Mode)
def test_what_a_node_carries_after_a_step_is_known_before_it(main: str | None, mode: Mode) -> None:
    facts = facts_of(main_config=main, net_manager="systemd-networkd", systemd_version=252,
                     network_file="/run/systemd/network/10-ens3.network")  # fmt: skip
    config = node_config(pair_of(mode=mode), facts, 0, ip_address("10.200.51.32"), (ip_address("10.200.51.33"),))
    assert as_it_lies(config, facts) is None
    then = carried(facts, config)
    assert config_current(config, then)
    assert as_it_lies(config, then) == config
    other = replace(config, peers=(ip_address("10.200.51.77"),))
    assert as_it_lies(other, then) == config, "the peers are those of the file"
