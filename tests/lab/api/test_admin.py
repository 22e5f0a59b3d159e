"""/lab: faults, counted requests, more networks and instances; and the access log."""

from __future__ import annotations

import http.client
import time
from pathlib import Path
from typing import Any

import pytest

from haos.lab.api import Cloud, Server
from haos.lab.model import IdleWorld, Power
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


def test_an_instance_on_no_such_network_is_refused_whole(demo: Client, lab: Client) -> None:
    assert lab("POST", "/lab/instances", {"name": "x", "networks": ["ha_lab", "nowhere"]}).status == 400
    assert lab("POST", "/lab/instances", {"name": "x"}).status == 400
    assert len(demo.nova("GET", "/servers").body["servers"]) == 3
    assert len(demo.neutron("GET", "/ports").body["ports"]) == 4


def test_a_closed_server_hangs_up(cloud: Cloud) -> None:
    server: Server = cloud.serve()
    client = Client(server.url)
    assert client("GET", "/").status == 300
    server.close()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client("GET", "/")
    client.close()
