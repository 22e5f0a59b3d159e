"""`haos list`: one row a pair, whatever became of it, in few requests."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from haos.core.model import Port
from haos.workflow.create import create, prepare
from haos.workflow.listing import ListedPair, list_pairs
from haos.workflow.request import CreateRequest
from tests.fakes import FakeCloud, World, context_of, howto_world


def made(*names: str) -> World:
    world = howto_world(keepalived="2.2.7")
    ctx = context_of(world)
    for name in names:
        request = CreateRequest("ha_lab", ("ha_first", "ha_second"), name, verify=False)
        create(prepare(request, ctx), ctx, lambda _: None)
    return world


def reservation(world: World, name: str) -> Port:
    return next(port for port in world.ports.values() if port.device_id == f"haos-{name}")


def test_no_pair_is_one_request() -> None:
    assert list_pairs(FakeCloud(howto_world())) == ()


def test_every_pair_is_a_row() -> None:
    listed = list_pairs(FakeCloud(made("web", "db")))
    nodes = ("ha_first", "ha_second")
    assert listed == (
        ListedPair("db", ip_address("10.200.51.3"), "ha_lab", 2, "garp", nodes, False, "ok"),
        ListedPair("web", ip_address("10.200.51.2"), "ha_lab", 1, "garp", nodes, False, "ok"),
    )


def test_an_unreadable_record_is_a_row_with_what_can_be_told() -> None:
    world = made("web", "db")
    port = reservation(world, "web")
    world.ports[port.id] = replace(port, description="haos/9 nonsense")
    _, web = list_pairs(FakeCloud(world))
    assert (web.name, web.vip, web.network, web.vrid) == ("web", ip_address("10.200.51.2"), "ha_lab", 1)
    assert (web.mode, web.nodes, web.verified) == (None, None, None)
    assert web.status == "unreadable: it is not a record of this version of haos"


def test_a_reservation_without_anything_is_a_row() -> None:
    world = made("web")
    port = reservation(world, "web")
    world.ports[port.id] = replace(port, device_id="", mac="fa:16:3e:00:00:01", fixed_ips=(), network_id="gone")
    [row] = list_pairs(FakeCloud(world))
    assert (row.name, row.vip, row.vrid, row.network) == (port.id, None, None, "gone")
    assert row.status.startswith("unreadable: ")


def test_nodes_that_are_gone_are_said() -> None:
    world = made("web")
    first = next(port for port in world.ports.values() if port.mac == "fa:16:3e:8d:dc:bb")
    second = next(port for port in world.ports.values() if port.mac == "fa:16:3e:f3:a9:a3")
    del world.ports[first.id]
    del world.instances[second.device_id]
    [row] = list_pairs(FakeCloud(world))
    assert row.nodes == (f"gone ({first.id[:8]})", f"gone ({second.id[:8]})")
    assert row.status == "ok"


def test_pairs_of_another_project_are_not_listed() -> None:
    world = made("web")
    port = reservation(world, "web")
    world.ports[port.id] = replace(port, project_id="somebody else's")
    assert list_pairs(FakeCloud(world)) == ()
