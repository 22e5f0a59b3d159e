"""`replace-node` over the in-memory world: who goes first, what is left of whom, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from haos.core import service
from haos.core.model import Added, AddressPair, Mode, ServiceCheck, Timing
from haos.core.outage import Verdict
from haos.core.replace import Way, under_way
from haos.errors import (
    AmbiguousError,
    HaosError,
    LeftoverError,
    NotFoundError,
    RecordError,
    RemoteError,
    UnsatisfiableError,
    UsageError,
    VerificationError,
)
from haos.workflow import repair
from haos.workflow.create import create
from haos.workflow.create import prepare as prepare_create
from haos.workflow.leaving import Mark
from haos.workflow.replace import ReplaceRequest, prepare, replace_node
from haos.workflow.status import status
from haos.workflow.switchover import prepare as prepare_switchover
from tests.fakes import Killed, World, add_instance, context_of, killed_at, node, port_of
from tests.records import edit_record, recorded
from tests.workflow.exchange import (
    KINDS,
    NAME,
    NEW,
    NODES,
    OLD,
    STATES,
    exchange,
    holder,
    lines_of,
    made,
    priorities,
    settled,
    silent,
    waiting,
)

WAYS = {"five": Way.AFTER, "bfd": Way.AFTER}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_new_node_has_the_old_ones_place_and_priority_and_nothing_is_left_of_that(kind: str, state: str) -> None:
    world = made(kind)
    STATES[state](world)
    before = recorded(world)
    replaced = exchange(world)
    expected = Way.AFTER if state not in ("active", "backup") else WAYS.get(kind, Way.BESIDE)
    assert replaced.prepared.exchange.way is expected
    assert replaced.verification is not None
    assert replaced.verification.verdict is Verdict.PASS, replaced.verification.reason
    settled(world, NEW, *NODES[1 : len(before.members)])
    after = recorded(world)
    assert [member.priority for member in after.members] == [member.priority for member in before.members]
    assert after.verified
    assert not prepare(ReplaceRequest(OLD, NEW), context_of(world)).changes_something, "there is nothing more to do"
    if KINDS[kind].preempt is not False:
        agreed = priorities(world)
        assert holder(world) == max(agreed, key=lambda name: agreed[name])


@pytest.mark.parametrize("kind", ["two", "three", "five"])
def test_the_vip_leaves_the_active_with_no_probe_lost_and_is_never_without_a_node(kind: str) -> None:
    world = made(kind)
    since = world.clock.now
    replaced = exchange(world, verify=True)
    assert replaced.switched is not None
    assert replaced.switched.lost_probes == 0
    trial = next(at for at, mac in world.holders if at > since and mac is None)
    assert "inject withdraw" in " ".join(world.effects.names), "the only gap is the trial's own"
    assert [mac for at, mac in world.holders if since <= at < trial].count(None) == 0


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("kind", ["two", "three"])
def test_whoever_runs_the_pair_is_heard_by_all_who_run_it(kind: str, state: str) -> None:
    world = made(kind)
    STATES[state](world)
    deaf = []

    def strike(at: int, name: str, when: str) -> None:
        running = [one for one in world.nodes.values() if one.speaks() and NAME in one.files]
        for one in running:
            unknown = {peer.address for peer in running if peer is not one} - set(one.files[NAME].peers)
            if unknown and when == "after" and not name.startswith("configure"):
                deaf.append((name, one.instance.name))

    world.effects.strike = strike
    exchange(world, verify=False)
    assert not deaf


def test_the_new_node_joins_before_the_old_one_leaves_and_the_record_goes_before_both() -> None:
    world = made()
    exchange(world, verify=False)
    short = {port_of(world, name).id[:8]: name for name in (OLD, NEW)}
    assert len(short) == 1, "ids of this world are alike at their beginning"
    assert [name for name in world.effects.names if not name.startswith("amend")] == [
        "describe",
        "set rules",
        "configure ha_second", "configure ha_first", "activate ha_first", "activate ha_second",
        "install ha_new", "configure ha_new", "activate ha_new",
        "weigh ha_new",
        "remove ha_first",
        "weigh ha_new",
        "describe",
        "configure ha_second", "configure ha_new", "activate ha_new", "activate ha_second",
        "set rules",
    ]  # fmt: skip


def test_without_proof_the_record_says_so() -> None:
    world = made()
    replaced = exchange(world, verify=False)
    assert (replaced.verification, replaced.proven) == (None, True)
    assert not recorded(world).verified


@pytest.mark.parametrize("purge", [True, False])
def test_the_old_nodes_package_goes_only_where_haos_installed_it_and_it_is_wanted(purge: bool) -> None:
    world = made()
    exchange(world)
    assert Added.PACKAGE in recorded(world).members[0].added, "haos installed it on the new node"
    waiting_world = world
    exchange(waiting_world, old=NEW, new="ha_third", purge=purge)
    assert node(world, NEW).package == (None if purge else "2.2.7")
    exchange(world, old="ha_third", new=OLD, purge=purge)
    assert node(world, "ha_third").package == "2.2.7", "that one was there before"


def test_beside_a_node_that_is_gone_too_the_active_one_is_replaced_and_that_one_stays_in_the_record() -> None:
    world = made("three")
    lost = lose(world, "ha_third")
    replaced = exchange(world)
    assert replaced.prepared.exchange.way is Way.BESIDE
    assert list(priorities(world)) == [NEW, "ha_second", lost]
    assert node(world, NEW).files[NAME].peers == (node(world, "ha_second").address,)
    exchange(world, old=lost, new="ha_fourth")
    settled(world, NEW, "ha_second", "ha_fourth")


def test_two_of_three_nodes_are_gone_and_are_replaced_one_after_the_other() -> None:
    world = made("three")
    lost = [lose(world, name) for name in NODES[:2]]
    exchange(world, old=lost[0], new=NEW)
    assert list(priorities(world)) == [NEW, lost[1], "ha_third"]
    exchange(world, old=lost[1], new="ha_fourth")
    settled(world, NEW, "ha_fourth", "ha_third")


def test_a_new_port_of_the_same_instance_takes_the_old_ones_place() -> None:
    world = made()
    old, port = node(world, OLD), port_of(world, OLD)
    fresh = replace(port, id=world.new_id(), mac="fa:16:3e:00:00:99", pairs=(), group_ids=(port.group_ids[0],))
    del world.ports[port.id]
    world.ports[fresh.id] = fresh
    old.mac = fresh.mac
    world.elect()
    world.clock.sleep(30)
    exchange(world, old=port.id, new=OLD)
    settled(world, OLD, "ha_second")


@pytest.mark.parametrize("how", ["id", "port"])
def test_the_old_node_is_named_by_what_there_is_of_it(how: str) -> None:
    world = made()
    old, port = node(world, OLD), port_of(world, OLD)
    exchange(world, old=old.instance.id if how == "id" else port.id)
    assert list(priorities(world)) == [NEW, "ha_second"]


def test_a_beginning_that_two_ports_have_is_ambiguous() -> None:
    with pytest.raises(AmbiguousError, match="may be 2 nodes of pair web"):
        exchange(made(), old="00000000-0000")


def _watching(world: World) -> None:
    new = node(world, NEW).instance
    world.instances[new.id] = replace(new, tags=("observer",))


def _foreign(world: World) -> None:
    port = port_of(world, NEW)
    world.ports[port.id] = replace(port, project_id="another")


def _with_vip(world: World) -> None:
    new, seen = node(world, NEW), type(node(world, NEW)).facts
    vip = recorded(world).vip
    new.facts = lambda mac: replace(seen(new, mac), addresses=(new.address, vip))  # type: ignore[method-assign]


def _with_vrid(world: World) -> None:
    new, seen = node(world, NEW), type(node(world, NEW)).facts
    vrids = frozenset({(recorded(world).vrid, 4)})
    new.facts = lambda mac: replace(seen(new, mac), other_vrids=vrids)  # type: ignore[method-assign]


def _full(world: World) -> None:
    port = port_of(world, NEW)
    pairs = tuple(replace(port_of(world, OLD).pairs[0], ip_address=f"192.0.2.{last}") for last in range(10))
    world.ports[port.id] = replace(port, pairs=pairs)


def _switched_off(world: World) -> None:
    old = node(world, OLD).instance
    world.instances[old.id] = replace(old, status="SHUTOFF")
    world.elect()


def _namesake(world: World) -> None:
    new = node(world, NEW).instance
    world.instances[new.id] = replace(new, name=OLD)


def _as_it_is(world: World) -> None:
    """Nothing is wrong with it."""


REFUSED: dict[str, tuple[Callable[[World], None], dict[str, object], type[HaosError], str]] = {
    "no node": (_as_it_is, {"old": "ha_third"}, NotFoundError, "'ha_third' is no node of pair web"),
    "unknown": (_as_it_is, {"new": "nobody"}, NotFoundError, "no instance named 'nobody'"),
    "a member": (_as_it_is, {"new": "ha_second"}, UnsatisfiableError, "ha_second is a node of pair web already"),
    "itself": (_as_it_is, {"new": OLD}, UsageError, "ha_first cannot replace itself"),
    "observer": (_as_it_is, {"new": "observer"}, UnsatisfiableError, "observer is the observer"),
    "tagged observer": (_watching, {}, UnsatisfiableError, "ha_new is the observer"),
    "named observer": (_as_it_is, {"observer": NEW}, UsageError, "ha_new cannot watch the pair"),
    "leaving observer": (_as_it_is, {"observer": OLD}, UsageError, "ha_first cannot watch the pair that it leaves"),
    "another project": (_foreign, {}, UnsatisfiableError, "ha_new, or its port, is another project's"),
    "VIP there": (_with_vip, {}, UnsatisfiableError, "ha_new has 10.200.51.2 on its ens3 already"),
    "VRID there": (_with_vrid, {}, UnsatisfiableError, "VRID 1 is in use on ha_new"),
    "pairs full": (_full, {}, UnsatisfiableError, "ha_new's port has 10 allowed address pairs"),
    "silent": (silent, {"force": False}, RemoteError, "ha_first does not answer.* could still claim 10.200.51.2"),
    "off": (_switched_off, {}, UnsatisfiableError, "ha_first is SHUTOFF; a keepalived there could still claim"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_before_anything_is_changed(case: str) -> None:
    spoil, wanted, error, reason = REFUSED[case]
    world = made()
    spoil(world)
    before = world.snapshot()
    with pytest.raises(error, match=reason):
        exchange(world, **wanted)
    assert world.snapshot() == before


def test_two_of_one_name_are_refused() -> None:
    world = made()
    _namesake(world)
    with pytest.raises(UnsatisfiableError, match="two nodes have the same name, 'ha_first'"):
        exchange(world, new=node(world, NEW).instance.id)


def test_where_nobody_else_is_there_it_says_what_to_do() -> None:
    world = made()
    for name in NODES[:2]:
        del world.instances[node(world, name).instance.id]
    with pytest.raises(UnsatisfiableError, match="no other node of pair web is there"):
        exchange(world)


def test_what_stays_on_a_node_that_was_passed_over_is_said() -> None:
    world = made()
    silent(world)
    port = port_of(world, OLD)
    world.ports[port.id] = replace(port, port_security=False)
    replaced = exchange(world)
    files, answers = replaced.prepared.stays
    assert "ha_first does not answer on port 22; files of pair web, and keepalived if it runs, stay" in files
    assert "ha_first's port has no port security: a keepalived there may answer for 10.200.51.2" in answers


def test_a_pair_that_fails_its_proof_is_as_it_was() -> None:
    world = made()
    world.takeover_s = 2.0
    before = world.snapshot()
    with pytest.raises(VerificationError, match="what this run changed was undone"):
        exchange(world)
    assert world.snapshot() == before
    assert holder(world) == OLD


def _half_done(world: World) -> None:
    """Kill it as the new node has been made ready, and the old one is still there."""
    world.effects.strike = killed_at(9, "after")
    with pytest.raises(Killed):
        exchange(world)
    world.effects.strike = lambda *_: None
    assert under_way(recorded(world)) is not None


def test_as_long_as_it_is_under_way_other_commands_name_it_and_another_exchange_is_refused() -> None:
    world = made()
    _half_done(world)
    goes_on = "haos replace-node web --old ha_first --new ha_new"
    troubles = [one for one in status(None, None, context_of(world)).troubles if one.code == "replacement"]
    assert [(one.reason, one.remedy) for one in troubles] == [
        ("ha_first is being replaced by ha_new, or that was broken off", goes_on)
    ]
    with pytest.raises(UnsatisfiableError, match="ha_first is being replaced by ha_new") as error:
        exchange(world, new="ha_third")
    assert error.value.hint == goes_on
    with pytest.raises(UnsatisfiableError, match="ha_first is being replaced by ha_new"):
        prepare_switchover(None, None, back=False, observer_ref=None, ctx=context_of(world))


@pytest.mark.parametrize("state", ["active", "backup"])
def test_half_way_it_can_be_taken_back_by_exchanging_the_two_the_other_way_round(state: str) -> None:
    world = made()
    STATES[state](world)
    before = priorities(world)
    _half_done(world)
    exchange(world, old=NEW, new=OLD)
    settled(world, OLD, "ha_second")
    assert priorities(world) == before


def lose(world: World, name: str) -> str:
    """Delete a node with its port, and return the port's id."""
    port, instance_id = port_of(world, name), node(world, name).instance.id
    del world.ports[port.id], world.instances[instance_id], world.nodes[instance_id]
    world.elect()
    world.clock.sleep(30)
    return port.id


