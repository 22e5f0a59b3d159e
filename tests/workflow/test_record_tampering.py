"""A record that somebody edited: every command says so in one line and steers nothing by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, ip_address

import pytest

from haos.core.intent import CloudFault, Intent
from haos.core.model import (
    Added,
    AddressPair,
    FixedIp,
    FloatingIp,
    Member,
    Mode,
    OwnFloatingIp,
    Pair,
    Port,
    ServiceCheck,
)
from haos.errors import HaosError, NotFoundError, RecordError, UnsatisfiableError
from haos.workflow import repair, switchover
from haos.workflow.check import check, check_pair
from haos.workflow.create import Created, create, prepare
from haos.workflow.failover import plan_failover
from haos.workflow.listing import list_pairs
from haos.workflow.request import CreateRequest, FailoverRequest, ModeChoice
from haos.workflow.status import status
from haos.workflow.teardown import teardown
from tests.fakes import GROUP, NETWORK, SUBNET, World, add_instance, context_of, howto_world
from tests.records import edit_port, edit_record, recorded, reservation_of, write_everywhere

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))
NAME = "ha_first-ha_second"
REBUILD = f"haos repair {NAME} --rebuild-record --network"


def run(world: World, request: CreateRequest = HOWTO) -> Created:
    ctx = context_of(world)
    return create(prepare(request, ctx), ctx, lambda _: None)


def made(request: CreateRequest = HOWTO) -> World:
    world = howto_world()
    add_instance(world, "stranger", 40, "fa:16:3e:00:00:40")
    run(world, request)
    return world


def port_of(world: World, name: str) -> Port:
    instance = next(one for one in world.instances.values() if one.name == name)
    return next(port for port in world.ports.values() if port.device_id == instance.id)


def members_with(world: World, *names: str) -> tuple[Member, ...]:
    """Return the recorded members with these instances' ports in their places."""
    there = recorded(world).members
    ports = [port_of(world, name).id for name in names]
    return tuple(
        replace(there[min(index, len(there) - 1)], port_id=port, priority=240 - 10 * index)
        for index, port in enumerate(ports)
    )


def spelled(old: str, new: str) -> Callable[[World], object]:
    def edit(world: World) -> None:
        text = reservation_of(world).description
        assert old in text
        edit_port(world, description=text.replace(old, new))

    return edit


def text(description: str) -> Callable[[World], object]:
    return lambda world: edit_port(world, description=description)


UNREADABLE: dict[str, Callable[[World], object]] = {
    "empty": text(""),
    "newline": text("\n"),
    "garbage of 255 characters": text("x" * 255),
    "non-ASCII": text("Grüße ☃"),
    "shell": text("$(reboot); `reboot` && reboot | reboot > /etc/passwd"),
    "too long": lambda world: edit_port(world, description=reservation_of(world).description + ",AAAA" * 60),
    "another schema": spelled("haos/1", "haos/2"),
    "the name of another pair": spelled(f"n={NAME}", "n=db"),
    "a name that is a path": spelled(f"n={NAME}", "n=../../etc/passwd"),
    "one member": spelled(",", ";"),
    "a line after it": lambda world: edit_port(world, description=reservation_of(world).description + "\nx"),
    "an interval that is none": spelled("a=300", "a=5"),
    "another MAC": lambda world: edit_port(world, mac="fa:16:3e:12:34:56"),
    "another device_id": lambda world: edit_port(world, device_id="haos-db"),
    "two addresses": lambda world: edit_port(
        world, fixed_ips=(*reservation_of(world).fixed_ips, FixedIp(ip_address("10.200.51.20"), SUBNET))
    ),
}
FOREIGN: dict[str, Callable[[World], object]] = {
    "a port of another project": lambda world: foreign(world, "stranger"),
    "an instance of another project": lambda world: elsewhere(world, "stranger"),
}
IDENTITY: dict[str, Callable[[World], object]] = {
    "the observer as a node": lambda world: edit_record(world, members=members_with(world, "ha_first", "observer")),
    "a stranger as a node": lambda world: edit_record(world, members=members_with(world, "stranger", "ha_second")),
    "one more node": lambda world: edit_record(
        world, members=members_with(world, "ha_first", "ha_second", "stranger")
    ),
    "another VRID": lambda world: edit_port(world, mac="00:00:5e:00:01:63"),
    "as if adopted": lambda world: edit_record(world, adopted=True),
    "another address": lambda world: edit_port(world, fixed_ips=(FixedIp(ip_address("10.200.51.20"), SUBNET),)),
}
SETTINGS: dict[str, Callable[[World], object]] = {
    "members swapped": lambda world: edit_record(world, members=recorded(world).members[::-1]),
    "priorities exchanged": lambda world: edit_record(
        world, members=recorded(world).exchanged(*recorded(world).members).members
    ),
    "other priorities": spelled(":240:", ":99:"),
    "equal priorities": spelled(":230:", ":240:"),
    "another mode": lambda world: edit_record(world, mode=Mode.VMAC),
    "another interval": spelled("a=300", "a=40950"),
    "another delay": spelled("d=5", "d=1000"),
    "no preemption": spelled("d=5", "d=n"),
    "BFD": spelled("v=1", "v=1 b=1"),
}


