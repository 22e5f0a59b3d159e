"""Teardown with nodes that do not answer; what is kept for a look; a pair that nobody observes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haos.core.outage import Verdict
from haos.errors import LeftoverError, RemoteError, StepError, VerificationError
from haos.workflow.create import Created, create, prepare
from haos.workflow.request import CreateRequest
from haos.workflow.teardown import plan_teardown, teardown
from tests.fakes import World, context_of, howto_world, node

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))


def run(world: World, request: CreateRequest = HOWTO) -> Created:
    ctx = context_of(world)
    return create(prepare(request, ctx), ctx, lambda _: None)


def reservations(world: World) -> int:
    return [port.device_owner for port in world.ports.values()].count("haos:vip")


def test_a_node_that_does_not_answer_keeps_the_pair_findable() -> None:
    world = howto_world()
    run(world)
    world.unreachable.add(node(world, "ha_second").instance.id)
    with pytest.raises(LeftoverError, match="ha_second does not answer") as error:
        teardown(None, purge=False, ctx=context_of(world))
    assert "haos teardown ha_first-ha_second --force" in (error.value.hint or "")
    assert error.value.exit_code == 6
    assert reservations(world) == 1
    world.unreachable.clear()
    teardown(None, purge=False, ctx=context_of(world))
    assert reservations(world) == 0


def test_force_skips_it_and_says_what_stays() -> None:
    world = howto_world()
    run(world)
    world.unreachable.add(node(world, "ha_second").instance.id)
    torn = teardown(None, purge=False, ctx=context_of(world), force=True)
    [skipped] = torn.skipped
    assert "ha_second does not answer" in skipped
    assert "files of pair ha_first-ha_second" in skipped
    assert reservations(world) == 0
    assert not node(world, "ha_first").files
    assert all(pair.ip_address == "192.0.2.0/24" for port in world.ports.values() for pair in port.pairs)
    assert [group.name for group in world.groups.values()] == ["ssh-icmp"]


def test_force_does_not_pass_over_what_the_cloud_refuses() -> None:
    world = howto_world()
    run(world)
    ctx = context_of(world)
    ctx.cloud.delete_group = refuse  # type: ignore[method-assign, assignment]
    with pytest.raises(LeftoverError, match="no, says the cloud"):
        teardown(None, purge=False, ctx=ctx, force=True)
    assert reservations(world) == 1


def refuse(_: str) -> None:
    raise RemoteError("no, says the cloud")


@pytest.mark.parametrize("keep_port", [True, False])
def test_an_instance_that_is_gone_is_reported_and_no_obstacle(keep_port: bool) -> None:
    world = howto_world()
    run(world)
    gone = node(world, "ha_second")
    del world.instances[gone.instance.id]
    if not keep_port:
        port = next(port for port in world.ports.values() if port.mac == gone.mac)
        del world.ports[port.id]
    torn = teardown(None, purge=True, ctx=context_of(world))
    assert any("is gone" in line for line in torn.done)
    assert reservations(world) == 0


def test_the_plan_of_a_teardown_names_each_thing() -> None:
    world = howto_world()
    run(world)
    lines = plan_teardown(None, purge=True, ctx=context_of(world)).done
    for part in ("files of pair", "package keepalived on ha_first", "address pair 10.200.51.2 (fa:16:3e", "haos-vip"):
        assert any(part in line for line in lines), part
    assert reservations(world) == 1


def test_a_failed_step_leaves_all_for_a_look_if_wanted() -> None:
    world = howto_world()

    def strike(at: int, name: str, when: str) -> None:
        if name == "activate ha_first":
            raise RemoteError("systemd said no")

    world.effects.strike = strike
    with pytest.raises(LeftoverError, match=r"systemd said no\. Kept, as you asked: reservation port") as error:
        run(world, replace(HOWTO, keep_on_failure=True))
    assert "teardown" in (error.value.hint or "")
    assert reservations(world) == 1
    world.effects.strike = lambda *_: None
    assert run(world).proven


def test_a_failed_proof_leaves_the_pair_for_a_look_if_wanted() -> None:
    world = howto_world()
    world.takeover_s = 2.0
    with pytest.raises(VerificationError, match="the pair was kept, as you asked") as error:
        run(world, replace(HOWTO, keep_on_failure=True))
    assert "haos status ha_first-ha_second" in (error.value.hint or "")
    assert reservations(world) == 1


def test_a_network_that_ignores_garp_is_left_for_a_look_too() -> None:
    world = howto_world(fabric="arp-cache")
    with pytest.raises(VerificationError, match="kept"):
        run(world, replace(HOWTO, keep_on_failure=True))
    assert reservations(world) == 1


def test_nobody_observes_and_that_is_wanted() -> None:
    world = howto_world()
    created = run(world, replace(HOWTO, watched=False))
    assert created.verification is not None
    assert created.verification.verdict is Verdict.UNKNOWN
    assert "take-over seen by the nodes themselves" in created.verification.reason
    assert [leg.target for leg in created.verification.legs] == ["ha_second", "ha_first"]
    assert created.proven


def test_without_an_observer_the_nodes_notice_a_network_that_ignores_garp() -> None:
    world = howto_world(fabric="arp-cache")
    created = run(world, replace(HOWTO, watched=False))
    assert created.pair.mode == "vmac"


def test_without_an_observer_a_vip_that_the_network_does_not_carry_fails() -> None:
    world = howto_world()
    before = world.snapshot()
    world.admitted = lambda *_: False  # type: ignore[method-assign]
    with pytest.raises(VerificationError, match=r"ha_first holds .* but asked from ha_second nobody answers"):
        run(world, replace(HOWTO, watched=False))
    assert world.snapshot() == before


def test_a_proven_pair_is_tried_again_only_if_wanted() -> None:
    world = howto_world()
    run(world)
    world.effects.names.clear()
    run(world)
    assert world.effects.names == []
    created = run(world, replace(HOWTO, verify_failover=True))
    assert world.effects.names == ["inject withdraw ha_first", "heal ha_first"]
    assert created.proven


def test_force_waits_for_a_node_that_is_there_but_busy() -> None:
    world = howto_world()
    run(world)
    busy = node(world, "ha_second")
    busy.remove = occupied  # type: ignore[method-assign, assignment]
    with pytest.raises(LeftoverError, match="another haos is at work"):
        teardown(None, purge=False, ctx=context_of(world), force=True)
    assert reservations(world) == 1


def occupied(_: object) -> None:
    raise StepError("another haos is at work on this node")
