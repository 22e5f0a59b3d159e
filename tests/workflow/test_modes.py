"""How the mode is chosen, what each needs, and how a pair changes from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from threading import Event
from typing import Any

import pytest

from haos.core.changes import DismissVip, RemovePair
from haos.core.model import Added, Address, AddressPair, Mode
from haos.core.node import NodeFacts, Survey
from haos.core.outage import Verdict
from haos.errors import RemoteError, UnsatisfiableError, VerificationError
from haos.workflow.create import Created, Prepared, create, prepare
from haos.workflow.request import CreateRequest, ModeChoice
from haos.workflow.survey import FORGET_TIMEOUT_S
from haos.workflow.teardown import teardown
from tests.fakes import FakeProbe, World, context_of, howto_world
from tests.records import recorded

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))
VIRTUAL = "00:00:5e:00:01:01"


def run(world: World, request: CreateRequest = HOWTO) -> tuple[Created, list[Prepared]]:
    ctx = context_of(world)
    plans = [prepare(request, ctx)]
    return create(plans[0], ctx, plans.append), plans


def pairs_of(world: World) -> dict[str, set[tuple[str, str]]]:
    names = {one.id: one.name for one in world.instances.values()}
    return {
        names[port.device_id]: {(pair.ip_address, pair.mac_address) for pair in port.pairs}
        for port in world.ports.values()
        if port.device_id in names
    }


@pytest.mark.parametrize("fabric", ["ovs", "learning"])
@pytest.mark.parametrize("choice", [None, ModeChoice.AUTO])
def test_auto_ends_in_garp_where_gratuitous_arp_works(fabric: str, choice: ModeChoice | None) -> None:
    world = howto_world(fabric=fabric)
    created, plans = run(world, replace(HOWTO, mode=choice))
    assert len(plans) == 1
    assert created.pair.mode is Mode.GARP
    assert created.proven
    assert pairs_of(world)["ha_second"] == {("10.200.51.2", "fa:16:3e:f3:a9:a3")}


def test_auto_ends_in_vmac_on_a_fresh_vip_where_arp_is_cached() -> None:
    world = howto_world(fabric="arp-cache")
    before = world.snapshot()
    created, plans = run(world)
    assert created.pair.mode is Mode.VMAC
    assert created.proven
    assert [str(plan.pair.vip) for plan in plans] == ["10.200.51.2", "10.200.51.3"]
    assert created.verification is not None
    assert created.verification.answered_from == VIRTUAL
    assert pairs_of(world)["ha_second"] == {("10.200.51.3", "fa:16:3e:f3:a9:a3"), ("10.200.51.3", VIRTUAL)}
    assert recorded(world).mode is Mode.VMAC
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_auto_says_what_it_saw_and_chose() -> None:
    world = howto_world(fabric="arp-cache")
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    said = "\n".join(ctx.progress.titles)  # type: ignore[attr-defined]
    assert "the network names fa:16:3e:8d:dc:bb" in said
    assert "mode vmac was chosen: this network ignores gratuitous ARP" in said


def test_a_given_vip_waits_until_the_network_has_forgotten_it() -> None:
    world = howto_world(fabric="arp-cache")
    ctx = context_of(world)
    vip, sleep = ip_address("10.200.51.9"), ctx.clock.sleep

    def age(seconds: float) -> None:
        sleep(seconds)
        if seconds >= 5:
            world.arp_cache.clear()

    ctx.clock.sleep = age  # type: ignore[method-assign]
    created = create(prepare(replace(HOWTO, vip=vip), ctx), ctx, lambda _: None)
    assert (created.pair.mode, created.pair.vip) == (Mode.VMAC, vip)
    assert f"wait until the network forgets {vip} (at most 900 s)" in ctx.progress.titles  # type: ignore[attr-defined]


def test_a_given_vip_is_not_waited_for_without_end() -> None:
    world = howto_world(fabric="arp-cache")
    before, started_s = world.snapshot(), world.clock.now
    with pytest.raises(UnsatisfiableError, match=r"still answers for 10\.200\.51\.9 after 900 s"):
        run(world, replace(HOWTO, vip=ip_address("10.200.51.9")))
    assert world.clock.now - started_s < FORGET_TIMEOUT_S + 120
    assert world.snapshot() == before


def test_vmac_alone_works_where_macs_move_and_is_undone_where_they_do_not() -> None:
    for fabric in ("learning", "arp-cache"):
        created, _ = run(howto_world(fabric=fabric), replace(HOWTO, mode=ModeChoice.VMAC))
        assert created.proven
    world = howto_world(fabric="ovs")
    before = world.snapshot()
    with pytest.raises(VerificationError, match="ha_second") as error:
        run(world, replace(HOWTO, mode=ModeChoice.VMAC))
    assert "--mode garp" in (error.value.hint or "")
    assert world.snapshot() == before


def unsecured(world: World, *macs: str) -> World:
    """Take port security off the nodes' ports."""
    for port in tuple(world.ports.values()):
        if port.mac in (macs or ("fa:16:3e:8d:dc:bb", "fa:16:3e:f3:a9:a3")):
            world.ports[port.id] = replace(port, port_security=False, pairs=(), group_ids=())
    return world


