"""A record that somebody edited: every command says so in one line and steers nothing by it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.core.intent import CloudFault, Intent
from haos.core.model import (
    FixedIp,
)
from haos.errors import NotFoundError, RecordError, UnsatisfiableError
from haos.workflow import repair, switchover
from haos.workflow.check import check, check_pair
from haos.workflow.listing import list_pairs
from haos.workflow.request import ModeChoice
from haos.workflow.status import status
from haos.workflow.teardown import teardown
from tests.fakes import GROUP, NETWORK, SUBNET, World, add_instance, context_of, howto_world, port_of
from tests.records import edit_port, edit_record, recorded, reservation_of, write_everywhere
from tests.workflow.tampering import (
    FOREIGN,
    HOWTO,
    IDENTITY,
    NAME,
    REBUILD,
    SETTINGS,
    UNREADABLE,
    WRITES,
    encoded,
    made,
    members_with,
    refused,
    run,
)


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
