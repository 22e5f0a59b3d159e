"""`status` over the in-memory world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address
from threading import Event

import pytest

import haos.workflow.status as module
from haos.core.model import Address, FixedIp, InstanceAction, Role
from haos.core.node import Sight
from haos.core.outage import Verdict
from haos.errors import AmbiguousError, NotFoundError, RecordError, RemoteError
from haos.workflow.create import create, prepare
from haos.workflow.repair import prepare as prepare_repair
from haos.workflow.request import CreateRequest
from haos.workflow.status import status
from tests.fakes import FakeNode, World, change_port, context_of, howto_world, port_of

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))


@pytest.fixture
def world() -> World:
    made = howto_world()
    ctx = context_of(made)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    made.effects.names.clear()
    return made


def nodes(world: World) -> tuple[FakeNode, FakeNode]:
    first, second, *_ = world.nodes.values()
    return first, second


def codes(world: World) -> list[tuple[str, str]]:
    return [(trouble.where, trouble.code) for trouble in status(None, None, context_of(world)).troubles]


def test_a_healthy_pair(world: World) -> None:
    seen = status(None, None, context_of(world))
    assert seen.healthy
    assert seen.troubles == ()
    assert [(node.name, node.role, node.holds_vip, node.priority, node.config) for node in seen.nodes] == [
        ("ha_first", Role.ACTIVE, True, 240, "ok"),
        ("ha_second", Role.BACKUP, False, 230, "ok"),
    ]
    assert all(node.pair_admitted and node.vrrp_admitted and node.port_up for node in seen.nodes)
    assert seen.observation is not None
    assert (seen.observation.echo_from, seen.observation.arp_from) == (nodes(world)[0].mac, (nodes(world)[0].mac,))
    assert (seen.verdict, seen.reason) == (Verdict.PASS, "10.200.51.2 answers from ha_first")
    assert world.effects.names == []


def test_each_drift_is_named_with_the_command_that_helps(world: World) -> None:
    first, second = nodes(world)
    change_port(world, first, pairs=())
    second.withdrawn.add("ha_first-ha_second")
    seen = status(None, None, context_of(world))
    assert not seen.healthy
    assert [node.problem for node in seen.nodes] == [
        "its port lacks the address pair 10.200.51.2",
        "its configuration is withdrawn: the file is moved aside",
    ]
    mend = "haos repair ha_first-ha_second"
    assert [trouble.remedy for trouble in seen.troubles if trouble.where] == [mend, mend]


def test_a_port_that_is_down_and_an_instance_that_is_paused(world: World) -> None:
    first, second = nodes(world)
    ctx = context_of(world)
    ctx.cloud.set_port_up(port_of(world, first).id, False)
    ctx.cloud.instance_action(second.instance.id, InstanceAction.PAUSE)
    seen = status(None, None, context_of(world))
    told = {str(trouble): trouble.remedy for trouble in seen.troubles}
    assert told["ha_first: its port is administratively down"] == "haos repair ha_first-ha_second"
    assert told["ha_second: its instance is PAUSED"] == f"openstack server unpause {second.instance.id}"
    assert "ha_second: ha_second does not answer on port 22" not in told, "it was not even asked"
    assert [node.role for node in seen.nodes] == [Role.UNKNOWN, Role.UNKNOWN]


def test_rules_that_keep_vrrp_out_are_named(world: World) -> None:
    second = nodes(world)[1]
    change_port(world, second, group_ids=port_of(world, second).group_ids[:1])
    assert codes(world) == [("ha_second", "security-rule")]
    [trouble] = status(None, None, context_of(world)).troubles
    assert str(trouble) == ("ha_second: its port's security groups do not let protocol 112 pass from ha_first")


def test_two_nodes_on_one_hypervisor_are_a_warning(world: World) -> None:
    for node in nodes(world):
        world.instances[node.instance.id] = replace(node.instance, host_id="same")
    assert codes(world) == [("", "same-hypervisor")]
    assert status(None, None, context_of(world)).healthy


def test_keepalived_that_does_not_run(world: World) -> None:
    nodes(world)[0].daemon = False
    world.elect()
    world.clock.sleep(1.0)
    seen = status(None, None, context_of(world))
    assert [node.role for node in seen.nodes] == [Role.STOPPED, Role.ACTIVE]
    assert [str(trouble) for trouble in seen.troubles] == [
        "ha_first: keepalived does not run",
        "no Backup is ready to take over from ha_second",
    ]
    assert seen.troubles[0].remedy == "haos repair ha_first-ha_second"


def test_a_vip_that_moves_between_two_looks_is_no_trouble(world: World) -> None:
    second = nodes(world)[1]
    asked: list[Sight] = []

    def before_it_moved(pair: str, vip: Address) -> Sight:
        asked.append(FakeNode.sight(second, pair, vip))
        return replace(asked[-1], holds_vip=True) if len(asked) == 1 else asked[-1]

    second.sight = before_it_moved  # type: ignore[method-assign]
    seen = status(None, None, context_of(world))
    assert seen.troubles == ()
    assert len(asked) == 2
    assert world.effects.names == []


def test_an_unreachable_node_is_a_row_with_its_reason(world: World) -> None:
    world.unreachable.add(next(iter(world.nodes)))
    seen = status(None, None, context_of(world))
    assert seen.nodes[0].role is Role.UNKNOWN
    assert "does not answer" in (seen.nodes[0].problem or "")
    assert seen.nodes[1].role is Role.BACKUP
    assert seen.observation is not None
    assert seen.observation.answered, "the observer is asked all the same"


def test_nobody_is_waited_for_longer_than_stated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.3)
    released = Event()
    first = nodes(world)[0]
    first.facts = _held(first.facts, released)  # type: ignore[method-assign,assignment]
    try:
        seen = status(None, None, context_of(world))
    finally:
        released.set()
    assert str(seen.troubles[0]) == "ha_first: it has not answered for 10 s"
    assert seen.nodes[1].role is Role.BACKUP


def test_of_an_instance_that_is_still_waited_for_what_spoke_against_it_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.3)
    released = Event()
    first = nodes(world)[0]
    first.facts = _held(first.facts, released)  # type: ignore[method-assign,assignment]
    world.awaited[first.instance.id] = RemoteError("cannot connect to ha_first: no answer", hint="is it up?")
    try:
        seen = status(None, None, context_of(world))
    finally:
        released.set()
    assert str(seen.troubles[0]) == "ha_first: cannot connect to ha_first: no answer"
    assert seen.troubles[0].remedy == "is it up?"


def _held(look: Callable[..., object], released: Event) -> Callable[..., object]:
    def held(*args: object) -> object:
        released.wait(10)
        return look(*args)

    return held


def test_a_node_whose_device_is_not_there(world: World) -> None:
    first = nodes(world)[0]
    facts = first.facts
    first.facts = lambda mac: replace(facts(mac), interface=None)  # type: ignore[method-assign]
    assert codes(world) == [("ha_first", "config")]


def test_a_node_gone(world: World) -> None:
    second = nodes(world)[1]
    del world.instances[second.instance.id], world.nodes[second.instance.id]
    seen = status(None, None, context_of(world))
    assert not seen.healthy
    assert seen.nodes[0].config == "ok"
    assert [str(trouble) for trouble in seen.troubles if trouble.code == "gone"] == [
        f"the instance of port {port_of(world, second).id} is gone"
    ]


def test_a_backup_that_holds_the_vip_is_named_with_the_command_that_mends_it(world: World) -> None:
    backup = nodes(world)[1]
    look = backup.sight
    backup.sight = lambda pair, vip: replace(look(pair, vip), holds_vip=True)  # type: ignore[method-assign]
    [trouble] = [one for one in status(None, None, context_of(world)).troubles if one.code == "vip"]
    assert (trouble.where, trouble.remedy) == ("ha_second", "haos repair ha_first-ha_second")


@pytest.mark.parametrize("bfd", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    priority 240\n", "    priority 24\n"),
        ("        10.200.51.33\n", "        10.200.51.33\n        10.200.51.77\n"),
        ("        10.200.51.33\n", "        10.200.51.333\n"),
        ("    unicast_peer {\n", "    unicast_peer {  # edited\n"),
    ],
)
def test_a_file_that_was_edited_is_seen_where_another_node_is_gone(old: str, new: str, bfd: bool) -> None:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(replace(HOWTO, bfd=bfd), ctx), ctx, lambda _: None)
    first, second = nodes(world)
    lost = port_of(world, second).id
    del world.instances[second.instance.id], world.nodes[second.instance.id]
    [(pair, config)] = first.files.items()
    path = f"/etc/keepalived/haos.d/{pair}.conf"
    texts = {file.path: file.text for file in config.files}
    assert old in texts[path]
    files = tuple(replace(file, text=texts[file.path].replace(old, new)) for file in config.files)
    first.files[pair] = replace(config, files=files)
    [row, _] = status(None, None, ctx).nodes
    assert row.config == "differs"
    [trouble] = [one for one in row.troubles if one.code == "config"]
    assert trouble.reason == f"its configuration differs: {path}"
    assert trouble.remedy == f"haos replace-node ha_first-ha_second --old {lost} --new INSTANCE"


def test_no_instance_is_left(world: World) -> None:
    for node in nodes(world):
        del world.instances[node.instance.id], world.ports[port_of(world, node).id], world.nodes[node.instance.id]
    seen = status(None, None, context_of(world))
    assert [(node.role, node.instance_status) for node in seen.nodes] == [(Role.UNKNOWN, None)] * 2
    told = {trouble.code: trouble for trouble in seen.troubles}
    assert set(told) == {"gone", "observer"}
    assert told["gone"].remedy == "haos teardown ha_first-ha_second --force; then create it anew"
    assert told["observer"].reason == "10.200.51.2 does not answer observer"


def test_nobody_observes(world: World) -> None:
    observer = next(one for one in world.instances.values() if one.name == "observer")
    world.instances[observer.id] = replace(observer, name="somebody")
    seen = status(None, None, context_of(world))
    assert (seen.observation, seen.verdict) == (None, None)
    assert [(trouble.code, trouble.grave) for trouble in seen.troubles] == [("no-observer", False)]
    assert seen.healthy


def test_a_lost_observer_is_unknown(world: World) -> None:
    seen = status(None, None, context_of(world, lost="connection reset"))
    assert not seen.healthy
    assert (seen.verdict, seen.reason) == (Verdict.UNKNOWN, "connection reset")


def test_a_network_that_leads_new_clients_to_the_old_node(world: World) -> None:
    first, second = nodes(world)
    world.fabric = "arp-cache"
    world.arp_cache[next(iter(first.files.values())).vip] = second.mac
    seen = status(None, None, context_of(world))
    assert seen.verdict is Verdict.FAIL
    assert not seen.healthy


def test_a_record_that_names_a_foreign_port_steers_nothing(world: World) -> None:
    change_port(world, nodes(world)[0], project_id="somebody else")
    with pytest.raises(RecordError, match="another project"):
        status(None, None, context_of(world))


def test_which_pair_must_be_clear(world: World) -> None:
    with pytest.raises(NotFoundError, match="no pair named 'web'"):
        status("web", None, context_of(world))
    reservation = next(port for port in world.ports.values() if port.device_owner == "haos:vip")
    world.ports["x"] = replace(reservation, id="x", device_id="haos-web")
    with pytest.raises(AmbiguousError, match="ha_first-ha_second, web"):
        status(None, None, context_of(world))
    world.ports = {port.id: port for port in world.ports.values() if port.device_owner != "haos:vip"}
    with pytest.raises(NotFoundError, match=r"^no pair in this project$") as caught:
        status(None, None, context_of(world))
    lost = "if its reservation port was deleted: haos repair PAIR --rebuild-record --network NETWORK --nodes A,B"
    assert lost in (caught.value.hint or "")


def test_of_several_addresses_the_one_on_the_vips_own_subnet_counts(world: World) -> None:
    """Else a pair that is well would be called drifted, and repair would write a wrong source and wrong rules."""
    clean = status(None, None, context_of(world))
    port = port_of(world, nodes(world)[0])
    elsewhere = FixedIp(ip_address("192.0.2.5"), "11111111-0000-4000-8000-000000000001")
    world.ports[port.id] = replace(port, fixed_ips=(elsewhere, *port.fixed_ips))
    assert status(None, None, context_of(world)).nodes == clean.nodes
    assert prepare_repair(None, None, context_of(world)).steps == ()
