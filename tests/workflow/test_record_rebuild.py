"""A record that is edited, or gone with its port: written anew from the nodes and the cloud, or refused with why."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest

from haos.core.changes import AdoptPort, ReserveVip, UpdateRecord
from haos.core.floating import FloatingWish
from haos.core.model import Added, FixedIp, Mode, Pair, Port
from haos.core.names import group_mark
from haos.core.rebuild_cloud import MarkFloatingIp, MarkGroup, RebuiltRecord
from haos.errors import HaosError, NotFoundError, RemoteError, UnsatisfiableError, UsageError
from haos.workflow import repair
from haos.workflow.create import create, prepare
from haos.workflow.rebuild import plan_record, rebuild
from haos.workflow.request import CreateRequest, ModeChoice
from haos.workflow.status import status
from haos.workflow.switchover import prepare as prepare_switchover
from haos.workflow.switchover import switchover
from haos.workflow.teardown import teardown
from tests.fakes import (
    NETWORK,
    PROJECT,
    SUBNET,
    FakeCloud,
    Killed,
    World,
    add_instance,
    context_of,
    howto_world,
    killed_at,
    node,
    port_of,
    routed_world,
)
from tests.fakes.floating import add_floating_ip
from tests.records import edit_port, edit_record, recorded, reservation_of
from tests.workflow.tampering import FOREIGN, IDENTITY, SETTINGS, UNREADABLE

NODES = ("ha_first", "ha_second")
HOWTO = CreateRequest("ha_lab", NODES)
NAME = "ha_first-ha_second"
REQUESTS = {
    "garp": HOWTO,
    "vmac": replace(HOWTO, mode=ModeChoice.VMAC),
    "slow, no preemption": replace(HOWTO, advertisement_interval_s=1.0, preempt=False),
    "BFD, priorities": replace(HOWTO, bfd=True, priorities=(90, 100)),
}


def blank() -> World:
    world = routed_world()
    add_instance(world, "stranger", 40, "fa:16:3e:00:00:40")
    return world


def made(request: CreateRequest = HOWTO) -> World:
    world = blank()
    ctx = context_of(world)
    create(prepare(request, ctx), ctx, lambda _: None)
    return world


def planned(world: World, *names: str, as_on: str | None = None, network: str = "ha_lab") -> RebuiltRecord:
    return plan_record(NAME, network, names or NODES, context_of(world), as_on=as_on)


def written_anew(world: World, *names: str, as_on: str | None = None) -> RebuiltRecord:
    found = planned(world, *names, as_on=as_on)
    pair = rebuild(found, context_of(world))
    assert pair == recorded(world)
    return found


def mended(world: World) -> None:
    """Let an ordinary repair do the rest; then all is well."""
    ctx = context_of(world)
    repair.repair(repair.prepare(NAME, None, ctx), ctx, lambda _: None)
    seen = status(NAME, None, context_of(world))
    assert seen.healthy, [str(trouble) for trouble in seen.troubles]
    assert not [trouble for trouble in seen.troubles if trouble.code == "record"]


def lose_port(world: World) -> Port:
    port = reservation_of(world)
    FakeCloud(world).delete_port(port.id)
    return port


def refused(world: World, *names: str, as_on: str | None = None) -> HaosError:
    before = world.snapshot()
    with pytest.raises(HaosError) as caught:
        planned(world, *names, as_on=as_on)
    assert world.snapshot() == before
    assert caught.value.hint
    assert "\n" not in f"{caught.value}{caught.value.hint}"
    return caught.value


EDITS = UNREADABLE | IDENTITY | SETTINGS
MOVED = {"another address": "ip-address=10.200.51.2", "two addresses": "openstack port show"}
"""edit -> what is said of it: the VIP is not haos's to give back"""


@pytest.mark.parametrize("edit", [edit for edit in EDITS if edit not in MOVED and edit != "another VRID"])
def test_whatever_was_written_there_the_record_is_as_it_was(edit: str) -> None:
    world = made()
    before, files = world.snapshot(), {one.mac: dict(one.files) for one in world.nodes.values()}
    was = recorded(world)
    EDITS[edit](world)
    written_anew(world)
    now = recorded(world)
    kept = edit in IDENTITY or edit in SETTINGS
    if edit == "another MAC":
        assert (now.plain_mac, now.vrid) == (True, was.vrid), "Neutron's MAC is not the virtual one any more"
    else:
        assert now == replace(was, verified=kept)
    assert {one.mac: one.files for one in world.nodes.values()} == files
    mended(world)
    if edit not in ("another MAC",):
        edit_record(world, verified=True)
        assert world.snapshot() == before
    teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == blank().snapshot()


