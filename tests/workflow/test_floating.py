"""A floating IP of a pair over the in-memory world: made, taken, put back, given up; failed and killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from haos.core import record
from haos.core.changes import AdmitVip, MakeFloatingIp, MakeGroup, ReserveVip, TakeFloatingIp, UpdateRecord
from haos.core.floating import FloatingWish
from haos.core.model import FixedIp, FloatingIp, Mode, OwnFloatingIp, Pair, Port
from haos.core.outage import Verdict
from haos.errors import (
    CloudError,
    ForbiddenError,
    HaosError,
    NotFoundError,
    RemoteError,
    UnsatisfiableError,
    VerificationError,
)
from haos.workflow.check import check, check_pair
from haos.workflow.context import Context
from haos.workflow.create import Created, create, prepare
from haos.workflow.listing import list_pairs
from haos.workflow.repair import prepare as prepare_repair
from haos.workflow.request import CreateRequest
from haos.workflow.status import status
from haos.workflow.teardown import plan_teardown, teardown
from tests.fakes import NETWORK, PROJECT, SUBNET, FakeCloud, World, context_of, howto_world, routed_world
from tests.fakes.floating import PUBLIC, add_floating_ip
from tests.records import reservation_of

PLAIN = CreateRequest("ha_lab", ("ha_first", "ha_second"))
ANY = replace(PLAIN, floating=FloatingWish())
TAKEN = replace(PLAIN, floating=FloatingWish(address=IPv4Address("172.24.4.99")))
SPARE = 99


def run(world: World, request: CreateRequest = ANY) -> Created:
    ctx = context_of(world)
    return create(prepare(request, ctx), ctx, lambda _: None)


def pair_of(world: World) -> Pair:
    return record.decode(reservation_of(world))


def leading(world: World) -> list[FloatingIp]:
    return [ip for ip in world.floating.values() if ip.port_id == reservation_of(world).id]


@pytest.mark.parametrize(
    "look",
    [
        lambda ctx: status(None, None, ctx),
        lambda ctx: list_pairs(ctx.cloud),
        lambda ctx: prepare(PLAIN, ctx),
        lambda ctx: prepare(ANY, ctx),
        lambda ctx: prepare_repair(None, None, ctx, verify=False),
    ],
)
def test_a_floating_ip_of_haos_that_may_not_be_seen_is_not_called_gone(look: Callable[[Context], object]) -> None:
    world = routed_world()
    run(world)
    world.floating_hidden = True
    with pytest.raises(ForbiddenError, match="cannot list floating IPs"):
        look(context_of(world))


def test_where_floating_ips_may_not_be_seen_a_pair_without_one_is_well() -> None:
    world = routed_world()
    run(world, PLAIN)
    world.floating_hidden = True
    assert status(None, None, context_of(world)).healthy
    assert [row.status for row in list_pairs(context_of(world).cloud)] == ["ok"]


def refused(world: World, request: CreateRequest) -> str:
    """Return the code of what stops it, in check as in create; nothing may have changed."""
    before = world.snapshot()
    report = check(request, context_of(world))
    [blocker] = [one for one in report.findings if one.severity == "blocker"]
    with pytest.raises(UnsatisfiableError) as error:
        prepare(request, context_of(world))
    assert (error.value.reason, error.value.hint) == (blocker.reason, blocker.remedy)
    assert error.value.exit_code == 5
    assert world.snapshot() == before
    return blocker.code


def test_it_is_made_once_the_ports_may_speak_for_the_vip() -> None:
    world = routed_world()
    prepared = prepare(ANY, context_of(world))
    kinds = [type(change) for change in prepared.plan.changes]
    assert kinds[:5] == [ReserveVip, MakeGroup, AdmitVip, AdmitVip, MakeFloatingIp]
    created = run(world)
    [made] = leading(world)
    assert created.floating == made
    assert created.verification is not None
    assert created.verification.verdict is Verdict.PASS
    assert (made.network_id, made.description) == (PUBLIC, f"haos:vip {reservation_of(world).id}")
    assert pair_of(world).floating == OwnFloatingIp()


@pytest.mark.parametrize("network", ["public", PUBLIC])
def test_a_network_may_be_named(network: str) -> None:
    world = routed_world()
    assert run(world, replace(PLAIN, floating=FloatingWish(network))).floating
    assert [ip.network_id for ip in leading(world)] == [PUBLIC]


def test_a_free_one_is_taken_and_given_back() -> None:
    world = routed_world()
    add_floating_ip(world, SPARE, description="of the shop")
    before = world.snapshot()
    assert run(world, TAKEN).floating == leading(world)[0]
    assert pair_of(world).floating == OwnFloatingIp(IPv4Address("172.24.4.99"))
    assert leading(world)[0].description == "of the shop"
    torn = teardown(None, purge=True, ctx=context_of(world))
    assert "dissociated floating IP 172.24.4.99, which stays the project's" in torn.done
    assert world.snapshot() == before


def test_what_was_made_goes_with_the_pair() -> None:
    world = routed_world()
    before = world.snapshot()
    run(world)
    [made] = leading(world)
    assert f"floating IP {made.address} ({made.id})" in plan_teardown(None, purge=True, ctx=context_of(world)).done
    assert f"deleted floating IP {made.address}" in teardown(None, purge=True, ctx=context_of(world)).done
    assert world.snapshot() == before


@pytest.mark.parametrize("request_", [ANY, replace(PLAIN, floating=FloatingWish("public")), TAKEN, PLAIN])
def test_again_it_changes_nothing(request_: CreateRequest) -> None:
    world = routed_world()
    add_floating_ip(world, SPARE)
    run(world, TAKEN if request_ is TAKEN else ANY)
    world.effects.names.clear()
    again = run(world, request_)
    assert world.effects.names == []
    assert not again.changed
    assert again.floating == leading(world)[0]


def test_requests_are_made_only_where_there_is_something_to_ask() -> None:
    world = routed_world()

    def requests(request: CreateRequest) -> int:
        ctx = context_of(world)
        prepare(request, ctx)
        assert isinstance(ctx.cloud, FakeCloud)
        return ctx.cloud.requests

    assert requests(PLAIN) == 0
    assert requests(ANY) == 1, "the routers"
    run(world, PLAIN)
    assert requests(PLAIN) == 0
    assert requests(ANY) == 2
    run(world)
    assert (requests(PLAIN), requests(ANY)) == (1, 1)


def test_it_can_be_added_to_a_pair_that_is_there() -> None:
    world = routed_world()
    run(world, PLAIN)
    world.effects.names.clear()
    kinds = [type(change) for change in prepare(ANY, context_of(world)).plan.changes]
    assert kinds == [UpdateRecord, MakeFloatingIp]
    run(world)
    assert world.effects.names == ["describe", "make floating ip"]
    assert pair_of(world).verified


def test_one_that_somebody_associated_by_hand_is_enough_and_stays_his() -> None:
    world = routed_world()
    run(world, PLAIN)
    by_hand = add_floating_ip(world, SPARE, port_id=reservation_of(world).id)
    assert run(world).floating == by_hand
    assert pair_of(world).floating is None
    torn = teardown(None, purge=True, ctx=context_of(world))
    assert torn.kept == (
        "floating IP 172.24.4.99, which haos did not associate, leads nowhere without its port, and stays the "
        "project's",
    )
    [left] = world.floating.values()
    assert left.port_id is None


def test_on_an_adopted_port_the_owners_floating_ip_stays_where_it_was() -> None:
    world = routed_world()
    vip = ip_address("10.200.51.5")
    mine = Port(world.new_id(), NETWORK, PROJECT, "fa:16:3e:00:00:05", (FixedIp(vip, SUBNET),), revision=1)
    world.ports[mine.id] = mine
    add_floating_ip(world, SPARE, port_id=mine.id)
    before = world.snapshot()
    assert run(world, replace(ANY, vip=vip)).floating
    [kept] = teardown(None, purge=True, ctx=context_of(world)).kept
    assert kept.endswith("stays on the port")
    assert world.snapshot() == before


def test_what_haos_took_is_taken_off_an_adopted_port() -> None:
    world = routed_world()
    vip = ip_address("10.200.51.5")
    mine = Port(world.new_id(), NETWORK, PROJECT, "fa:16:3e:00:00:05", (FixedIp(vip, SUBNET),), revision=1)
    world.ports[mine.id] = mine
    add_floating_ip(world, SPARE)
    before = world.snapshot()
    run(world, replace(TAKEN, vip=vip))
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_what_leads_elsewhere_by_now_is_left_alone_by_teardown() -> None:
    world = routed_world()
    run(world)
    [made] = leading(world)
    world.floating[made.id] = replace(made, port_id="elsewhere")
    assert any("is left alone" in line for line in plan_teardown(None, purge=True, ctx=context_of(world)).kept)
    torn = teardown(None, purge=True, ctx=context_of(world))
    assert torn.kept == (
        f"floating IP {made.address}, which haos made, is left alone: it is associated with port elsewhere by now",
    )
    assert [ip.port_id for ip in world.floating.values()] == ["elsewhere"]


def test_what_is_dissociated_is_put_back_by_a_plain_create() -> None:
    world = routed_world()
    run(world)
    [made] = leading(world)
    world.floating[made.id] = replace(made, port_id=None)
    report = check_pair(None, None, context_of(world))
    assert [finding.code for finding in report.findings] == ["drifted"]
    assert [type(change) for change in prepare(PLAIN, context_of(world)).plan.changes] == [TakeFloatingIp]
    assert run(world, PLAIN).floating == leading(world)[0]


def test_what_is_gone_is_given_up_by_a_plain_create_and_made_anew_on_demand() -> None:
    world = routed_world()
    run(world)
    world.floating.clear()
    report = check_pair(None, None, context_of(world))
    assert {finding.code for finding in report.findings} == {"drifted", "floating-lost"}
    assert [type(change) for change in prepare(ANY, context_of(world)).plan.changes] == [MakeFloatingIp]
    prepared = prepare(PLAIN, context_of(world))
    assert [finding.code for finding in prepared.warnings] == ["floating-lost"]
    assert [type(change) for change in prepared.plan.changes] == [UpdateRecord]
    run(world, PLAIN)
    assert pair_of(world).floating is None
    assert run(world).floating


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        (lambda world, ip: world.floating.clear(), "floating-ip", "the floating IP that haos made for it is gone"),
        (
            lambda world, ip: world.floating.update({ip.id: replace(ip, port_id="x")}),
            "floating-ip",
            "its floating IP 172.24.4.10 is associated with port x by now",
        ),
        (
            lambda world, ip: world.floating.update({ip.id: replace(ip, port_id=None)}),
            "floating-ip",
            "its floating IP 172.24.4.10 is associated with nothing by now",
        ),
    ],
)
def test_status_and_list_name_the_drift(change: Callable[[World, FloatingIp], None], code: str, reason: str) -> None:
    world = routed_world()
    run(world)
    [made] = leading(world)
    seen = status(None, None, context_of(world))
    assert (seen.floating, seen.healthy) == ((made,), True)
    assert [(one.floating, one.status) for one in list_pairs(FakeCloud(world))] == [((made.address,), "ok")]
    change(world, made)
    seen = status(None, None, context_of(world))
    [trouble] = seen.troubles
    assert (trouble.code, trouble.reason, trouble.grave) == (code, reason, True)
    assert (trouble.remedy or "").endswith("ha_second" if "nothing" in reason else "--floating-ip")
    assert seen.floating == ()
    assert [(one.floating, one.status) for one in list_pairs(FakeCloud(world))] == [((), reason)]


def test_status_asks_only_where_a_floating_ip_may_lead() -> None:
    world = howto_world()
    run(world, PLAIN)
    ctx = context_of(world)
    status(None, None, ctx)
    assert isinstance(ctx.cloud, FakeCloud)
    assert ctx.cloud.requests == 0
    world = routed_world()
    run(world, PLAIN)
    by_hand = add_floating_ip(world, SPARE, port_id=reservation_of(world).id)
    assert status(None, None, context_of(world)).floating == (by_hand,)


def test_every_refusal_comes_before_anything_is_changed() -> None:
    world = routed_world()
    assert refused(world, TAKEN) == "floating-missing"
    add_floating_ip(world, SPARE, port_id="elsewhere")
    assert refused(world, TAKEN) == "floating-in-use"
    assert refused(world, replace(PLAIN, floating=FloatingWish("ha_lab"))) == "floating-network"
    assert refused(howto_world(), ANY) == "floating-no-router"
    assert refused(routed_world(gateway=False), ANY) == "floating-no-router"
    world.floating_left = 0
    assert refused(world, ANY) == "quota-floatingip"
    with pytest.raises(NotFoundError):
        prepare(replace(PLAIN, floating=FloatingWish("nowhere")), context_of(world))


def test_a_pair_that_is_there_is_refused_for_the_same_reasons() -> None:
    world = routed_world()
    run(world, PLAIN)
    world.floating_left = 0
    assert refused(world, ANY) == "quota-floatingip"
    world.floating_left = 50
    run(world)
    add_floating_ip(world, SPARE)
    assert refused(world, TAKEN) == "floating-other"


def test_ipv6_has_none() -> None:
    world = routed_world()
    world.subnets[SUBNET] = replace(world.subnets[SUBNET], cidr=ip_network("fd00:51::/64"), pools=(), gateway=None)
    for port in [port for port in world.ports.values() if port.device_owner == "compute:nova"]:
        inside = ip_address(f"fd00:51::{port.fixed_ips[0].address.packed[-1]:x}")
        world.ports[port.id] = replace(port, fixed_ips=(FixedIp(inside, SUBNET),), pairs=())
    codes = [
        one.code for one in check(replace(ANY, verify=False), context_of(world)).findings if one.severity == "blocker"
    ]
    assert codes == ["floating-ipv6"]


def test_somebody_who_is_faster_keeps_it() -> None:
    world = routed_world()
    spare = add_floating_ip(world, SPARE)
    before = {key: port for key, port in world.ports.items()}
    ctx = context_of(world)
    prepared = prepare(TAKEN, ctx)
    world.floating[spare.id] = replace(spare, port_id="elsewhere", revision=2)
    with pytest.raises(CloudError, match="was associated with port elsewhere meanwhile"):
        create(prepared, ctx, lambda _: None)
    assert world.floating[spare.id].port_id == "elsewhere"
    assert set(world.ports) == set(before)


def test_a_pair_that_fails_its_proof_loses_it_again() -> None:
    world = routed_world()
    world.takeover_s = 2.0
    before = world.snapshot()
    with pytest.raises(VerificationError):
        run(world)
    assert world.snapshot() == before


def points(request: CreateRequest, first: CreateRequest | None = None) -> list[tuple[int, str, str]]:
    world = prepared_world(first)
    run(world, request)
    return [(index, name, when) for index, name in enumerate(world.effects.names) for when in ("before", "after")]


def prepared_world(first: CreateRequest | None) -> World:
    world = routed_world(keepalived="2.2.7")
    add_floating_ip(world, SPARE, description="of the shop")
    if first is not None:
        run(world, first)
        world.effects.names.clear()
    return world


def strike_at(world: World, index: int, when: str, error: Callable[[], BaseException], *, once: bool) -> None:
    def strike(at: int, name: str, moment: str) -> None:
        if (at, moment) == (index, when):
            if once:
                world.effects.strike = lambda *_: None
            raise error()

    world.effects.strike = strike


def near(point: tuple[int, str, str]) -> bool:
    """Say whether an effect is the floating IP's, or its neighbour: the others have tests of their own."""
    return point[1] in ("reserve", "describe", "make floating ip", "take floating ip", "configure ha_second")


