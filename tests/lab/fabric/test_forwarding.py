"""Where the switch sends frames: the plan, and the commands that lead to it."""

from __future__ import annotations

import pytest

from haos.lab.fabric.forwarding import TapPlan, bridges, plan
from haos.lab.fabric.links import Entry, Links, entry_commands, link_commands
from haos.lab.fabric.names import bridge_name, tap_name
from haos.lab.model import Fabric, FabricKind, FabricPort, PortKind
from tests.lab.fabric.ports import NETWORK_ID, VIRTUAL_MAC, mac, pair, port

BRIDGE = bridge_name(NETWORK_ID)
ONE, TWO = tap_name(port(1).id), tap_name(port(2).id)


def pinned(*ports: FabricPort, plugged: tuple[str, ...] = (ONE, TWO)) -> dict[str, set[str]]:
    return {each.tap: set(each.pinned) for each in plan(Fabric(FabricKind.OVS, ports), plugged)}


def test_every_plugged_port_has_its_own_mac() -> None:
    assert pinned(port(1), port(2)) == {ONE: {mac(1)}, TWO: {mac(2)}}
    assert pinned(port(1), port(2), plugged=(TWO,)) == {TWO: {mac(2)}}


@pytest.mark.parametrize(("orders", "winner"), [((1, 2), TWO), ((2, 1), ONE)])
def test_a_pairs_mac_leads_to_the_port_it_was_set_on_last(orders: tuple[int, int], winner: str) -> None:
    ports = [port(number, pairs=(pair("192.0.2.10", VIRTUAL_MAC, orders[number - 1]),)) for number in (1, 2)]
    found = pinned(*ports)
    assert [tap for tap, macs in found.items() if VIRTUAL_MAC in macs] == [winner]


def test_the_last_port_counts_only_while_it_is_plugged() -> None:
    ports = [port(number, pairs=(pair("192.0.2.10", VIRTUAL_MAC, number),)) for number in (1, 2)]
    assert pinned(*ports, plugged=(ONE,)) == {ONE: {mac(1), VIRTUAL_MAC}}


def test_a_plugged_ports_own_mac_is_not_taken_by_a_pair() -> None:
    thief = port(2, pairs=(pair("192.0.2.10", mac(1), 9),))
    assert pinned(port(1), thief) == {ONE: {mac(1)}, TWO: {mac(2)}}


def test_the_mac_of_an_unbound_port_is_only_a_pairs() -> None:
    ports = [port(1, kind=PortKind.NONE), port(2, pairs=(pair("192.0.2.10", mac(1)),))]
    assert pinned(*ports) == {TWO: {mac(1), mac(2)}}


def test_a_pairs_mac_on_one_network_says_nothing_about_another() -> None:
    far = port(2, pairs=(pair("192.0.2.10", VIRTUAL_MAC, 9),), network_id="7b2f0000-0000-4000-8000-000000000001")
    near = port(1, pairs=(pair("192.0.2.10", VIRTUAL_MAC, 1),))
    assert pinned(near, far) == {ONE: {mac(1), VIRTUAL_MAC}, TWO: {mac(2), VIRTUAL_MAC}}


@pytest.mark.parametrize(
    ("each", "learning"),
    [(port(1), False), (port(1, port_security=False), True), (port(1, kind=PortKind.ROUTER), False)],
)
def test_only_an_instance_without_port_security_is_learned_from(each: FabricPort, learning: bool) -> None:
    assert [planned.learning for planned in plan(Fabric(FabricKind.OVS, (each,)), [ONE])] == [learning]


@pytest.mark.parametrize("kind", [FabricKind.LEARNING, FabricKind.ARP_CACHE])
def test_a_learning_switch_pins_nothing_and_learns_everywhere(kind: FabricKind) -> None:
    ports = (port(1, pairs=(pair("192.0.2.10", VIRTUAL_MAC, 1),)), port(2, kind=PortKind.ROUTER))
    assert plan(Fabric(kind, ports), [ONE, TWO]) == (
        TapPlan(ONE, BRIDGE, frozenset(), learning=True),
        TapPlan(TWO, BRIDGE, frozenset(), learning=True),
    )


def test_a_network_has_a_bridge_as_soon_as_a_port_may_be_plugged() -> None:
    assert bridges(Fabric(FabricKind.OVS, (port(1),))) == {BRIDGE}
    assert bridges(Fabric(FabricKind.OVS, (port(1, kind=PortKind.NONE),))) == frozenset()


def test_links_lead_from_what_is_there_to_the_plan() -> None:
    links = Links(frozenset({"brqold"}), {ONE: "", TWO: BRIDGE, "tapforeign": ""})
    lines = link_commands(links, frozenset({BRIDGE}), [TapPlan(ONE, BRIDGE)])
    assert lines[0] == "link del brqold"
    assert lines[1].startswith(f"link add {BRIDGE} type bridge ")
    assert f"link set {TWO} nomaster" in lines
    assert f"link set {ONE} master {BRIDGE}" in lines
    assert not any("tapforeign" in line for line in lines)


def test_entries_lead_from_what_is_there_to_the_plan() -> None:
    masters = {ONE: BRIDGE, TWO: BRIDGE, "tapfree": BRIDGE}
    there = {
        Entry(ONE, mac(1), static=True),  # stays
        Entry(ONE, VIRTUAL_MAC, static=True),  # moves to the other tap
        Entry(ONE, mac(8), static=True),  # pinned no more
        Entry(TWO, mac(9), static=False),  # learned before the port was secured
        Entry("tapfree", mac(7), static=False),  # learned where that is right
    }
    plans = [
        TapPlan(ONE, BRIDGE, frozenset({mac(1)})),
        TapPlan(TWO, BRIDGE, frozenset({mac(2), VIRTUAL_MAC})),
        TapPlan("tapfree", BRIDGE, learning=True),
    ]
    assert entry_commands(Links(frozenset({BRIDGE}), masters, frozenset(there)), plans) == [
        f"fdb del {mac(8)} dev {ONE} master",
        f"fdb del {mac(9)} dev {TWO} master",
        f"fdb replace {VIRTUAL_MAC} dev {TWO} master static sticky",
        f"fdb replace {mac(2)} dev {TWO} master static sticky",
    ]
