"""/lab: faults, counted requests, more networks and instances; and the access log."""

from __future__ import annotations

import http.client
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from haos.lab.api import Cloud, Server
from haos.lab.asking import request
from haos.lab.errors import LabError
from haos.lab.model import IdleWorld, PortKind, Power
from tests.lab.api.conftest import FIRST_PORT, Client, Login

PORT = f"/network/v2.0/ports/{FIRST_PORT}"


@pytest.fixture
def lab(login: Login) -> Client:
    return login("")


def order(lab: Client, **fault: Any) -> None:
    assert lab("POST", "/lab/faults", fault).status == 201


def test_a_canned_answer_as_often_as_ordered(demo: Client, lab: Client) -> None:
    order(lab, method="PUT", path="/ports/", times=2, status=503, headers={"Retry-After": "1"}, body={"x": 1})
    for _ in range(2):
        answer = demo("PUT", PORT, {"port": {"name": "x"}})
        assert (answer.status, answer.body, answer.headers["retry-after"]) == (503, {"x": 1}, "1")
    assert demo("GET", PORT).body["port"]["name"] == ""
    assert demo("PUT", PORT, {"port": {"name": "x"}}).status == 200


def test_forever_until_cleared(demo: Client, lab: Client) -> None:
    order(lab, path="/ports", times=None, status=500)
    assert [demo("GET", PORT).status for _ in range(3)] == [500] * 3
    assert len(lab("GET", "/lab/faults").body["faults"]) == 1
    assert lab("DELETE", "/lab/faults").status == 204
    assert demo("GET", PORT).status == 200


@pytest.mark.parametrize(("when", "name"), [("before", ""), ("after", "x")])
def test_a_lost_answer_before_and_after_the_effect(demo: Client, lab: Client, when: str, name: str) -> None:
    order(lab, method="PUT", drop=when)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        demo("PUT", PORT, {"port": {"name": "x"}})
    assert demo("GET", PORT).body["port"]["name"] == name


def test_a_delay(demo: Client, lab: Client) -> None:
    order(lab, delay_s=0.2)
    start_s = time.monotonic()
    assert demo("GET", PORT).status == 200
    assert time.monotonic() - start_s >= 0.2


@pytest.mark.parametrize("body", [{"colour": "red"}, {"drop": "sideways"}, {"path": "(("}])
def test_what_is_no_fault(lab: Client, body: dict[str, Any]) -> None:
    assert lab("POST", "/lab/faults", body).status == 400


def test_requests_are_counted_and_logged_but_not_the_labs_own(demo: Client, lab: Client, access_log: Path) -> None:
    lab("POST", "/lab/requests/reset")
    demo("GET", f"{PORT}?fields=id")
    demo("GET", "/network/v2.0/nonsense")
    counted = lab("GET", "/lab/requests").body
    assert counted["count"] == 2
    assert counted["requests"][0] == {"method": "GET", "target": f"{PORT}?fields=id", "status": 200}
    lines = [line.split() for line in access_log.read_text().splitlines()]
    assert [line[1:4] for line in lines[-2:]] == [
        ["GET", f"{PORT}?fields=id", "200"],
        ["GET", "/network/v2.0/nonsense", "404"],
    ]
    assert all(int(line[4]) > 0 for line in lines[-2:])
    assert not [line for line in lines if line[2].startswith("/lab")]


def test_another_instance_on_two_networks(demo: Client, lab: Client, cloud: Cloud, world: IdleWorld) -> None:
    six = {"name": "six", "cidr": "2001:db8:51::/64", "ipv6_mode": "slaac", "gateway": "2001:db8:51::1"}
    assert lab("POST", "/lab/networks", six).status == 201
    nic = {"network": "ha_lab", "address": "10.200.51.40", "floating": "127.200.51.40"}
    body = {"name": "fourth", "networks": [nic, "six"], "groups": ["ssh-icmp"], "keys": ["ssh-ed25519 AAAA"]}
    made = lab("POST", "/lab/instances", body)
    assert made.status == 201
    cloud.settle()
    server_id = made.body["instance"]["id"]
    assert world.powers[server_id] is Power.ACTIVE
    addresses = demo.nova("GET", f"/servers/{server_id}").body["server"]["addresses"]
    assert [item["addr"] for item in addresses["ha_lab"]] == ["10.200.51.40", "127.200.51.40"]
    assert addresses["six"][0]["version"] == 6
    assert "127.200.51.40" in {str(item.floating) for item in world.floating}


@pytest.mark.parametrize(("networks", "floating"), [(["six", "ha_lab"], True), (["six"], False), (["apart"], False)])
def test_a_floating_ip_goes_to_the_first_address_that_can_have_one(
    lab: Client, cloud: Cloud, world: IdleWorld, networks: list[str], floating: bool
) -> None:
    lab("POST", "/lab/networks", {"name": "six", "cidr": "2001:db8:51::/64", "router": True})
    lab("POST", "/lab/networks", {"name": "apart", "cidr": "10.200.52.0/24", "router": False})
    before = len(world.floating)
    for name in ("fourth", "fifth"):
        made = lab("POST", "/lab/instances", {"name": name, "networks": networks, "floating": True})
        assert made.status == 201
    cloud.settle()
    assert len({item.floating for item in world.floating}) == before + (2 if floating else 0)


