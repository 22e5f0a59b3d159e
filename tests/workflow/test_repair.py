"""`haos repair`: what drifted from the record is brought back, and nothing else is touched."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

import haos.workflow.repair as repairing
from haos.core.changes import Configure, InstallKeepalived
from haos.core.model import Address, InstanceAction, Port, Role, ServiceCheck
from haos.core.node import NodeFacts, Removal, Removed, Sight
from haos.errors import CloudError, Interrupted, LeftoverError, RecordError, RemoteError, StepError
from haos.workflow.create import create, prepare
from haos.workflow.repair_plan import RepairPlan
from haos.workflow.request import ModeChoice
from haos.workflow.resolve import find_pair
from haos.workflow.status import status
from tests.fakes import (
    FakeCloud,
    FakeNode,
    Killed,
    World,
    context_of,
    killed_at,
    port_of,
)
from tests.workflow.drifts import (
    DRIFTS,
    HOWTO,
    announce,
    asked,
    disable,
    everything,
    lose_file,
    lose_package,
    lose_pair,
    made,
    nodes,
    prepared,
    recorded,
    repaired,
    settled,
)


def test_the_request_of_a_recorded_pair_changes_nothing() -> None:
    world = made()
    assert not prepare(asked(world), context_of(world)).plan


def test_the_request_of_a_recorded_pair_puts_back_what_is_missing() -> None:
    world = made()
    before = world.snapshot()
    port = next(port for port in world.ports.values() if len(port.pairs) > 1)
    foreign = port.pairs[0]
    world.ports[port.id] = replace(port, pairs=(foreign,))
    ctx = context_of(world)
    create(prepare(asked(world), ctx), ctx, lambda _: None)
    assert foreign in world.ports[port.id].pairs
    assert world.snapshot() == before


@pytest.mark.parametrize("drift", DRIFTS)
def test_each_drift_is_named_and_mended(drift: str) -> None:
    world = settled(made())
    whole = world.snapshot()
    work, code = DRIFTS[drift]
    work(world)
    assert code in {trouble.code for trouble in status("web", None, context_of(world)).troubles}
    ended = repaired(world)
    assert [one.error for one in ended.done] == [None] * len(ended.done)
    assert (ended.beyond, ended.well, ended.status.healthy) == ((), True, True)
    assert world.snapshot() == whole
    effects = len(world.effects.names)
    assert repaired(world).done == ()
    assert len(world.effects.names) == effects, "a second repair changes nothing"


def test_several_at_once_are_mended_in_one_go_the_backup_first() -> None:
    world = settled(made())
    whole = world.snapshot()
    everything(world)
    world.effects.names.clear()
    ended = repaired(world)
    assert (ended.failed, ended.beyond, ended.well) == ((), (), True)
    assert world.snapshot() == whole
    names = [name for name in world.effects.names if name.startswith(("install", "configure", "activate"))]
    assert names == ["install ha_first", "configure ha_first", "configure ha_second", "activate ha_second",
                     "activate ha_first"]  # fmt: skip


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_effect_the_same_command_ends_it(when: str) -> None:
    whole = settled(made()).snapshot()
    drifted = settled(made())
    everything(drifted)
    announce(drifted)
    nodes(drifted)[1].weights["web"] = 10
    base = len(drifted.effects.names)
    trial = copy.deepcopy(drifted)
    repaired(trial)
    points = len(trial.effects.names) - base
    assert points > 9
    for at in range(points):
        world = copy.deepcopy(drifted)
        world.effects.strike = killed_at(base + at, when)
        with pytest.raises(Killed):
            repaired(world)
        world.effects.strike = lambda *_: None
        ended = repaired(world)
        assert (ended.failed, ended.beyond, ended.well) == ((), (), True), world.effects.names[base + at]
        assert world.snapshot() == whole, world.effects.names[base + at]


def test_a_step_that_fails_is_said_and_the_rest_is_made() -> None:
    world = settled(made())
    everything(world)

    def strike(_: int, name: str, when: str) -> None:
        if (name, when) == ("configure ha_first", "before"):
            raise RemoteError("no room on the disk", hint="make some")

    world.effects.strike = strike
    ended = repaired(world)
    assert [str(one.error) for one in ended.failed] == ["no room on the disk"]
    assert not nodes(world)[0].withdrawn, "the other node was repaired"
    assert {trouble.where for trouble in ended.status.troubles if trouble.grave} == {"ha_first", ""}


def test_without_a_foundation_nothing_is_built_on_it() -> None:
    world = settled(made())
    everything(world)

    def strike(_: int, name: str, when: str) -> None:
        if name == "set rules":
            raise CloudError("no", hint="later")

    world.effects.strike, world.effects.names[:] = strike, []
    ended = repaired(world)
    assert [str(one.error) for one in ended.failed] == ["no"]
    assert world.effects.names == ["set rules"]


def test_an_interrupt_says_that_what_was_made_stays() -> None:
    world = settled(made())
    everything(world)

    def strike(_: int, name: str, when: str) -> None:
        if (name, when) == ("activate ha_second", "after"):
            raise KeyboardInterrupt

    world.effects.strike = strike
    with pytest.raises(Interrupted) as stopped:
        repaired(world)
    assert "steps were made, and stay" in stopped.value.reason
    world.effects.strike = lambda *_: None
    assert repaired(world).well


def test_a_package_goes_again_where_the_files_cannot_be_put_there() -> None:
    world = settled(made())
    whole = world.snapshot()
    lose_file(world)
    lose_package(world)

    def strike(_: int, name: str, when: str) -> None:
        if (name, when) == ("configure ha_first", "before"):
            raise StepError("no room")

    world.effects.strike = strike
    ended = repaired(world)
    assert [type(one.step) for one in ended.failed][:2] == [InstallKeepalived, Configure]
    assert nodes(world)[1].package is None
    world.effects.strike = lambda *_: None
    assert repaired(world).well
    assert world.snapshot() == whole


def test_where_the_pair_can_be_seen_no_more_it_says_what_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    world = settled(made())
    disable(world)

    def blind(*_: object) -> RepairPlan:
        raise CloudError("cannot list ports")

    monkeypatch.setattr(repairing, "again", blind)
    with pytest.raises(LeftoverError, match=r"cannot list ports; of what .* 2 steps were made, and stay") as ended:
        repaired(world)
    assert ended.value.hint == "haos repair web goes on from here"


def test_a_trial_failover_only_where_it_is_wanted() -> None:
    world = settled(made())
    disable(world)
    ctx = context_of(world)
    world.effects.names.clear()
    assert repaired(world).verification is not None
    assert world.effects.names == ["configure ha_first", "activate ha_first"]
    before = len(world.effects.names)
    wanted = repairing.prepare("web", None, ctx, verify_failover=True)
    ended = repairing.repair(wanted, ctx, lambda _: None)
    assert ended.verification is not None
    assert [leg.label for leg in ended.verification.legs] == ["withdraw", "failback"]
    assert len(world.effects.names) > before


def test_a_fault_that_is_announced_accounts_for_the_node_that_does_not_answer() -> None:
    world = settled(made())
    announce(world)
    assert prepared(world).beyond == ()


def test_an_instance_that_is_off_is_not_waited_for_once_its_fault_is_undone() -> None:
    world = settled(made())
    announce(world)
    preferred = nodes(world)[0]
    FakeCloud(world).instance_action(preferred.instance.id, InstanceAction.STOP)
    before_s = world.clock.now
    ended = repaired(world)
    assert [beyond.code for beyond in ended.beyond] == ["instance"]
    assert world.clock.now - before_s < 60.0


def test_a_record_that_its_nodes_contradict_is_not_gone_by() -> None:
    for gone in (False, True):
        world = settled(made())
        _, backup = nodes(world)
        lose_pair(world)
        reservation = find_pair(FakeCloud(world), "web")[1]
        world.ports[reservation.id] = replace(reservation, description=recorded(world).replace("a=100", "a=900"))
        if gone:
            del world.instances[backup.instance.id], world.nodes[backup.instance.id]
        before = world.snapshot()
        with pytest.raises(RecordError):
            repaired(world)
        assert world.snapshot() == before


def made_in_vmac(*checks: ServiceCheck) -> World:
    world = made()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, mode=ModeChoice.VMAC, checks=checks or None), ctx), ctx, lambda _: None)
    return settled(world)


def test_a_pair_in_mode_vmac_gets_both_of_its_address_pairs_back() -> None:
    world = made_in_vmac()
    whole = world.snapshot()
    lose_pair(world)
    assert len(port_of(world, nodes(world)[1]).pairs) == 1
    ended = repaired(world)
    assert (ended.failed, ended.beyond, ended.well) == ((), (), True)
    assert world.snapshot() == whole


@pytest.mark.parametrize("check", [None, "tcp:22"])
def test_a_device_that_keeps_a_node_in_fault_goes_and_comes_back_in_mode_vmac(
    check: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = made_in_vmac(*([ServiceCheck(check)] if check else []))
    backup, removed = nodes(world)[1], list[Removal]()
    look, take_off = backup.sight, backup.remove

    def sight(pair: str, vip: Address) -> Sight:
        seen = look(pair, vip)
        return seen if removed else replace(seen, role=Role.FAULT)

    def remove(removal: Removal) -> Removed:
        removed.append(removal)
        return take_off(removal)

    monkeypatch.setattr(backup, "sight", sight)
    monkeypatch.setattr(backup, "remove", remove)
    ended = repaired(world)
    assert ended.status.healthy is not bool(check)
    assert [removal.returning for removal in removed] == [True] * (not check)


def in_two_modes(world: World) -> None:
    """The Backup has the pair in mode garp yet: a change of mode was broken off."""
    earlier = settled(made())
    nodes(world)[1].files = dict(nodes(earlier)[1].files)


def test_no_node_changes_its_mode_while_another_is_kept_out_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two modes do not understand each other: both nodes would turn Active."""
    world = made_in_vmac()
    in_two_modes(world)
    facts = FakeNode.facts

    def full(self: FakeNode, mac: str) -> NodeFacts:
        return replace(facts(self, mac), free_mb=1 if self is nodes(world)[0] else 1000)

    monkeypatch.setattr(FakeNode, "facts", full)
    files = [dict(node.files) for node in nodes(world)]
    ended = repaired(world)
    assert [(beyond.code, beyond.where) for beyond in ended.beyond] == [
        ("disk-full", "ha_second"),
        ("mode", "ha_first"),
    ]
    assert [dict(node.files) for node in nodes(world)] == files


def test_a_second_look_that_shows_the_same_again_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else takes the address pair off as often as haos puts it there."""
    world = settled(made())
    lose_pair(world)
    plain, begun = FakeCloud.ports, len(world.effects.names)

    def contrary(self: FakeCloud, network_id: str) -> tuple[Port, ...]:
        if len(world.effects.names) > begun:
            lose_pair(world)
        return plain(self, network_id)

    monkeypatch.setattr(FakeCloud, "ports", contrary)
    ended = repaired(world)
    assert len(world.effects.names) - begun == 2, "each port once"
    assert not ended.status.healthy