def mac_reserved(world: World) -> str:
    return next(port.mac for port in world.ports.values() if port.device_owner == "haos:vip")


VMAC = replace(HOWTO, mode=ModeChoice.VMAC)


def test_vmac_without_port_security_works_where_a_mac_is_delivered_to_the_port_that_has_it() -> None:
    world = unsecured(howto_world(fabric="ovn", keepalived="2.2.7"))
    before = world.snapshot()
    created, _ = run(world, VMAC)
    assert created.proven
    assert mac_reserved(world).startswith("fa:16:3e:")
    pair = recorded(world)
    assert (pair.vrid, pair.plain_mac, pair.adopted) == (1, True, False)
    again, [plan] = run(world, HOWTO)
    assert (again.changed, plan.plan.changes) == (False, ())
    assert prepare(replace(HOWTO, name="beside"), context_of(world)).pair.vrid == 2
    run(world, replace(HOWTO, mode=ModeChoice.GARP))
    assert recorded(world).plain_mac
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_a_single_port_with_port_security_keeps_the_vrid_in_the_mac() -> None:
    world = unsecured(howto_world(), "fa:16:3e:8d:dc:bb")
    run(world, VMAC)
    assert mac_reserved(world) == VIRTUAL
    assert not recorded(world).plain_mac


def test_the_second_attempt_of_auto_leaves_the_virtual_mac_to_the_nodes_too() -> None:
    world = unsecured(howto_world(fabric="arp-cache"))
    created, plans = run(world)
    assert created.proven
    assert [(plan.pair.mode, plan.pair.plain_mac) for plan in plans] == [(Mode.GARP, False), (Mode.VMAC, True)]
    assert mac_reserved(world).startswith("fa:16:3e:")


def test_a_pair_whose_reservation_has_the_virtual_mac_has_to_be_made_anew_for_vmac() -> None:
    world = unsecured(howto_world(fabric="ovn", keepalived="2.2.7"))
    run(world)
    assert mac_reserved(world) == VIRTUAL
    before = world.snapshot()
    with pytest.raises(VerificationError, match="which an earlier run made, was kept") as error:
        run(world, VMAC)
    assert "haos teardown ha_first-ha_second, then haos create --mode vmac" in (error.value.hint or "")
    assert world.snapshot() == before
    teardown(None, purge=True, ctx=context_of(world))
    assert run(world, VMAC)[0].proven


def test_garp_alone_does_not_try_vmac() -> None:
    world = howto_world(fabric="arp-cache")
    before = world.snapshot()
    with pytest.raises(VerificationError, match="not answered by ha_second") as error:
        run(world, replace(HOWTO, mode=ModeChoice.GARP))
    assert "--mode vmac" in (error.value.hint or "")
    assert world.snapshot() == before


def test_where_neither_works_all_is_undone_and_both_are_named() -> None:
    world = howto_world(fabric="arp-cache")
    before = world.snapshot()
    reply = world.echo_reply

    def never_by_vmac(vip: object, holder: str | None) -> str | None:
        virtual = any(node.virtual_mac for node in world.nodes.values())
        return None if virtual else reply(vip, holder)  # type: ignore[arg-type]

    world.echo_reply = never_by_vmac  # type: ignore[method-assign]
    with pytest.raises(VerificationError, match=r"neither mode works on this network\. garp: .*; vmac: "):
        run(world)
    assert world.snapshot() == before


def test_a_failure_that_is_not_the_networks_does_not_try_vmac() -> None:
    world = howto_world(fabric="learning")
    world.takeover_s = 2.0
    before = world.snapshot()
    with pytest.raises(VerificationError, match="is over"):
        run(world)
    assert world.snapshot() == before