def test_half_way_the_old_node_is_deleted_and_the_same_goes_on_by_its_port() -> None:
    world = made()
    _half_done(world)
    exchange(world, old=lose(world, OLD))
    settled(world, NEW, "ha_second")


def test_half_way_the_new_node_is_deleted_and_it_is_taken_back() -> None:
    world = made()
    _half_done(world)
    lost = lose(world, NEW)
    [trouble] = [one for one in status(None, None, context_of(world)).troubles if one.code == "replacement"]
    assert trouble.remedy == f"haos replace-node web --old {lost} --new ha_first"
    exchange(world, old=lost, new=OLD)
    settled(world, OLD, "ha_second")


def test_half_way_create_and_repair_refuse_it_with_the_command_that_goes_on() -> None:
    world = made()
    _half_done(world)
    ctx = context_of(world)
    goes_on = f"haos replace-node web --old ha_first --new {node(world, NEW).instance.id}"
    with pytest.raises(UnsatisfiableError, match="ha_first is being replaced by") as error:
        prepare_create(KINDS["two"], ctx)
    assert error.value.hint == goes_on
    with pytest.raises(UnsatisfiableError, match="ha_first is being replaced by ha_new"):
        repair.prepare(None, None, ctx)


def test_without_an_observer_it_is_kept_and_unknown() -> None:
    world = made()
    ctx = context_of(world)
    replaced = replace_node(prepare(ReplaceRequest(OLD, NEW, watched=False), ctx), ctx)
    assert replaced.verification is not None
    assert replaced.verification.verdict is Verdict.UNKNOWN
    assert replaced.proven
    settled(world, NEW, "ha_second")