def foreign(world: World, name: str) -> None:
    port = port_of(world, name)
    world.ports[port.id] = replace(port, project_id="somebody else")
    edit_record(world, members=members_with(world, "ha_first", name))


def elsewhere(world: World, name: str) -> None:
    """A port of the project's own may carry the id of an instance that is not."""
    edit_record(world, members=members_with(world, "ha_first", name))
    instance = next(one for one in world.instances.values() if one.name == name)
    world.instances[instance.id] = replace(instance, project_id="somebody else")


WRITES: dict[str, Callable[[World], object]] = {
    "create": run,
    "create with an option": lambda world: run(world, replace(HOWTO, checks=())),
    "repair": lambda world: repair.prepare(NAME, None, context_of(world)),
    "switchover": lambda world: switchover.prepare(NAME, None, back=False, observer_ref=None, ctx=context_of(world)),
    "failover-test": lambda world: plan_failover(FailoverRequest(NAME), context_of(world)),
    "teardown": lambda world: teardown(NAME, purge=True, ctx=context_of(world)),
    "teardown --force": lambda world: teardown(NAME, purge=True, ctx=context_of(world), force=True),
}


def refused(world: World, command: Callable[[World], object]) -> HaosError:
    """Run a command that must refuse, in one line, with a hint, and do nothing."""
    before, done = world.snapshot(), len(world.effects.names)
    with pytest.raises(HaosError) as caught:
        command(world)
    assert world.effects.names[done:] == []
    assert world.snapshot() == before
    assert caught.value.hint
    assert "\n" not in f"{caught.value}{caught.value.hint}"
    return caught.value


@pytest.mark.parametrize("command", WRITES)
@pytest.mark.parametrize("edit", UNREADABLE)
def test_what_is_no_record_is_refused(edit: str, command: str) -> None:
    world = made()
    UNREADABLE[edit](world)
    error = refused(world, WRITES[command])
    if edit == "another device_id":
        assert isinstance(error, NotFoundError | UnsatisfiableError)
    else:
        assert isinstance(error, RecordError)
        assert error.exit_code == 5


@pytest.mark.parametrize("edit", [name for name in UNREADABLE if name != "another device_id"])
def test_what_is_no_record_is_told_by_those_that_only_look(edit: str) -> None:
    world = made()
    UNREADABLE[edit](world)
    refused(world, lambda world: status(NAME, None, context_of(world)))
    refused(world, lambda world: check_pair(NAME, None, context_of(world)))
    [row] = list_pairs(context_of(world).cloud)
    assert row.status.startswith("unreadable: ")
    assert row.nodes is None


@pytest.mark.parametrize("command", WRITES)
@pytest.mark.parametrize("edit", FOREIGN)
def test_what_is_another_projects_is_never_touched(edit: str, command: str) -> None:
    world = made()
    FOREIGN[edit](world)
    refused(world, WRITES[command])
    [row] = list_pairs(context_of(world).cloud)
    assert row.status != "ok" or "gone" in str(row.nodes)