@pytest.mark.parametrize("edit", MOVED)
def test_a_port_that_was_moved_is_named_with_what_moves_it_back(edit: str) -> None:
    world = made()
    EDITS[edit](world)
    error = refused(world)
    assert isinstance(error, UnsatisfiableError)
    assert MOVED[edit] in str(error.hint)


def test_a_port_whose_mac_says_another_vrid_is_refused() -> None:
    world = made()
    IDENTITY["another VRID"](world)
    error = refused(world)
    assert "VRID 99" in error.reason
    assert "openstack port delete" in str(error.hint)
    lose_port(world)
    written_anew(world)
    mended(world)


@pytest.mark.parametrize("edit", FOREIGN)
def test_what_is_another_projects_does_not_come_back(edit: str) -> None:
    world = made()
    was = recorded(world)
    FOREIGN[edit](world)
    written_anew(world)
    assert replace(recorded(world), verified=True) == was


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_port_that_was_deleted_is_made_again_with_all_that_belonged_to_it(kind: str) -> None:
    world = made(REQUESTS[kind])
    was, files = recorded(world), {one.mac: dict(one.files) for one in world.nodes.values()}
    lost = lose_port(world)
    found = written_anew(world)
    now = recorded(world)
    assert now == replace(was, verified=False, reservation_id=now.reservation_id)
    port = reservation_of(world)
    assert (port.mac, port.fixed_ips, port.name, port.device_id) == (
        lost.mac,
        lost.fixed_ips,
        lost.name,
        lost.device_id,
    )
    [group] = [one for one in world.groups.values() if one.name == f"haos-{NAME}"]
    assert group.description == group_mark(port.id)
    assert [type(change) for change in found.changes] == [ReserveVip, MarkGroup]
    assert {one.mac: one.files for one in world.nodes.values()} == files, "the nodes did not notice"
    seen = status(NAME, None, context_of(world))
    assert seen.healthy, [str(trouble) for trouble in seen.troubles]
    teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == blank().snapshot()


def test_nothing_to_write_is_said() -> None:
    world = made()
    assert planned(world).changes == ()
    assert planned(world).new == reservation_of(world).description


def test_the_name_may_be_the_nodes_own() -> None:
    world = made()
    lose_port(world)
    assert plan_record(None, NETWORK, NODES, context_of(world)).pair.name == NAME


@pytest.mark.parametrize("wish", [FloatingWish(), FloatingWish(address=IPv4Address("172.24.4.77"))], ids=str)
@pytest.mark.parametrize("how", ["garbage", "deleted"])
def test_its_floating_ip_comes_back_where_it_can_be_told(how: str, wish: FloatingWish) -> None:
    world = blank()
    add_floating_ip(world, 77)
    before = world.snapshot()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, floating=wish), ctx), ctx, lambda _: None)
    was = recorded(world)
    if how == "garbage":
        edit_port(world, description="garbage")
    else:
        lose_port(world)
    found = written_anew(world)
    mended(world)
    leading = [ip for ip in world.floating.values() if ip.port_id == reservation_of(world).id]
    if wish.address is None:
        assert recorded(world).floating == was.floating
        assert len(leading) == 1
        assert bool([one for one in found.changes if isinstance(one, MarkFloatingIp)]) == (how == "deleted")
        teardown(NAME, purge=True, ctx=context_of(world))
        assert world.snapshot() == before
    else:
        assert recorded(world).floating is None, "who associated it stood in the record alone"
        assert len(leading) == (1 if how == "garbage" else 0)


def test_a_floating_ip_that_may_be_anybodys_is_named_and_left_alone() -> None:
    world = made()
    spare = add_floating_ip(world, 50, description="haos:vip 99999999-0000-4000-8000-000000000009")
    alive = add_floating_ip(world, 51, description=f"haos:vip {reservation_of(world).id}")
    lose_port(world)
    found = written_anew(world)
    assert any("172.24.4.50" in note for note in found.notes)
    assert world.floating[spare.id] == spare
    assert world.floating[alive.id].port_id == reservation_of(world).id, "made for the port that is gone"