def checking(spec: str) -> tuple[World, tuple[ServiceCheck, ...]]:
    """Return a pair with a service check."""
    world = made()
    ctx = context_of(world)
    checks = service.parse_checks([spec])
    create(prepare_create(replace(KINDS["two"], checks=checks), ctx), ctx, lambda _: None)
    world.effects.names.clear()
    return world, checks


def test_a_service_check_of_a_port_comes_along() -> None:
    world, checks = checking("tcp:443")
    exchange(world)
    assert service.checks_of("\n".join(lines_of(node(world, NEW)))) == checks


def test_a_command_is_not_believed_for_the_new_node_unless_the_user_says_it_himself() -> None:
    world, checks = checking("systemctl is-active nginx")
    with pytest.raises(UnsatisfiableError, match="a command: that is not believed for ha_new") as error:
        exchange(world)
    assert error.value.hint == "say it yourself, if it is right: --check 'systemctl is-active nginx'"
    with pytest.raises(UnsatisfiableError, match="the service checks of pair web are others"):
        exchange(world, checks=service.parse_checks(["true"]))
    assert world.effects.names == []
    exchange(world, checks=checks)
    assert service.checks_of("\n".join(lines_of(node(world, NEW)))) == checks


def test_another_network_is_told_before_anything_is_changed() -> None:
    world = made()
    port = port_of(world, NEW)
    world.ports[port.id] = replace(port, network_id="another")
    with pytest.raises(UnsatisfiableError, match="instance ha_new has no port on network ha_lab"):
        exchange(world)


