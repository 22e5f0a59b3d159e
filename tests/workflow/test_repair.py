"""`haos repair`: what drifted from the record is brought back, and nothing else is touched."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

import haos.workflow.repair as repairing
from haos.core.changes import Activate, Configure, InstallKeepalived
from haos.core.fault import FaultOrder
from haos.core.floating import FloatingWish
from haos.core.intent import Intent
from haos.core.model import AddressPair, InstanceAction, Port, SecurityGroup, SecurityRule, ServiceCheck
from haos.core.node import NodeFacts
from haos.core.repair import TrustKey
from haos.errors import CloudError, Interrupted, LeftoverError, RecordError, RemoteError, StepError
from haos.workflow.cloud_side import PORT_DOWN
from haos.workflow.create import create, prepare
from haos.workflow.repair import Repaired, request_of
from haos.workflow.repair_plan import RepairPlan
from haos.workflow.request import CreateRequest, ModeChoice
from haos.workflow.resolve import find_pair, pair_nodes, whole
from haos.workflow.status import status
from tests.fakes import (
    PROJECT,
    FakeCloud,
    FakeNode,
    Killed,
    World,
    add_instance,
    context_of,
    howto_world,
    killed_at,
    routed_world,
)

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"), "web", advertisement_interval_s=0.1, priorities=(100, 200))


def made() -> World:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    return world


def asked(world: World) -> CreateRequest:
    pair, _ = find_pair(FakeCloud(world), None)
    return request_of(pair, whole(pair, pair_nodes(FakeCloud(world), pair)[0]), "observer")


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


def prepared(world: World, *, observer: str | None = None) -> RepairPlan:
    return repairing.prepare("web", observer, context_of(world))


def repaired(world: World) -> Repaired:
    ctx = context_of(world)
    return repairing.repair(repairing.prepare("web", None, ctx), ctx, lambda _: None)


def nodes(world: World) -> tuple[FakeNode, FakeNode]:
    """The preferred node, and the Backup."""
    first, second, *_ = world.nodes.values()
    return second, first


def port_of(world: World, node: FakeNode) -> Port:
    return next(port for port in world.ports.values() if port.mac == node.mac)


def change_port(world: World, node: FakeNode, **fields: object) -> None:
    port = port_of(world, node)
    world.ports[port.id] = replace(port, **fields)  # type: ignore[arg-type]


def own_group(world: World) -> SecurityGroup:
    return next(group for group in world.groups.values() if group.name == "haos-web")


def lose_pair(world: World) -> None:
    for node in nodes(world):
        port = port_of(world, node)
        change_port(world, node, pairs=tuple(pair for pair in port.pairs if pair.ip_address != "10.200.51.2"))


def lose_rule(world: World) -> None:
    group = own_group(world)
    world.groups[group.id] = replace(group, rules=group.rules[:-1])


def gain_rule(world: World) -> None:
    group = own_group(world)
    rule = SecurityRule("ingress", 4, "tcp", 80, 80)
    world.groups[group.id] = replace(group, rules=(*group.rules, rule))


def detach_group(world: World) -> None:
    _, backup = nodes(world)
    group = own_group(world)
    change_port(world, backup, group_ids=tuple(one for one in port_of(world, backup).group_ids if one != group.id))


def edit_file(world: World) -> None:
    config = nodes(world)[1].files["web"]
    mine = [replace(file, text=file.text + "# mine\n") for file in config.files if file.path.endswith("/web.conf")]
    files = (*(file for file in config.files if not file.path.endswith("/web.conf")), *mine)
    nodes(world)[1].files["web"] = replace(config, files=files)


def lose_file(world: World) -> None:
    backup = nodes(world)[1]
    backup.files.clear()
    backup.running.clear()


def disable(world: World) -> None:
    nodes(world)[1].enabled = False


def stop(world: World) -> None:
    for node in nodes(world):
        node.daemon = False
    world.elect()


def lose_package(world: World) -> None:
    backup = nodes(world)[1]
    backup.package, backup.daemon, backup.enabled = None, False, False
    world.elect()


def weigh(world: World) -> None:
    nodes(world)[1].weights["web"] = 253
    world.elect()
    world.clock.sleep(5.0)


def withdraw(world: World) -> None:
    nodes(world)[0].withdrawn.add("web")
    world.elect()
    world.clock.sleep(5.0)


def leave_fault(world: World) -> None:
    nodes(world)[0].inject(
        FaultOrder("web", "stop", nodes(world)[0].files["web"].vip, "ens3", "", "", heal_after_s=999.0)
    )


def announce(world: World) -> None:
    cloud = FakeCloud(world)
    _, reservation = find_pair(cloud, "web")
    port = port_of(world, nodes(world)[0])
    cloud.add_tag(reservation.id, Intent(PORT_DOWN.fault, port.id, 1795471060).tag)
    PORT_DOWN.inject(cloud, port)


def port_down(world: World) -> None:
    FakeCloud(world).set_port_up(port_of(world, nodes(world)[1]).id, False)


def pend(world: World) -> None:
    nodes(world)[1].pending = True


DRIFTS = {
    "address pair": (lose_pair, "address-pair"),
    "rule": (lose_rule, "security-group"),
    "rule too many": (gain_rule, "security-group"),
    "group detached": (detach_group, "security-rule"),
    "file edited": (edit_file, "config"),
    "file gone": (lose_file, "config"),
    "unit disabled": (disable, "not-enabled"),
    "keepalived stopped": (stop, "keepalived"),
    "package gone": (lose_package, "keepalived"),
    "weight": (weigh, "switchover"),
    "withdrawn": (withdraw, "config"),
    "fault": (leave_fault, "fault"),
    "fault announced": (announce, "fault-pending"),
    "port down": (port_down, "port-down"),
    "not told": (pend, "reload"),
}


def settled(world: World) -> World:
    world.clock.sleep(10.0)
    return world


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


def everything(world: World) -> None:
    for work in (lose_pair, lose_rule, detach_group, edit_file, disable, pend, lose_package):
        work(world)
    nodes(world)[0].withdrawn.add("web")
    world.elect()


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


def test_an_instance_that_is_off_is_left_to_its_owner_and_the_rest_is_mended() -> None:
    world = settled(made())
    lose_pair(world)
    backup = nodes(world)[1]
    FakeCloud(world).instance_action(backup.instance.id, InstanceAction.STOP)
    nodes(world)[0].enabled = False
    ended = repaired(world)
    assert [(one.code, one.where, one.remedy) for one in ended.beyond] == [
        ("instance", "ha_first", f"openstack server start {backup.instance.id}")
    ]
    assert len(port_of(world, nodes(world)[0]).pairs) == 1
    assert len(port_of(world, backup).pairs) == 2
    assert nodes(world)[0].enabled
    assert world.instances[backup.instance.id].status == "SHUTOFF"


def test_a_node_that_is_gone_is_left_to_replace_node_and_the_rest_is_mended() -> None:
    world = settled(made())
    preferred, backup = nodes(world)
    gone = port_of(world, backup)
    del world.ports[gone.id], world.instances[backup.instance.id], world.nodes[backup.instance.id]
    lose_here = port_of(world, preferred)
    change_port(world, preferred, pairs=())
    preferred.daemon = False
    world.elect()
    before = recorded(world)
    ended = repaired(world)
    assert [(one.code, one.remedy) for one in ended.beyond] == [
        ("gone", f"haos replace-node web --old {gone.id} --new INSTANCE")
    ]
    assert port_of(world, preferred).pairs == lose_here.pairs
    assert preferred.daemon
    assert recorded(world) == before, "the record goes on naming the node that is gone"
    assert ended.status.active == "ha_second"


def recorded(world: World) -> str:
    return find_pair(FakeCloud(world), "web")[1].description


def test_a_node_that_does_not_answer_is_said_and_the_rest_is_mended() -> None:
    world = settled(made())
    lose_pair(world)
    preferred, backup = nodes(world)
    world.unreachable.add(backup.instance.id)
    preferred.enabled = False
    ended = repaired(world)
    assert [(one.code, one.where) for one in ended.beyond] == [("unreachable", "ha_first")]
    assert preferred.enabled
    assert len(port_of(world, backup).pairs) == 2, "its port needs nobody inside"


def test_a_rebuilt_node_is_taken_in_again() -> None:
    world = settled(made())
    whole = world.snapshot()
    backup = nodes(world)[1]
    lose_package(world)
    lose_file(world)
    backup.package_by_haos = False
    world.rebuilt[backup.instance.id] = ("ED25519 SHA256:new",)
    first = prepared(world)
    assert first.steps == (TrustKey("ha_first", ("ED25519 SHA256:new",)),)
    assert "rebuilt" in {trouble.code for trouble in first.examined.status.troubles}
    plans: list[RepairPlan] = []
    ctx = context_of(world)
    ended = repairing.repair(first, ctx, plans.append)
    assert (ended.failed, ended.beyond, ended.well) == ((), (), True)
    assert [type(step) for step in plans[0].steps] == [InstallKeepalived, Configure, Activate]
    assert world.snapshot() == whole


def test_a_rebuilt_node_is_given_no_command_that_another_node_alone_keeps() -> None:
    world = settled(made())
    ctx = context_of(world)
    create(prepare(replace(HOWTO, checks=(ServiceCheck("/usr/local/bin/check"),)), ctx), ctx, lambda _: None)
    lose_file(world)
    ended = repaired(world)
    [beyond] = ended.beyond
    assert (beyond.code, beyond.where) == ("service-checks", "ha_first")
    assert beyond.remedy is not None
    assert beyond.remedy.endswith("--check /usr/local/bin/check")
    assert "web" not in nodes(world)[1].files


def test_a_port_check_that_another_node_keeps_is_carried_over() -> None:
    world = settled(made())
    ctx = context_of(world)
    create(prepare(replace(HOWTO, checks=(ServiceCheck("tcp:80"),)), ctx), ctx, lambda _: None)
    lose_file(world)
    assert repaired(world).beyond == ()
    [check] = [file.text for file in nodes(world)[1].files["web"].files if ".check-" in file.path]
    assert "/dev/tcp/127.0.0.1/80" in check


def test_who_else_answers_for_the_vip_is_named() -> None:
    world = settled(made())
    stranger = add_instance(world, "stranger", 40, "fa:16:3e:00:00:40")
    nodes(world)[1].enabled = False
    world.splits.append(("fa:16:3e:00:00:40", world.clock.now, None))
    change_port(world, world.nodes[stranger.id], port_security=False)
    ended = repaired(world)
    [beyond] = ended.beyond
    port = port_of(world, world.nodes[stranger.id])
    assert beyond.code == "vip-taken"
    assert beyond.reason == (
        "10.200.51.2 is answered by fa:16:3e:00:00:40, which is no node's: "
        f"that is port {port.id}, of compute:nova {stranger.id}"
    )
    assert nodes(world)[1].enabled, "what could be repaired was"


def test_a_floating_ip_that_is_gone_stays_in_the_record() -> None:
    world = routed_world()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, floating=FloatingWish()), ctx), ctx, lambda _: None)
    before = recorded(world)
    world.floating.clear()
    ended = repaired(settled(world))
    [beyond] = ended.beyond
    assert (beyond.code, recorded(world)) == ("floating-ip", before)
    assert beyond.remedy is not None
    assert beyond.remedy.endswith("--floating-ip")


def test_a_floating_ip_that_lost_its_way_is_led_back() -> None:
    world = routed_world()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, floating=FloatingWish()), ctx), ctx, lambda _: None)
    whole = settled(world).snapshot()
    [(key, ip)] = world.floating.items()
    world.floating[key] = replace(ip, port_id=None, router_id=None)
    ended = repaired(world)
    assert (ended.beyond, ended.well) == ((), True)
    assert world.snapshot() == whole


def test_what_others_have_there_is_left_alone() -> None:
    world = settled(made())
    preferred, backup = nodes(world)
    change_port(world, backup, pairs=(AddressPair("10.9.9.9", backup.mac), *port_of(world, backup).pairs))
    mine = SecurityGroup(world.new_id(), "mine", PROJECT)
    world.groups[mine.id] = mine
    change_port(world, preferred, group_ids=(*port_of(world, preferred).group_ids, mine.id))
    whole = world.snapshot()
    assert prepared(world).steps == ()
    lose_pair(world)
    repaired(world)
    assert world.snapshot() == whole


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


def made_in_vmac() -> World:
    world = made()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, mode=ModeChoice.VMAC), ctx), ctx, lambda _: None)
    return settled(world)


def test_a_pair_in_mode_vmac_gets_both_of_its_address_pairs_back() -> None:
    world = made_in_vmac()
    whole = world.snapshot()
    lose_pair(world)
    assert len(port_of(world, nodes(world)[1]).pairs) == 1
    ended = repaired(world)
    assert (ended.failed, ended.beyond, ended.well) == ((), (), True)
    assert world.snapshot() == whole


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