@pytest.mark.parametrize("command", WRITES)
@pytest.mark.parametrize("edit", IDENTITY)
def test_another_pair_than_the_nodes_know_is_refused(edit: str, command: str) -> None:
    world = made()
    IDENTITY[edit](world)
    if edit == "one more node" and command.startswith("teardown"):
        return  # it forgets nothing: below
    error = refused(world, WRITES[command])
    if (edit, command) == ("the observer as a node", "failover-test"):
        assert "no instance to measure from" in error.reason
        return
    assert isinstance(error, RecordError)
    assert error.exit_code == 5
    assert "not what its nodes' own files say" in error.reason
    assert f"{REBUILD} {NETWORK} --nodes " in (error.hint or "")


@pytest.mark.parametrize("command", [name for name in WRITES if not name.startswith("teardown")])
@pytest.mark.parametrize("edit", SETTINGS)
def test_other_settings_than_the_nodes_have_are_refused(edit: str, command: str) -> None:
    world = made()
    SETTINGS[edit](world)
    error = refused(world, WRITES[command])
    assert isinstance(error, RecordError)
    assert " there, " in error.reason
    assert error.hint == f"{REBUILD} {NETWORK} --nodes ha_first,ha_second"


EDITS = IDENTITY | SETTINGS


@pytest.mark.parametrize("edit", EDITS)
def test_status_and_check_name_the_contradiction(edit: str) -> None:
    world = made()
    EDITS[edit](world)
    before = world.snapshot()
    seen = status(NAME, None, context_of(world))
    [trouble] = [one for one in seen.troubles if one.code == "record"]
    assert trouble.grave
    assert not seen.healthy
    assert (trouble.remedy or "").startswith(REBUILD)
    assert f"haos repair {NAME}" not in {one.remedy for one in seen.troubles}, "it would be refused"
    found = check_pair(NAME, None, context_of(world)).findings
    assert "record" in {finding.code for finding in found}
    found = check(HOWTO, context_of(world)).findings
    assert "record" in {finding.code for finding in found}
    assert world.snapshot() == before


@pytest.mark.parametrize("edit", SETTINGS)
def test_other_settings_do_not_stop_a_teardown(edit: str) -> None:
    world = howto_world()
    add_instance(world, "stranger", 40, "fa:16:3e:00:00:40")
    before = world.snapshot()
    run(world)
    SETTINGS[edit](world)
    teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


@pytest.mark.parametrize("name", ["observer", "stranger"])
def test_a_new_record_that_names_a_node_that_carries_nothing_is_harmless_to_it(name: str) -> None:
    """The record of a pair that never was: what its nodes have not, is not taken from them."""
    world = made()
    forged = replace(
        recorded(world),
        name="forged",
        vip=ip_address("10.200.51.20"),
        vrid=99,
        plain_mac=True,
        members=members_with(world, "ha_first", name),
    )
    reservation = reservation_of(world)
    port = replace(
        reservation, id="ffffffff-0000-4000-8000-000000000001", mac="fa:16:3e:ff:ff:ff", device_id="haos-forged"
    )
    world.ports[port.id] = replace(port, fixed_ips=(FixedIp(forged.vip, SUBNET),), description=encoded(forged))
    seen = status("forged", None, context_of(world))
    assert not seen.healthy
    refused(
        world, lambda world: switchover.prepare("forged", None, back=False, observer_ref=None, ctx=context_of(world))
    )
    error = refused(world, lambda world: repair.prepare("forged", None, context_of(world)))
    assert "nothing confirms the record" in error.reason
    before = {node.instance.name: node.snapshot() for node in world.nodes.values()}
    done = len(world.effects.names)
    teardown("forged", purge=True, ctx=context_of(world))
    assert {node.instance.name: node.snapshot() for node in world.nodes.values()} == before
    assert "remove ha_first" not in world.effects.names[done:]
    assert port_of(world, "ha_first").pairs == port_of(made(), "ha_first").pairs
    assert status(NAME, None, context_of(world)).healthy


