"""A second create changes what it names and nothing else; failing or killed anywhere it ends in one of the two."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.core import record
from haos.core.changes import Configure, MendGroup, UpdateRecord
from haos.core.model import Added, Pair, Port, ServiceCheck
from haos.errors import CloudError, HaosError, RemoteError, UnsatisfiableError, UsageError
from haos.workflow.create import Created, Prepared, create, prepare
from haos.workflow.request import CreateRequest, ModeChoice
from haos.workflow.teardown import teardown
from tests.fakes import PROJECT, Killed, World, add_instance, context_of, howto_world

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))
CHANGES = {
    "interval": replace(HOWTO, advertisement_interval_s=0.1),
    "priorities": replace(HOWTO, priorities=(100, 200)),
    "nopreempt": replace(HOWTO, preempt=False),
    "delay": replace(HOWTO, preempt_delay_s=20),
    "checks": replace(HOWTO, checks=(ServiceCheck("tcp:80"),)),
    "bfd": replace(HOWTO, bfd=True),
    "mode": replace(HOWTO, mode=ModeChoice.VMAC),
}


def run(world: World, request: CreateRequest = HOWTO) -> Created:
    ctx = context_of(world)
    return create(prepare(request, ctx), ctx, lambda _: None)


def planned(world: World, request: CreateRequest = HOWTO) -> Prepared:
    return prepare(request, context_of(world))


def reservation(world: World) -> Port:
    return next(port for port in world.ports.values() if port.device_owner == "haos:vip")


def recorded(world: World) -> Pair:
    return record.decode(reservation(world))


def made() -> World:
    return copy.deepcopy(MADE)


def _make() -> World:
    world = howto_world(keepalived="2.2.7")
    run(world)
    return world


MADE = _make()


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


def effects_of(what: str) -> list[str]:
    world = made()
    world.effects.names.clear()
    run(world, CHANGES[what])
    return world.effects.names


EFFECTS = {what: effects_of(what) for what in CHANGES}
POINTS = [
    (what, index, when)
    for what, names in EFFECTS.items()
    for index in range(len(names))
    for when in ("before", "after")
]


def strike(world: World, index: int, when: str, error: Callable[[], BaseException], *, once: bool) -> None:
    start = len(world.effects.names)

    def hit(at: int, name: str, moment: str) -> None:
        if (at - start, moment) == (index, when):
            if once:
                world.effects.strike = lambda *_: None
            raise error()

    world.effects.strike = hit


def failure_of(name: str) -> Callable[[], BaseException]:
    remote = name.split()[0] in {"configure", "activate", "remove", "withdraw", "reinstate"}
    return (lambda: RemoteError("the node broke")) if remote else (lambda: CloudError("HTTP 500"))


@pytest.mark.parametrize(("what", "index", "when"), POINTS, ids=[f"{w}-{EFFECTS[w][i]}-{m}" for w, i, m in POINTS])
def test_a_change_that_fails_anywhere_is_undone_and_done_by_the_next_run(what: str, index: int, when: str) -> None:
    world = made()
    before = world.snapshot()
    name = EFFECTS[what][index]
    strike(world, index, when, failure_of(name), once=True)
    try:
        run(world, CHANGES[what])
    except HaosError:
        if (name, when) != ("describe", "after"):  # an answer that is lost is the adapter's to look up
            assert world.snapshot() == before
    assert run(world, CHANGES[what]).proven
    assert not run(world).changed


@pytest.mark.parametrize(("what", "index", "when"), POINTS, ids=[f"{w}-{EFFECTS[w][i]}-{m}" for w, i, m in POINTS])
def test_a_change_that_is_killed_anywhere_is_completed_by_the_next_run(what: str, index: int, when: str) -> None:
    clean = howto_world(keepalived="2.2.7").snapshot()
    world = made()
    strike(world, index, when, Killed, once=False)
    with pytest.raises(Killed):
        run(world, CHANGES[what])
    world.effects.strike = lambda *_: None
    world.clock.sleep(60)
    assert run(world, CHANGES[what]).proven
    assert recorded(world).timing == CHANGES[what].timing()
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == clean


@pytest.mark.parametrize("nth", [1, 2])
def test_a_change_of_mode_that_is_killed_keeps_the_service_checks(nth: int) -> None:
    world = howto_world(keepalived="2.2.7")
    run(world, CHANGES["checks"])
    removals: list[str] = []

    def hit(_: int, name: str, moment: str) -> None:
        if name.startswith("remove") and moment == "after":
            removals.append(name)
            if len(removals) == nth:
                raise Killed

    world.effects.strike = hit
    with pytest.raises(Killed):
        run(world, CHANGES["mode"])
    world.effects.strike = lambda *_: None
    assert run(world, CHANGES["mode"]).pair.checks == CHANGES["checks"].checks


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
    assert len(reservation(world).description) <= 255
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
    assert "secret" not in reservation(world).description
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
    port, pair = reservation(world), recorded(world)
    members = tuple(replace(member, added=member.added & ~Added.PAIR) for member in pair.members)
    world.ports[port.id] = replace(port, description=record.encode(replace(pair, members=members)))
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
    ctx.cloud.network = None  # type: ignore[method-assign, assignment]
    with pytest.raises(error, match=reason):
        prepare(request_, ctx)


def free_port(world: World, mac: str = "fa:16:3e:00:00:99", address: str = "10.200.51.20", **more: str) -> Port:
    subnet = next(iter(world.subnets.values()))
    made = next(port for port in world.ports.values() if port.device_id)
    port = replace(
        made,
        id=world.new_id(),
        project_id=PROJECT,
        mac=mac,
        fixed_ips=(replace(made.fixed_ips[0], address=ip_address(address), subnet_id=subnet.id),),
        name="my-vip",
        device_id=more.get("device_id", ""),
        device_owner="",
        description="",
        pairs=(),
        group_ids=(),
    )
    world.ports[port.id] = port
    return port


@pytest.mark.parametrize(("mac", "vrid"), [("fa:16:3e:00:00:99", 1), ("00:00:5e:00:01:4d", 77)])
def test_a_free_reservation_port_is_adopted_and_given_back(mac: str, vrid: int) -> None:
    world = howto_world(keepalived="2.2.7")
    port = free_port(world, mac)
    before = world.snapshot()
    created = run(world, replace(HOWTO, vip=ip_address("10.200.51.20")))
    assert created.proven
    assert created.pair.reservation_id == port.id
    assert created.pair.vrid == vrid
    assert world.ports[port.id].name == "my-vip"
    assert not run(world).changed
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_the_vrid_of_an_adopted_port_is_taken_for_others() -> None:
    world = howto_world()
    free_port(world)
    run(world, replace(HOWTO, vip=ip_address("10.200.51.20"), name="one"))
    assert planned(world, replace(HOWTO, name="two")).pair.vrid == 2


def test_a_port_in_use_is_not_adopted() -> None:
    world = howto_world()
    free_port(world, device_id="somebody")
    with pytest.raises(UnsatisfiableError, match="fixed IP of port my-vip"):
        run(world, replace(HOWTO, vip=ip_address("10.200.51.20")))


def test_adoption_that_fails_is_given_back() -> None:
    world = howto_world(keepalived="2.2.7")
    free_port(world)
    before = world.snapshot()
    world.takeover_s = 2.0
    with pytest.raises(HaosError):
        run(world, replace(HOWTO, vip=ip_address("10.200.51.20")))
    assert world.snapshot() == before


def test_a_port_that_somebody_else_adopts_first_stays_his() -> None:
    world = howto_world(keepalived="2.2.7")
    free_port(world)
    request = replace(HOWTO, vip=ip_address("10.200.51.20"))
    slow = planned(world, replace(request, name="slow"))
    run(world, replace(request, name="quick"))
    before = world.snapshot()
    with pytest.raises(CloudError, match="changed"):
        create(slow, context_of(world), lambda _: None)
    assert world.snapshot() == before


def test_a_record_that_somebody_else_has_rewritten_meanwhile_stays_his() -> None:
    world = made()
    slow = planned(world, CHANGES["interval"])
    run(world, CHANGES["delay"])
    before = world.snapshot()
    with pytest.raises(CloudError, match="changed"):
        create(slow, context_of(world), lambda _: None)
    assert world.snapshot() == before