def test_a_pair_of_another_network_on_the_new_node_is_left_alone() -> None:
    world = made()
    add_instance(world, "far", 77, "fa:16:3e:00:00:77")
    config = node(world, OLD).files[NAME]
    files = tuple(replace(file, text="vrrp_instance haos_web {\n}\n") for file in config.files)
    node(world, NEW).files[NAME] = replace(config, files=files)
    with pytest.raises(UnsatisfiableError, match="a pair web of another network lies on ha_new"):
        exchange(world)


def test_waiting_has_no_hand_over() -> None:
    world = made()
    waiting(world)
    assert exchange(world).switched is None


EDITED: dict[str, tuple[dict[str, object], str]] = {
    "VRID": ({"vrid": 9, "adopted": True}, "the VRID is 1 there|cannot be trusted"),
    "timing": ({"timing": Timing(0.1)}, "the timing is"),
    "mode": ({"mode": Mode.VMAC}, "pair web is in another mode on ha_second"),
}


@pytest.mark.parametrize("edit", [*EDITED, "priorities", "nodes"])
def test_a_record_that_the_nodes_contradict_steers_nothing(edit: str) -> None:
    world = made()
    first, second = recorded(world).members
    edited = EDITED | {
        "priorities": ({"members": (first, replace(second, priority=99))}, "the priorities are"),
        "nodes": ({"members": (first, replace(second, port_id=port_of(world, "ha_third").id))}, "the nodes are"),
    }
    changes, words = edited[edit]
    edit_record(world, **changes)
    before = world.snapshot()
    with pytest.raises((RecordError, UnsatisfiableError), match=words):
        exchange(world)
    assert world.snapshot() == before