def encoded(pair: Pair) -> str:
    from haos.core import record

    return record.encode(pair)


@dataclass(frozen=True)
class Flags:
    """What the record says that haos added, beyond or below what it did add."""

    more: Added = Added.NOTHING
    less: Added = Added.NOTHING


EVERYTHING = Added.PAIR | Added.VMAC | Added.GROUP | Added.PACKAGE


@pytest.mark.parametrize(
    "flags",
    [
        Flags(more=Added.PAIR),
        Flags(more=Added.VMAC),
        Flags(more=Added.PACKAGE),
        Flags(more=EVERYTHING),
        Flags(less=Added.PAIR),
        Flags(less=Added.GROUP),
        Flags(less=EVERYTHING),
    ],
    ids=str,
)
@pytest.mark.parametrize("again", [False, True], ids=["teardown", "create, then teardown"])
def test_what_was_there_before_stays_and_what_haos_added_goes(flags: Flags, again: bool) -> None:
    """The first node had keepalived, and both address pairs, before the pair was made."""
    world = howto_world()
    vip = ip_address("10.200.51.2")
    first = port_of(world, "ha_first")
    own = AddressPair(str(vip), first.mac), AddressPair(str(vip), "00:00:5e:00:01:01")
    world.ports[first.id] = replace(first, pairs=(*first.pairs, *own))
    world.nodes[first.device_id].package = "2.2.7"
    before = world.snapshot()
    run(world, replace(HOWTO, vip=vip))
    known = recorded(world).members
    assert known[0].added == Added.GROUP
    edit_record(world, members=tuple(replace(one, added=(one.added | flags.more) & ~flags.less) for one in known))
    seen = status(NAME, None, context_of(world))
    assert [one.grave for one in seen.troubles if one.code == "record"] == [False]
    if again:
        assert run(world).changed
        assert recorded(world).members == known
        assert not [one for one in status(NAME, None, context_of(world)).troubles if one.code == "record"]
    torn = teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == before
    kept = [line for line in torn.kept if "the nodes' own files do not" in line]
    assert len(kept) == (0 if again else len([one for one in (Added.PAIR, Added.VMAC) if one in flags.more]))


@pytest.mark.parametrize("taken", [None, IPv4Address("203.0.113.7"), IPv4Address("203.0.113.8")], ids=str)
def test_a_floating_ip_of_somebody_else_stays_his(taken: IPv4Address | None) -> None:
    world = howto_world()
    web = port_of(world, "observer")
    for last, port in ((7, web.id), (8, None)):
        address = ip_address(f"203.0.113.{last}")
        world.floating[f"fip-{last}"] = FloatingIp(f"fip-{last}", address, "ext", port, "ACTIVE")
    before = world.snapshot()
    run(world)
    edit_record(world, floating=OwnFloatingIp(taken))
    assert not status(NAME, None, context_of(world)).healthy
    teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_a_record_that_says_it_is_proven_or_not_changes_nothing_on_the_nodes() -> None:
    world = made()
    before = {node.instance.name: node.snapshot() for node in world.nodes.values()}
    edit_record(world, verified=False)
    assert run(world).proven
    assert {node.instance.name: node.snapshot() for node in world.nodes.values()} == before


