"""What the world is shown: ports, pairs in their order, rules with remote groups resolved."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network
from typing import Any

from haos.lab.api import Cloud, howto
from haos.lab.model import Direction, Fabric, FabricKind, FabricPort, Guest, IdleWorld, PortKind, Rule
from tests.lab.api.conftest import FIRST, FIRST_MAC, FIRST_PORT, HA_LAB, SECOND_PORT, Client

ROUTER_PORT = "a8389d5e-6bd0-4368-a6fb-249127f9cdca"


def port(world: IdleWorld, port_id: str) -> FabricPort:
    assert world.fabric is not None
    return next(item for item in world.fabric.ports if item.id == port_id)


def put(client: Client, port_id: str, **values: Any) -> None:
    assert client.neutron("PUT", f"/ports/{port_id}", {"port": values}).status == 200


def test_the_howtos_ports(cloud: Cloud, world: IdleWorld) -> None:
    assert world.fabric is not None
    assert world.fabric.kind is FabricKind.OVS
    first = port(world, FIRST_PORT)
    assert (first.kind, first.owner, first.mac) == (PortKind.INSTANCE, FIRST, FIRST_MAC)
    assert first.addresses == (ip_interface("10.200.51.32/24"),)
    assert first.network_id == HA_LAB
    assert port(world, ROUTER_PORT).kind is PortKind.ROUTER
    assert {item.network_id for item in world.fabric.ports} == {HA_LAB}


def test_the_howtos_group_admits_ssh_and_icmp_only(cloud: Cloud, world: IdleWorld) -> None:
    rules = port(world, FIRST_PORT).rules
    ingress = {(rule.protocol, rule.port_min, rule.remotes) for rule in rules if rule.direction is Direction.INGRESS}
    assert ingress == {(1, None, None), (6, 22, None), (58, None, None)}
    egress = {(rule.version, rule.protocol) for rule in rules if rule.direction is Direction.EGRESS}
    assert egress == {(4, None), (6, None)}


def test_a_reservation_is_bound_to_nobody(demo: Client, world: IdleWorld) -> None:
    body = {"network_id": HA_LAB, "device_owner": "haos:vip", "mac_address": "00:00:5e:00:01:33"}
    made = demo.neutron("POST", "/ports", {"port": body}).body["port"]
    assert port(world, made["id"]).kind is PortKind.NONE
    assert port(world, made["id"]).mac == "00:00:5e:00:01:33"


def test_the_last_pair_that_was_set_has_the_highest_order(demo: Client, world: IdleWorld) -> None:
    pair = {"ip_address": "10.200.51.10", "mac_address": "00:00:5E:00:01:01"}
    for port_id in (FIRST_PORT, SECOND_PORT, FIRST_PORT):
        put(demo, port_id, allowed_address_pairs=[pair])
    (first,), (second,) = port(world, FIRST_PORT).pairs, port(world, SECOND_PORT).pairs
    assert first.order > second.order
    assert (first.ip, first.mac) == (ip_network("10.200.51.10/32"), "00:00:5e:00:01:01")


def test_pairs_with_host_bits_are_networks(demo: Client, world: IdleWorld) -> None:
    put(demo, FIRST_PORT, allowed_address_pairs=[{"ip_address": "10.200.51.10/24"}])
    assert port(world, FIRST_PORT).pairs[0].ip == ip_network("10.200.51.0/24")


def test_remote_groups_are_the_members_addresses_and_pairs(demo: Client, world: IdleWorld) -> None:
    group = demo.neutron("POST", "/security-groups", {"security_group": {"name": "g"}}).body["security_group"]
    rule = {"security_group_id": group["id"], "direction": "ingress", "protocol": "vrrp"}
    body = {"security_group_rule": {**rule, "remote_group_id": group["id"]}}
    assert demo.neutron("POST", "/security-group-rules", body).status == 201
    put(demo, FIRST_PORT, security_groups=[group["id"]])

    def vrrp() -> Rule:
        (found,) = [rule for rule in port(world, FIRST_PORT).rules if rule.protocol == 112]
        return found

    assert vrrp().remotes == (ip_network("10.200.51.32/32"),)
    put(demo, SECOND_PORT, security_groups=[group["id"]], allowed_address_pairs=[{"ip_address": "10.200.51.10"}])
    assert set(vrrp().remotes or ()) == {ip_network(f"10.200.51.{last}/32") for last in (10, 32, 33)}


def test_admin_state_and_port_security(demo: Client, world: IdleWorld) -> None:
    put(demo, FIRST_PORT, admin_state_up=False, port_security_enabled=False, security_groups=[])
    first = port(world, FIRST_PORT)
    assert (first.admin_up, first.port_security, first.rules) == (False, False, ())


def test_only_changes_are_pushed(demo: Client, world: IdleWorld) -> None:
    shown = world.fabric
    put(demo, FIRST_PORT, name="x")
    demo.neutron("GET", "/ports")
    assert world.fabric is shown
    put(demo, FIRST_PORT, admin_state_up=False)
    assert world.fabric is not shown


class BootingWorld(IdleWorld):
    """Remembers in which order it was spoken to, and the guests."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.guests: dict[str, Guest] = {}

    def apply_fabric(self, fabric: Fabric) -> None:
        self.heard.append("fabric")
        super().apply_fabric(fabric)

    def boot(self, guest: Guest) -> None:
        self.heard.append(guest.name)
        self.guests[guest.name] = guest
        super().boot(guest)


def test_the_switch_is_there_before_the_guests() -> None:
    world = BootingWorld()
    cloud = Cloud(howto(keys=("ssh-ed25519 AAAA",)), world)
    assert world.heard == []
    cloud.power_on()
    assert world.heard[0] == "fabric"
    assert set(world.heard[1:]) == {"ha_first", "ha_second", "observer"}
    first = world.guests["ha_first"]
    assert first.hostname == "ha-first"
    assert first.authorized_keys == ("ssh-ed25519 AAAA",)
    (nic,) = first.nics
    assert (nic.device, nic.mac, nic.port_id) == ("ens3", FIRST_MAC, FIRST_PORT)
    assert nic.addresses == (ip_interface("10.200.51.32/24"),)
    assert str(nic.gateways[0]) == "10.200.51.1"