def test_an_instance_on_paper_is_active_and_nothing_in_the_world(demo: Client, lab: Client, world: IdleWorld) -> None:
    powers = dict(world.powers)
    body = {"name": "paper", "networks": ["ha_lab"], "on_paper": True}
    made = lab("POST", "/lab/instances", body).body["instance"]
    assert demo.nova("GET", f"/servers/{made['id']}").body["server"]["status"] == "ACTIVE"
    assert demo.nova("POST", f"/servers/{made['id']}/action", {"os-stop": None}).status == 409
    assert demo.nova("DELETE", f"/servers/{made['id']}").status == 204
    assert world.powers == powers


def test_another_subnet_gives_later_ports_an_address_of_each_version(
    demo: Client, lab: Client, world: IdleWorld
) -> None:
    six = {"network": "ha_lab", "cidr": "2001:db8:51::/64"}
    made = lab("POST", "/lab/subnets", six)
    assert (made.status, made.body["subnet"]["gateway_ip"]) == (201, "2001:db8:51::1")
    network_id = made.body["subnet"]["network_id"]
    port = demo.neutron("POST", "/ports", {"port": {"network_id": network_id}}).body["port"]
    versions = [ip_address(item["ip_address"]).version for item in port["fixed_ips"]]
    assert versions == [4, 6]
    old = demo.neutron("GET", f"/ports/{FIRST_PORT}").body["port"]
    assert [item["ip_address"] for item in old["fixed_ips"]] == ["10.200.51.32"]
    assert world.fabric is not None
    routers = [each for each in world.fabric.ports if each.kind is PortKind.ROUTER]
    assert {str(address) for each in routers for address in each.addresses} == {"10.200.51.1/24", "2001:db8:51::1/64"}


def test_a_subnet_that_cannot_be_is_refused_whole(demo: Client, lab: Client) -> None:
    assert lab("POST", "/lab/subnets", {"network": "nowhere", "cidr": "10.9.0.0/24"}).status == 400
    assert lab("POST", "/lab/subnets", {"network": "ha_lab", "cidr": "10.200.51.0/25"}).status == 400
    before = demo.neutron("GET", "/subnets").body["subnets"]
    assert "10.200.51.0/25" not in {each["cidr"] for each in before}


def test_a_network_that_is_not_routed_gets_no_router_with_its_subnet(
    demo: Client, lab: Client, world: IdleWorld
) -> None:
    lab("POST", "/lab/networks", {"name": "apart", "cidr": "10.200.52.0/24", "router": False})
    assert lab("POST", "/lab/subnets", {"network": "apart", "cidr": "2001:db8:52::/64"}).status == 201
    assert world.fabric is not None
    routers = [each for each in world.fabric.ports if each.kind is PortKind.ROUTER]
    assert [str(each.addresses[0]) for each in routers] == ["10.200.51.1/24"]


def test_an_instance_on_no_such_network_is_refused_whole(demo: Client, lab: Client) -> None:
    assert lab("POST", "/lab/instances", {"name": "x", "networks": ["ha_lab", "nowhere"]}).status == 400
    assert lab("POST", "/lab/instances", {"name": "x"}).status == 400
    assert len(demo.nova("GET", "/servers").body["servers"]) == 3
    assert len(demo.neutron("GET", "/ports").body["ports"]) == 4


def test_an_instance_must_have_a_name(demo: Client, lab: Client) -> None:
    answer = lab("POST", "/lab/instances", {"name": "", "networks": ["ha_lab"]})
    assert answer.status == 400
    assert answer.body["error"]["message"] == "an instance must have a name"


def test_what_the_lab_refuses_is_said_in_its_own_words(cloud: Cloud) -> None:
    server = cloud.serve()
    try:
        with pytest.raises(LabError, match=r"^the lab refuses: no such thing: nothing in networks is called 'nope'$"):
            request(f"{server.url}/lab/instances", "POST", {"name": "x", "networks": ["nope"]})
    finally:
        server.close()


def test_a_cable_is_cut_and_mended_and_neutron_knows_nothing(demo: Client, lab: Client, world: IdleWorld) -> None:
    before = demo("GET", PORT).body
    assert lab("PUT", f"/lab/ports/{FIRST_PORT}", {"dark": True}).status == 204
    assert world.dark == {FIRST_PORT}
    assert demo("GET", PORT).body == before
    assert lab("PUT", f"/lab/ports/{FIRST_PORT}", {"dark": False}).status == 204
    assert world.dark == set()
    assert lab("PUT", "/lab/ports/no-such-port", {"dark": True}).status == 404
    assert lab("PUT", f"/lab/ports/{FIRST_PORT}", {}).status == 400


def test_a_closed_server_hangs_up(cloud: Cloud) -> None:
    server: Server = cloud.serve()
    client = Client(server.url)
    assert client("GET", "/").status == 300
    server.close()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client("GET", "/")
    client.close()