@pytest.mark.parametrize("effect", ["install ha_new", "configure ha_new", "activate ha_new"])
def test_what_was_done_before_another_run_changed_the_record_is_named(effect: str) -> None:
    world, done = made(), list[str]()

    def strike(_: int, name: str, when: str) -> None:
        if (name, when) == (effect, "after") and not done:
            done.extend(world.effects.names)
            edit_record(world, timing=replace(recorded(world).timing, preempt_delay_s=7))

    world.effects.strike = strike
    with pytest.raises(LeftoverError, match="was changed by another run meanwhile") as raised:
        exchange(world)
    assert raised.value.exit_code == 6
    assert raised.value.hint == f"haos replace-node {NAME} --old {OLD} --new {NEW} goes on from here"
    _, _, kept = raised.value.reason.partition("Kept, since the other run's record may rest on it: ")
    assert "on port" in kept or "files of pair" in kept
    if "configure ha_new" in done:
        assert f"files of pair {NAME} on {NEW}" in kept
    assert not any(name.startswith("remove") for name in world.effects.names), "what was named was not undone"


def test_what_the_record_alone_says_was_added_is_not_taken_away() -> None:
    world = made()
    exchange(world, new="ha_third")
    port = port_of(world, "ha_third")
    world.ports[port.id] = replace(port, pairs=(*port.pairs, AddressPair("192.0.2.9", port.mac)))
    exchange(world, old="ha_third", new=OLD)
    assert [pair.ip_address for pair in port_of(world, "ha_third").pairs] == ["192.0.2.9"], "that one is not haos's"


def test_a_pair_that_is_being_taken_away_is_refused_before_anything_is_asked() -> None:
    world = made()
    Mark(recorded(world).reservation_id, context_of(world))
    with pytest.raises(UnsatisfiableError, match="is being taken away by another run") as raised:
        prepare(ReplaceRequest(OLD, NEW), context_of(world))
    assert raised.value.hint == f"haos teardown {NAME} finishes it"