CASES = [
    (request, first, point)
    for request, first in ((ANY, None), (TAKEN, None), (ANY, PLAIN), (TAKEN, PLAIN))
    for point in points(request, first)
    if near(point)
]
IDS = [f"{'taken' if r is TAKEN else 'made'}-{'later' if f else 'new'}-{n}-{i}-{w}" for r, f, (i, n, w) in CASES]


@pytest.mark.parametrize(("request_", "first", "point"), CASES, ids=IDS)
def test_failing_leaves_what_was_there_and_a_rerun_completes(
    request_: CreateRequest, first: CreateRequest | None, point: tuple[int, str, str]
) -> None:
    index, name, when = point
    world = prepared_world(first)
    before = world.snapshot()
    error = RemoteError("the node broke") if "ha_" in name else CloudError("HTTP 500")
    strike_at(world, index, when, lambda: error, once=True)
    try:
        run(world, request_)
    except HaosError:
        lost_answer = name == "reserve" and when == "after"  # the adapter's part
        assert lost_answer or world.snapshot() == before
    else:
        assert name == "describe", "the note in the record that the pair is proven"
    assert run(world, request_).floating == leading(world)[0]
    teardown(None, purge=True, ctx=context_of(world))
    assert [(ip.address, ip.port_id) for ip in world.floating.values()] == [(IPv4Address("172.24.4.99"), None)]


@pytest.mark.parametrize("request_", [ANY, TAKEN])
def test_where_another_mode_is_tried_it_is_undone_and_given_anew(request_: CreateRequest) -> None:
    world = prepared_world(None)
    world.fabric = "arp-cache"
    created = run(world, request_)
    assert created.pair.mode is Mode.VMAC
    assert [created.floating] == leading(world)
    assert len(world.floating) == (1 if request_ is TAKEN else 2), "the spare one, and one that was made"
    effects = [name for name in world.effects.names if name.endswith("floating ip")]
    there, back = ("take", "release") if request_ is TAKEN else ("make", "delete")
    assert effects == [f"{there} floating ip", f"{back} floating ip", f"{there} floating ip"]