def test_no_group_where_none_was_needed() -> None:
    world = blank()
    for port in [port for port in world.ports.values() if port.device_owner == "compute:nova"]:
        world.ports[port.id] = replace(port, port_security=False, group_ids=(), pairs=())
    before = world.snapshot()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, mode=ModeChoice.VMAC), ctx), ctx, lambda _: None)
    was = recorded(world)
    assert was.plain_mac
    lose_port(world)
    found = written_anew(world)
    assert [type(change) for change in found.changes] == [ReserveVip]
    assert recorded(world).plain_mac
    assert recorded(world).vrid == was.vrid
    mended(world)
    teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_an_adopted_port_is_given_back_after_all() -> None:
    world = blank()
    own = Port("11111111-0000-4000-8000-000000000001", NETWORK, PROJECT, "fa:16:3e:00:00:77",
               (FixedIp(ip_address("10.200.51.7"), SUBNET),), name="mine", revision=1)  # fmt: skip
    world.ports[own.id] = own
    before = world.snapshot()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, vip=ip_address("10.200.51.7")), ctx), ctx, lambda _: None)
    assert recorded(world).adopted
    FakeCloud(world).release_adopted(own.id)
    found = written_anew(world)
    assert [type(change) for change in found.changes] == [AdoptPort]
    assert recorded(world).adopted
    mended(world)
    teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_haoss_own_port_that_lost_its_marks_is_haoss_own_still() -> None:
    world = made()
    edit_port(world, device_owner="", device_id="", description="")
    found = planned(world)
    assert [type(change) for change in found.changes] == [AdoptPort]
    rebuild(found, context_of(world))
    assert not recorded(world).adopted
    mended(world)


@pytest.mark.parametrize(
    ("changes", "who"),
    [
        ({"device_owner": "compute:nova", "device_id": "5"}, "of compute:nova 5"),
        ({"project_id": "somebody else"}, "of another project"),
        ({"device_id": "haos-db", "name": "haos-vip-db", "description": "x"}, "of haos:vip haos-db"),
    ],
)
def test_a_vip_that_was_given_away_is_refused_with_whose_it_is(changes: dict[str, str], who: str) -> None:
    world = made()
    edit_port(world, **changes)
    error = refused(world)
    assert error.exit_code == 5
    assert "VIP 10.200.51.2" in error.reason
    assert who in error.reason


def test_a_vip_in_somebodys_address_pair_is_refused() -> None:
    world = made()
    lose_port(world)
    port = port_of(world, "stranger")
    mine = port_of(world, "ha_first").pairs[-1]
    world.ports[port.id] = replace(port, pairs=(mine,))
    error = refused(world)
    assert "was given away" in error.reason


@pytest.mark.parametrize("kind", ["garp", "vmac"])
def test_a_vrid_that_was_given_away_is_no_longer_locked_or_refused(kind: str) -> None:
    world = made(REQUESTS[kind])
    mac = lose_port(world).mac
    other = add_instance(world, "other", 60, mac)
    if kind == "vmac":
        assert "virtual MAC address" in refused(world).reason
        return
    found = written_anew(world)
    assert recorded(world).plain_mac
    assert any("another port has the virtual MAC" in note for note in found.notes)
    del world.instances[other.id], world.nodes[other.id]
    mended(world)


Disagree = Callable[[World], object]


def one_differs(world: World) -> None:
    """A change was killed between two nodes, and then the record was lost."""
    stale = made()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, advertisement_interval_s=1.0), ctx), ctx, lambda _: None)
    node(world, "ha_second").files = node(stale, "ha_second").files


def test_nodes_that_contradict_each_other_are_not_guessed_at() -> None:
    world = made()
    one_differs(world)
    edit_port(world, description="garbage")
    error = refused(world)
    assert "ha_first and ha_second do not agree" in error.reason
    assert "interval 1 s" in error.reason
    assert "interval 0.3 s" in error.reason
    assert "--as-on ha_first" in str(error.hint)
    assert isinstance(refused(world, as_on="stranger"), NotFoundError)
    for name, interval_s in (("ha_second", 0.3), ("ha_first", 1.0)):
        fresh = copy.deepcopy(world)
        written_anew(fresh, as_on=name)
        assert recorded(fresh).timing.advertisement_interval_s == interval_s
        mended(fresh)


def test_a_record_that_can_be_read_tells_which_of_two_is_right() -> None:
    world = made()
    one_differs(world)
    assert planned(world).pair.timing.advertisement_interval_s == 1.0


def test_a_node_that_was_emptied_is_taken_as_the_other_says() -> None:
    world = made()
    was = recorded(world)
    lose_port(world)
    second = node(world, "ha_second")
    second.files.clear()
    second.package, second.daemon = None, False
    found = written_anew(world)
    assert "ha_second says nothing of the pair: its part is taken from ha_first's own file" in found.notes
    assert recorded(world).members == was.members
    mended(world)


def test_a_node_out_of_reach_is_told_and_no_obstacle() -> None:
    world = made()
    edit_port(world, description="")
    world.unreachable.add(node(world, "ha_second").instance.id)
    found = written_anew(world)
    assert any(note.startswith("ha_second could not be looked at") for note in found.notes)
    world.unreachable.add(node(world, "ha_first").instance.id)
    assert isinstance(refused(world), RemoteError)


def test_a_node_that_is_gone_stays_in_the_record_for_its_exchange() -> None:
    world = made()
    was = recorded(world)
    lose_port(world)
    second = node(world, "ha_second")
    del world.ports[port_of(world, "ha_second").id], world.instances[second.instance.id]
    del world.nodes[second.instance.id]
    written_anew(world, "ha_first")
    assert recorded(world).members == was.members