def test_a_pair_changes_its_mode_by_leaving_every_node_first() -> None:
    world = howto_world(fabric="learning", keepalived="2.2.7")
    before = world.snapshot()
    run(world)
    _, [plan] = run(world, replace(HOWTO, mode=ModeChoice.VMAC))
    kinds = [type(change).__name__ for change in plan.plan.changes]
    assert kinds == ["UpdateRecord", *["AdmitVip"] * 2, *["RemovePair"] * 2, *["Configure"] * 2, *["Activate"] * 2]
    assert recorded(world).mode is Mode.VMAC
    assert all(Added.VMAC in member.added for member in recorded(world).members)
    assert recorded(world).verified
    created, [back] = run(world, replace(HOWTO, mode=ModeChoice.GARP))
    assert [change for change in back.plan.changes if isinstance(change, RemovePair)]
    assert len([change for change in back.plan.changes if isinstance(change, DismissVip)]) == 2
    assert pairs_of(world)["ha_second"] == {("10.200.51.2", "fa:16:3e:f3:a9:a3")}
    assert created.proven
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_a_change_of_mode_that_does_not_pass_gives_the_old_one_back() -> None:
    world = howto_world(fabric="ovs", keepalived="2.2.7")
    run(world)
    before = world.snapshot()
    with pytest.raises(VerificationError, match="what this run changed was undone"):
        run(world, replace(HOWTO, mode=ModeChoice.VMAC))
    assert world.snapshot() == before
    created, [plan] = run(world)
    assert not plan.plan
    assert created.proven


def test_a_virtual_mac_pair_that_was_there_before_stays() -> None:
    world = howto_world(fabric="learning", keepalived="2.2.7")
    port = next(port for port in world.ports.values() if port.mac == "fa:16:3e:f3:a9:a3")
    world.ports[port.id] = replace(port, pairs=(AddressPair("10.200.51.3", VIRTUAL),))
    before = world.snapshot()
    run(world, replace(HOWTO, mode=ModeChoice.VMAC, vip=ip_address("10.200.51.4")))
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


@pytest.mark.usefixtures("side_by_side")
def test_segment_is_asked_while_the_nodes_are_looked_at() -> None:
    world = howto_world()
    first, asked = next(node for node in world.nodes.values() if node.instance.name == "ha_first"), Event()
    look, ask = first.facts, first.survey

    def survey(own: Address, addresses: Sequence[Address], *, listen_s: float) -> Survey:
        assert listen_s, "asked only once, and listened to meanwhile"
        asked.set()
        return ask(own, addresses, listen_s=listen_s)

    def facts(mac: str) -> NodeFacts:
        assert asked.wait(10), "the nodes are looked at first, and the segment is asked only then"
        return look(mac)

    first.survey, first.facts = survey, facts  # type: ignore[method-assign]
    world.answers = {ip_address("10.200.51.2"): "fa:16:3e:00:00:99"}
    assert str(prepare(HOWTO, context_of(world)).pair.vip) == "10.200.51.3"


def test_nobody_able_to_ask_is_no_reason_to_give_up() -> None:
    world = howto_world()
    for node in world.nodes.values():
        node.survey = unable  # type: ignore[method-assign, assignment]
    created, _ = run(world)
    assert created.verification is not None
    assert created.verification.verdict is Verdict.PASS


def unable(*_: object, **__: object) -> None:
    raise RemoteError("no tool to ask with")


def test_vmac_is_not_called_chosen_where_nobody_saw_it_pass() -> None:
    world = howto_world(fabric="arp-cache")
    ctx = context_of(world)
    start = ctx.fleet.watcher.start_probe  # type: ignore[attr-defined]
    asked: list[str] = []

    def lost_at_the_second(vip: IPv4Address, **options: Any) -> FakeProbe:
        asked.append(str(vip))
        probe: FakeProbe = start(vip, **options)
        probe.lost = "broken pipe" if len(set(asked)) > 1 else None
        return probe

    ctx.fleet.watcher.start_probe = lost_at_the_second  # type: ignore[attr-defined]
    created = create(prepare(HOWTO, ctx), ctx, lambda _: None)
    assert created.pair.mode is Mode.VMAC
    assert not created.proven
    assert "was chosen" not in "\n".join(ctx.progress.titles)  # type: ignore[attr-defined]


def test_a_pair_of_an_earlier_run_on_a_network_that_ignores_garp_is_kept_and_the_way_out_is_named() -> None:
    world = howto_world(fabric="arp-cache")
    run(world, replace(HOWTO, verify=False))
    with pytest.raises(VerificationError, match="was kept") as error:
        run(world)
    assert "haos teardown ha_first-ha_second, and the same create" in (error.value.hint or "")
