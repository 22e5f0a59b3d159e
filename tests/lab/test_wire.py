"""Values of the model survive the way through JSON."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_interface, ip_network

from haos.lab.model import (
    AddressPair,
    Direction,
    Fabric,
    FabricKind,
    FabricPort,
    Guest,
    Nic,
    PortKind,
    Rule,
)
from haos.lab.wire import decode, encode

RULES = (
    Rule(Direction.INGRESS, 4, protocol=112, remotes=(ip_network("10.0.0.0/24"),)),
    Rule(Direction.EGRESS, 6, remotes=()),
    Rule(Direction.EGRESS, 4),
)
PORT = FabricPort(
    id="p",
    network_id="n",
    kind=PortKind.ROUTER,
    mac="fa:16:3e:00:00:01",
    addresses=(ip_interface("10.0.0.1/24"), ip_interface("2001:db8::1/64")),
    admin_up=False,
    pairs=(AddressPair(ip_network("10.0.0.9/32"), "00:00:5e:00:01:07", 3),),
    rules=RULES,
)
NIC = Nic("p", "n", "ens3", "fa:16:3e:00:00:01", PORT.addresses, (ip_address("10.0.0.254"),), 1400)


def test_fabric_survives() -> None:
    fabric = Fabric(FabricKind.OVS, (PORT,))
    assert decode(Fabric, json.loads(json.dumps(encode(fabric)))) == fabric


def test_guest_survives() -> None:
    guest = Guest("id", "an instance; with a name", "an-instance", (NIC,), ("ssh-ed25519 AAAA x",))
    assert decode(Guest, json.loads(json.dumps(encode(guest)))) == guest