def test_every_node_is_to_be_named_and_nobody_else() -> None:
    world = made()
    edit_port(world, description="garbage")
    left_out = refused(world, "ha_first")
    assert node(world, "ha_second").instance.id in left_out.reason
    assert "name them in --nodes too" in str(left_out.hint)
    for names in (("ha_first", "stranger"), (*NODES, "stranger")):
        assert "stranger is no node of pair" in refused(world, *names).reason
    assert "no file on observer, stranger says" in refused(world, "observer", "stranger").reason
    assert isinstance(refused(world, "nobody"), NotFoundError)
    assert isinstance(refused(world, *["ha_first"] * 2), UsageError)
    assert isinstance(refused(world, *(f"n{number}" for number in range(6))), UsageError)


def test_whoever_is_not_named_is_never_logged_in_to() -> None:
    world = made()
    IDENTITY["the observer as a node"](world)
    for name in ("observer", "stranger"):
        world.unreachable.add(node(world, name).instance.id)
    found = planned(world)
    assert not [note for note in found.notes if "could not be looked at" in note]


@pytest.mark.parametrize("how", ["garbage", "deleted", "with a floating IP"])
def test_killed_anywhere_the_same_command_goes_on(how: str) -> None:
    def lost() -> World:
        world = blank()
        ctx = context_of(world)
        wish = FloatingWish() if how == "with a floating IP" else None
        create(prepare(replace(HOWTO, floating=wish), ctx), ctx, lambda _: None)
        if how == "garbage":
            edit_port(world, description="garbage")
        else:
            lose_port(world)
        return world

    undisturbed = lost()
    written_anew(undisturbed)
    count = len(undisturbed.effects.names) - len(lost().effects.names)
    assert count == {"garbage": 1, "deleted": 2, "with a floating IP": 4}[how]
    for at in range(count):
        for when in ("before", "after"):
            world = lost()
            done = len(world.effects.names)
            world.effects.strike = killed_at(done + at, when)
            with pytest.raises(Killed):
                written_anew(world)
            world.effects.strike = lambda *_: None
            written_anew(world)
            mended(world)
            edit_record(world, verified=False)
            teardown(NAME, purge=True, ctx=context_of(world))
            assert world.snapshot() == blank().snapshot(), (at, when)


def test_a_switchover_before_is_not_forgotten() -> None:
    world = made()
    ctx = context_of(world)
    switchover(prepare_switchover(NAME, "ha_second", back=False, observer_ref=None, ctx=ctx), ctx)
    was = recorded(world)
    lose_port(world)
    written_anew(world)
    assert recorded(world).members == was.members
    assert recorded(world).preferred == was.members[1]


def test_what_haos_added_is_known_by_all_files_together_and_by_the_marks() -> None:
    world = howto_world(keepalived="2.2.7")
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    assert all(Added.PACKAGE not in one.added for one in recorded(world).members)
    node(world, "ha_second").package_by_haos = True  # installed again since, by haos
    edit_port(world, description="garbage")
    written_anew(world)
    assert [Added.PACKAGE in one.added for one in recorded(world).members] == [False, True]


def test_the_plan_says_of_everything_how_it_is_known() -> None:
    world = made()
    edit_port(world, description="garbage")
    found = planned(world)
    assert [type(change) for change in found.changes] == [UpdateRecord]
    assert {one.what: (one.value, one.how) for one in found.known} == {
        "VIP": ("10.200.51.2", "ha_first and ha_second's own files"),
        "VRID": ("1", "ha_first and ha_second's own files"),
        "mode": ("garp", "ha_first and ha_second's own files"),
        "timing": ("interval 0.3 s, preempt delay 5 s", "ha_first and ha_second's own files"),
        "priorities": ("ha_first 240, ha_second 230", "ha_first and ha_second's own files"),
        "what haos added": (
            "ha_first: address pair, security group, package; ha_second: address pair, security group, package",
            "ha_first and ha_second's own files; packages: haos's own marks on the nodes",
        ),
        "reservation port": (f"haos-vip-{NAME}", "it has 10.200.51.2"),
        "proven": ("no", "assumed: nobody but the record knew; the next create tries a failover"),
    }
    assert found.old == "garbage"
    assert found.notes == ()


def test_a_pair_on_another_network_is_not_taken_for_it() -> None:
    world = made()
    pair: Pair = recorded(world)
    assert pair.mode is Mode.GARP
    other = "77777777-0000-4000-8000-000000000007"
    world.networks[other] = replace(world.networks[NETWORK], id=other, name="other")
    with pytest.raises(UnsatisfiableError, match="has no port of this project's on network other"):
        planned(world, network="other")
