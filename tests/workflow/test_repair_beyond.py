"""What a repair cannot do is left to who can, and said; the rest is mended."""

from __future__ import annotations

from dataclasses import replace

import haos.workflow.repair as repairing
from haos.core.changes import Activate, Configure, InstallKeepalived
from haos.core.floating import FloatingWish
from haos.core.model import AddressPair, InstanceAction, SecurityGroup, ServiceCheck
from haos.core.repair import TrustKey
from haos.workflow.create import create, prepare
from haos.workflow.repair_plan import RepairPlan
from tests.fakes import (
    PROJECT,
    FakeCloud,
    add_instance,
    change_port,
    context_of,
    port_of,
    routed_world,
)
from tests.workflow.drifts import (
    HOWTO,
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
