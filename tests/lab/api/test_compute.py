"""Nova: discovery, lists, what a server shows, and what one can do to it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from haos.lab.api import Cloud, howto
from haos.lab.model import IdleWorld, Power
from tests.lab.api.conftest import FIRST, FIRST_MAC, FIRST_PORT, HA_LAB, SECOND, SERVER_IDS, Answer, Client, Login

LATEST = {"OpenStack_API_Version": "compute latest"}


def names(answer: Answer) -> list[str]:
    return [server["name"] for server in answer.body["servers"]]


def act(client: Client, body: dict[str, Any], server: str = FIRST) -> Answer:
    return client.nova("POST", f"/servers/{server}/action", body)


def show(client: Client, server: str = FIRST) -> Any:
    return client.nova("GET", f"/servers/{server}").body["server"]


def test_discovery_offers_microversions(login: Login) -> None:
    version = login("")("GET", "/compute/v2.1").body["version"]
    assert (version["id"], version["min_version"], version["version"]) == ("v2.1", "2.1", "2.96")


def test_answers_say_their_microversion(demo: Client) -> None:
    assert demo.nova("GET", "/servers").headers["openstack-api-version"] == "compute 2.1"
    assert demo.nova("GET", "/servers", **LATEST).headers["x-openstack-nova-api-version"] == "2.96"
    refused = demo.nova("GET", "/servers", OpenStack_API_Version="compute 2.999")
    assert refused.status == 406
    assert refused.body["computeFault"]["message"].startswith("Version 2.999 is not supported")


def test_details(demo: Client) -> None:
    server = demo.nova("GET", "/servers/detail?name=^ha_first$", **LATEST).body["servers"][0]
    assert server["status"] == "ACTIVE"
    assert server["OS-EXT-STS:vm_state"] == "active"
    assert server["OS-EXT-STS:power_state"] == 1
    assert server["OS-EXT-STS:task_state"] is None
    assert server["security_groups"] == [{"name": "ssh-icmp"}]
    assert server["tags"] == []
    assert server["flavor"]["original_name"] == "m1.tiny"
    kinds = {item["OS-EXT-IPS:type"]: item for item in server["addresses"]["ha_lab"]}
    assert kinds["fixed"]["addr"] == "10.200.51.32"
    assert kinds["floating"]["addr"] == "127.200.51.32"
    assert kinds["fixed"]["OS-EXT-IPS-MAC:mac_addr"] == FIRST_MAC
    assert "OS-EXT-SRV-ATTR:host" not in server


def test_older_microversions_show_less(demo: Client) -> None:
    server = show(demo)
    assert "tags" not in server
    assert server["flavor"] == {"id": "1", "links": []}


def test_host_ids_tell_hosts_apart(demo: Client) -> None:
    hosts = {server["hostId"] for server in demo.nova("GET", "/servers/detail").body["servers"]}
    assert len(hosts) == 3
    assert all(len(host) == 56 for host in hosts)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=ha_", {"ha_first", "ha_second"}),
        ("name=^ha_f.*$", {"ha_first"}),
        ("name=^(ha_first|observer)$", set()),  # on MySQL Nova escapes "|"
        ("name=nobody", set()),
        ("status=ACTIVE", {"ha_first", "ha_second", "observer"}),
        ("status=SHUTOFF", set()),
        ("ip=10.200.51.33", {"ha_second"}),
        (f"uuid={FIRST}", {"ha_first", "ha_second", "observer"}),  # Nova ignores it from an ordinary user
    ],
)
def test_filters(demo: Client, query: str, found: set[str]) -> None:
    assert set(names(demo.nova("GET", f"/servers?{query}"))) == found


def test_a_name_that_is_no_regular_expression(demo: Client) -> None:
    assert demo.nova("GET", "/servers?name=((").body["badRequest"]["code"] == 400


def test_pages(demo: Client) -> None:
    first = demo.nova("GET", "/servers?limit=2")
    assert len(first.body["servers"]) == 2
    (link,) = first.body["servers_links"]
    assert link["rel"] == "next"
    rest = demo("GET", link["href"].split("/", 3)[3].join(["/", ""]))
    assert len(rest.body["servers"]) == 1
    assert "servers_links" not in rest.body
    assert set(names(first)) | set(names(rest)) == {"ha_first", "ha_second", "observer"}
    assert demo.nova("GET", "/servers?marker=nowhere").status == 400


def test_everybodys_servers_are_for_admins(demo: Client, login: Login) -> None:
    assert demo.nova("GET", "/servers?all_tenants=1").body["forbidden"]["code"] == 403
    admin = login("admin")
    assert names(admin.nova("GET", "/servers")) == []
    assert len(names(admin.nova("GET", "/servers?all_tenants=1"))) == 3


def test_tags(demo: Client) -> None:
    path = f"/servers/{FIRST}/tags"
    assert demo.nova("PUT", f"{path}/haos", **LATEST).status == 201
    assert demo.nova("PUT", f"{path}/haos", **LATEST).status == 204
    assert names(demo.nova("GET", "/servers?tags=haos", **LATEST)) == ["ha_first"]
    assert len(names(demo.nova("GET", "/servers?tags=haos"))) == 3  # unknown before 2.26, so ignored
    assert set(names(demo.nova("GET", "/servers?not-tags=haos", **LATEST))) == {"ha_second", "observer"}
    assert demo.nova("GET", path, **LATEST).body == {"tags": ["haos"]}
    assert demo.nova("DELETE", f"{path}/haos", **LATEST).status == 204
    assert demo.nova("GET", f"{path}/haos", **LATEST).status == 404


def test_console_output(demo: Client, world: IdleWorld) -> None:
    world.consoles[FIRST] = "one\ntwo\nthree\n"
    assert act(demo, {"os-getConsoleOutput": {}}).body == {"output": "one\ntwo\nthree\n"}
    assert act(demo, {"os-getConsoleOutput": {"length": 2}}).body == {"output": "two\nthree\n"}
    assert act(demo, {"os-getConsoleOutput": {"length": 0}}).body == {"output": ""}


def test_interfaces_and_groups(demo: Client) -> None:
    (interface,) = demo.nova("GET", f"/servers/{FIRST}/os-interface").body["interfaceAttachments"]
    assert (interface["port_id"], interface["net_id"], interface["mac_addr"]) == (FIRST_PORT, HA_LAB, FIRST_MAC)
    assert interface["port_state"] == "ACTIVE"
    groups = demo.nova("GET", f"/servers/{FIRST}/os-security-groups").body["security_groups"]
    assert [group["name"] for group in groups] == ["ssh-icmp"]


def test_stop_and_start(demo: Client, cloud: Cloud, world: IdleWorld) -> None:
    assert act(demo, {"os-stop": None}).status == 202
    cloud.settle()
    assert world.powers[FIRST] is Power.SHUTOFF
    assert show(demo)["status"] == "SHUTOFF"
    assert show(demo)["OS-EXT-STS:vm_state"] == "stopped"
    assert demo.neutron("GET", f"/ports/{FIRST_PORT}").body["port"]["status"] == "DOWN"
    assert act(demo, {"os-start": None}).status == 202
    cloud.settle()
    assert show(demo)["status"] == "ACTIVE"


def test_pause_and_unpause(demo: Client, cloud: Cloud) -> None:
    assert act(demo, {"pause": None}).status == 202
    cloud.settle()
    assert show(demo)["status"] == "PAUSED"
    assert act(demo, {"unpause": None}).status == 202
    cloud.settle()
    assert show(demo)["status"] == "ACTIVE"


@pytest.mark.parametrize(("body", "verb"), [({"os-start": None}, "start"), ({"unpause": None}, "unpause")])
def test_wrong_state_is_409(demo: Client, body: dict[str, Any], verb: str) -> None:
    error = act(demo, body).body["conflictingRequest"]
    text = f"Cannot '{verb}' instance {FIRST} while it is in vm_state active"
    assert error == {"code": 409, "message": text}


def test_a_soft_reboot_needs_a_running_server_a_hard_one_does_not(demo: Client, cloud: Cloud) -> None:
    act(demo, {"os-stop": None})
    cloud.settle()
    assert act(demo, {"reboot": {"type": "SOFT"}}).status == 409
    assert act(demo, {"reboot": {"type": "HARD"}}).status == 202
    cloud.settle()
    assert show(demo)["status"] == "ACTIVE"


@dataclass
class SlowWorld(IdleWorld):
    """A world whose stop takes until it is told to go on."""

    go_on: threading.Event = field(default_factory=threading.Event)

    def stop(self, guest_id: str) -> None:
        assert self.go_on.wait(10)
        super().stop(guest_id)


def test_while_an_action_runs_the_task_state_says_so(login: Login) -> None:
    world = SlowWorld()
    cloud = Cloud(howto(server_ids=SERVER_IDS), world)
    cloud.power_on()
    server = cloud.serve()
    client = Client(server.url)
    assert client.login("demo", "demo").status == 201
    assert act(client, {"os-stop": None}).status == 202
    assert show(client)["OS-EXT-STS:task_state"] == "powering-off"
    assert show(client)["status"] == "ACTIVE"
    again = act(client, {"os-stop": None}).body["conflictingRequest"]["message"]
    assert again.endswith("while it is in task_state powering-off")
    world.go_on.set()
    cloud.settle()
    assert show(client)["OS-EXT-STS:task_state"] is None
    client.close()
    server.close()


def test_a_new_server_on_a_network(demo: Client, cloud: Cloud, world: IdleWorld) -> None:
    body = {"name": "fourth one", "flavorRef": "1", "imageRef": "", "networks": [{"uuid": HA_LAB}]}
    answer = demo.nova("POST", "/servers", {"server": body})
    assert answer.status == 202
    server_id = answer.body["server"]["id"]
    cloud.settle()
    assert world.powers[server_id] is Power.ACTIVE
    assert show(demo, server_id)["addresses"]["ha_lab"][0]["addr"] == "10.200.51.35"
    assert demo.nova("DELETE", f"/servers/{server_id}").status == 204
    cloud.settle()
    assert demo.nova("GET", f"/servers/{server_id}").status == 404
    assert demo.neutron("GET", f"/ports?device_id={server_id}").body["ports"] == []
    assert server_id not in world.powers


def test_a_new_server_on_a_port_that_stays_when_it_goes(demo: Client, cloud: Cloud) -> None:
    port = demo.neutron("POST", "/ports", {"port": {"network_id": HA_LAB}}).body["port"]
    body = {"name": "fourth", "flavorRef": "1", "networks": [{"port": port["id"]}]}
    server_id = demo.nova("POST", "/servers", {"server": body}).body["server"]["id"]
    cloud.settle()
    assert demo.neutron("GET", f"/ports/{port['id']}").body["port"]["device_id"] == server_id
    taken = demo.nova("POST", "/servers", {"server": body})
    assert taken.body["conflictingRequest"]["message"] == f"Port {port['id']} is still in use."
    demo.nova("DELETE", f"/servers/{server_id}")
    cloud.settle()
    left = demo.neutron("GET", f"/ports/{port['id']}").body["port"]
    assert (left["device_id"], left["device_owner"], left["status"]) == ("", "", "DOWN")


def test_a_new_server_with_a_taken_address_leaves_nothing(demo: Client) -> None:
    networks = [{"uuid": HA_LAB, "fixed_ip": "10.200.51.33"}]
    body = {"name": "fourth", "flavorRef": "1", "networks": networks}
    assert demo.nova("POST", "/servers", {"server": body}).status == 409
    assert len(names(demo.nova("GET", "/servers"))) == 3


def test_what_else_clients_ask(demo: Client) -> None:
    assert demo.nova("GET", "/limits").body["limits"]["absolute"]["totalInstancesUsed"] == 3
    assert demo.nova("GET", f"/os-quota-sets/{demo.project_id}").body["quota_set"]["instances"] == 100
    zones = demo.nova("GET", "/os-availability-zone").body["availabilityZoneInfo"]
    assert zones[0]["zoneName"] == "nova"
    assert demo.nova("GET", "/flavors/1").body["flavor"]["name"] == "m1.tiny"
    assert demo.nova("GET", f"/servers/{SECOND[:-1]}x").body["itemNotFound"]["code"] == 404
    assert act(demo, {"dance": None}).body["badRequest"]["code"] == 400