CHANGES = {
    "interval": replace(HOWTO, advertisement_interval_s=0.1),
    "delay": replace(HOWTO, preempt_delay_s=2),
    "no preemption": replace(HOWTO, preempt=False),
    "priorities": replace(HOWTO, priorities=(90, 100)),
    "mode": replace(HOWTO, mode=ModeChoice.VMAC),
    "BFD": replace(HOWTO, bfd=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_was_killed_before_it_came_to_the_nodes_goes_on(change: str) -> None:
    """The record alone has it then: the same command says it, and so does not need the record's word."""
    world, undisturbed = made(), made()
    run(undisturbed, CHANGES[change])
    edit_record(world, members=recorded(undisturbed).members, mode=recorded(undisturbed).mode,
                timing=recorded(undisturbed).timing, verified=False)  # fmt: skip
    assert status(NAME, None, context_of(world)).troubles
    refused(world, run)
    assert run(world, CHANGES[change]).proven
    assert recorded(world) == recorded(undisturbed)


def test_a_record_that_one_node_confirms_is_believed() -> None:
    """A change that was killed between two nodes."""
    world, undisturbed = made(), made()
    run(undisturbed, CHANGES["interval"])
    write_everywhere(world, timing=recorded(undisturbed).timing, members=recorded(undisturbed).members)
    _, second = (node for node in world.nodes.values() if node.files)
    stale = next(node for node in made().nodes.values() if node.instance.name == second.instance.name)
    second.files = stale.files
    assert not [one for one in status(NAME, None, context_of(world)).troubles if one.code == "record"]
    assert run(world).proven
    assert recorded(world) == recorded(undisturbed)


def test_what_the_nodes_carry_is_not_made_anew_beside_a_reservation_that_is_gone() -> None:
    world = made()
    del world.ports[reservation_of(world).id]
    error = refused(world, run)
    assert "its reservation port is gone" in error.reason
    assert error.hint == f"{REBUILD} {NETWORK} --nodes ha_first,ha_second makes it anew"


@pytest.mark.parametrize("announced", [False, True])
@pytest.mark.parametrize("others", ["no files", "no answer"])
def test_no_port_is_set_up_by_a_record_that_nothing_confirms(announced: bool, others: str) -> None:
    """A reservation as anybody could make it, naming a port that its owner has set down."""
    world = made()
    port = port_of(world, "ha_first")
    world.ports[port.id] = replace(port, admin_up=False)
    if announced:
        edit_port(world, tags=(Intent(CloudFault.PORT_DOWN, port.id, int(world.clock.wall_s()) + 60).tag,))
    node = next(one for one in world.nodes.values() if one.instance.name == "ha_second")
    if others == "no files":
        node.files.clear()
    else:
        world.unreachable.add(node.instance.id)
    before = world.snapshot()
    ctx = context_of(world)
    with pytest.raises(RecordError, match=f"nothing confirms the record of pair {NAME} yet") as error:
        repair.repair(repair.prepare(None, None, ctx), ctx, lambda _: None)
    helps = "haos failover-test --restore" if announced else f"openstack port set --enable {port.id}"
    assert helps in (error.value.hint or "")
    assert world.snapshot() == before


def test_a_port_is_set_up_by_a_record_that_another_node_confirms() -> None:
    world = made()
    port = port_of(world, "ha_first")
    world.ports[port.id] = replace(port, admin_up=False)
    ctx = context_of(world)
    repair.repair(repair.prepare(None, None, ctx), ctx, lambda _: None)
    assert port_of(world, "ha_first").admin_up


def test_a_left_over_on_one_node_is_overwritten() -> None:
    world = made()
    second = next(node for node in world.nodes.values() if node.instance.name == "ha_second")
    world.unreachable.add(second.instance.id)
    teardown(NAME, purge=True, ctx=context_of(world), force=True)
    world.unreachable.clear()
    assert second.files
    assert run(world).proven


def put_back(world: World, *names: str) -> None:
    """Let the record name these, as after an exchange of nodes; the files that lie there say what they said."""
    edit_record(world, members=members_with(world, *names))


def without_pair(world: World, name: str) -> None:
    port = port_of(world, name)
    world.ports[port.id] = replace(port, pairs=(), group_ids=(GROUP,))


def test_a_node_that_has_left_is_not_missed() -> None:
    """An exchange of nodes was killed after the old one had left: the files still name it."""
    world = howto_world()
    add_instance(world, "stranger", 40, "fa:16:3e:00:00:40")
    run(world, replace(HOWTO, nodes=("ha_first", "ha_second", "stranger"), name=NAME))
    put_back(world, "ha_first", "ha_second")
    assert "record" in codes(world), "the third is a node still"
    teardown_refuses(world, "the nodes are")
    without_pair(world, "stranger")
    assert "record" not in codes(world)
    teardown_refuses(world, "stranger carries pair ha_first-ha_second too")
    third = next(one for one in world.nodes.values() if one.instance.name == "stranger")
    third.files.clear()
    teardown(NAME, purge=True, ctx=context_of(world))
    assert [node.files for node in world.nodes.values()] == [{}, {}, {}, {}]


def codes(world: World) -> set[str]:
    return {trouble.code for trouble in status(NAME, None, context_of(world)).troubles}


def teardown_refuses(world: World, why: str) -> None:
    error = refused(world, lambda world: teardown(NAME, purge=True, ctx=context_of(world)))
    assert isinstance(error, RecordError)
    assert why in error.reason


def test_a_node_that_is_to_come_does_not_stop_a_teardown() -> None:
    """An exchange of nodes was killed before the files knew of the new one."""
    world = howto_world()
    add_instance(world, "stranger", 40, "fa:16:3e:00:00:40")
    before = world.snapshot()
    run(world)
    put_back(world, "ha_first", "ha_second", "stranger")
    assert "record" in codes(world)
    refused(world, run)
    teardown(NAME, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def test_the_project_is_the_ports_not_the_records() -> None:
    world = made()
    edit_port(world, project_id="somebody else")
    with pytest.raises(NotFoundError):
        status(NAME, None, context_of(world))


KINDS = {
    "garp": HOWTO,
    "nopreempt": replace(HOWTO, preempt=False),
    "vmac": replace(HOWTO, mode=ModeChoice.VMAC),
}


@pytest.mark.parametrize("lost", [False, True], ids=["whole", "an address pair is lost"])
@pytest.mark.parametrize(
    "flags",
    [Flags(), Flags(more=Added.PAIR), Flags(more=EVERYTHING), Flags(less=Added.VMAC), Flags(less=EVERYTHING)],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_repair_weighs_what_haos_added_also_where_nodes_keep_different_checks(
    kind: str, flags: Flags, lost: bool
) -> None:
    """Their files are left alone then; ports and record are not, and nothing that was there before is claimed."""
    vip = ip_address("10.200.51.2")
    request = replace(KINDS[kind], vip=vip, checks=(ServiceCheck("tcp:80"),))
    world, before = made_where_pairs_were(request)
    other, _ = made_where_pairs_were(replace(request, checks=(ServiceCheck("tcp:443"),)))
    for node in world.nodes.values():
        if node.instance.name == "ha_second":
            node.files = dict(next(one for one in other.nodes.values() if one.mac == node.mac).files)
    known = recorded(world)
    edit_record(
        world, members=tuple(replace(one, added=(one.added | flags.more) & ~flags.less) for one in known.members)
    )
    if lost:
        port = port_of(world, "ha_second")
        world.ports[port.id] = replace(port, pairs=())
    files = [dict(node.files) for node in world.nodes.values()]
    ports = {name: port_of(world, name).pairs for name in request.nodes}
    ctx = context_of(world)
    ended = repair.repair(repair.prepare(None, None, ctx, verify=False), ctx, lambda _: None)
    assert "service-checks" in [one.code for one in ended.beyond]
    assert [dict(node.files) for node in world.nodes.values()] == files
    assert recorded(world) == known
    assert port_of(world, "ha_first").pairs == ports["ha_first"]
    assert any(one.ip_address == str(vip) for one in port_of(world, "ha_second").pairs)
    teardown(None, purge=True, ctx=context_of(world))
    assert world.snapshot() == before


def made_where_pairs_were(request: CreateRequest) -> tuple[World, object]:
    """Make a pair whose first node had keepalived, and both address pairs, before; return what was then, too."""
    world = howto_world()
    first = port_of(world, "ha_first")
    own = AddressPair(str(request.vip), first.mac), AddressPair(str(request.vip), "00:00:5e:00:01:01")
    world.ports[first.id] = replace(first, pairs=(*first.pairs, *own))
    world.nodes[first.device_id].package = "2.2.7"
    before = world.snapshot()
    run(world, request)
    return world, before
