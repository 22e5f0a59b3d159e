"""What is the lab's own about its Nova: what reaches the world, and what is seen while the world takes its time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from haos.lab.api import Cloud, howto
from haos.lab.model import Guest, IdleWorld, Power
from tests.lab.api.conftest import FIRST, FIRST_MAC, FIRST_PORT, HA_LAB, SERVER_IDS, Answer, Client

TAGS = {"OpenStack_API_Version": "compute 2.26"}
IMAGE = "5e3c0b1d-9f57-4f5a-9a39-3a7c8c0d2b11"


def act(client: Client, body: dict[str, Any], server: str = FIRST) -> Answer:
    return client.nova("POST", f"/servers/{server}/action", body)


def show(client: Client, server: str = FIRST) -> Any:
    return client.nova("GET", f"/servers/{server}").body["server"]


def make(client: Client, **values: Any) -> Answer:
    body = {"name": "fourth one", "flavorRef": "1", "imageRef": IMAGE, "networks": [{"uuid": HA_LAB}], **values}
    return client.nova("POST", "/servers", {"server": body})


def test_the_howtos_servers(demo: Client) -> None:
    [server] = demo.nova("GET", "/servers/detail?name=^ha_first$", **TAGS).body["servers"]
    assert (server["status"], server["security_groups"], server["tags"]) == ("ACTIVE", [{"name": "ssh-icmp"}], [])
    kinds = {item["OS-EXT-IPS:type"]: item for item in server["addresses"]["ha_lab"]}
    assert kinds["fixed"]["addr"] == "10.200.51.32"
    assert kinds["floating"]["addr"] == "127.200.51.32"
    assert {item["OS-EXT-IPS-MAC:mac_addr"] for item in kinds.values()} == {FIRST_MAC}


def test_the_howtos_servers_are_on_three_hosts(demo: Client) -> None:
    hosts = {server["hostId"] for server in demo.nova("GET", "/servers/detail").body["servers"]}
    assert len(hosts) == 3


def test_the_console_is_the_worlds(demo: Client, world: IdleWorld) -> None:
    world.consoles[FIRST] = "one\ntwo\nthree\n"
    assert act(demo, {"os-getConsoleOutput": {}}).body == {"output": "one\ntwo\nthree\n"}
    assert act(demo, {"os-getConsoleOutput": {"length": 2}}).body == {"output": "three\n"}


@pytest.mark.parametrize(
    ("there", "power", "back"),
    [("os-stop", Power.SHUTOFF, "os-start"), ("pause", Power.PAUSED, "unpause")],
)
def test_orders_reach_the_world(
    demo: Client, cloud: Cloud, world: IdleWorld, there: str, power: Power, back: str
) -> None:
    assert act(demo, {there: None}).status == 202
    cloud.settle()
    assert world.powers[FIRST] is power
    assert show(demo)["status"] == power.value
    assert act(demo, {back: None}).status == 202
    cloud.settle()
    assert world.powers[FIRST] is Power.ACTIVE


def test_cards_keep_their_names_when_others_come_and_go(demo: Client, cloud: Cloud, world: IdleWorld) -> None:
    def attach() -> str:
        body = {"interfaceAttachment": {"net_id": HA_LAB}}
        answer = demo.nova("POST", f"/servers/{FIRST}/os-interface", body).body
        return str(answer["interfaceAttachment"]["port_id"])

    def devices() -> dict[str, str]:
        return {nic.port_id: nic.device for nic in world.guests[FIRST].nics}

    second, third = attach(), attach()
    assert devices() == {FIRST_PORT: "ens3", second: "ens4", third: "ens5"}
    assert demo.nova("DELETE", f"/servers/{FIRST}/os-interface/{second}").status == 202
    cloud.settle()
    assert devices() == {FIRST_PORT: "ens3", third: "ens5"}
    assert devices() | {attach(): "ens4"} == devices()


def test_a_rebuild_reaches_the_world_and_keeps_what_is_off_off(demo: Client, cloud: Cloud, world: IdleWorld) -> None:
    order = {"rebuild": {"imageRef": IMAGE}}
    before = show(demo)
    answer = act(demo, order)
    assert (answer.status, answer.body["server"]["id"]) == (202, FIRST)
    cloud.settle()
    assert (world.rebuilt, show(demo)["status"]) == ([FIRST], "ACTIVE")
    assert show(demo)["addresses"] == before["addresses"]
    act(demo, {"os-stop": None})
    cloud.settle()
    assert act(demo, order).body["server"]["status"] == "REBUILD"
    cloud.settle()
    assert show(demo)["status"] == "SHUTOFF"


def test_what_is_no_rebuild(demo: Client, cloud: Cloud, world: IdleWorld) -> None:
    assert act(demo, {"rebuild": {}}).status == 400
    assert act(demo, {"rebuild": {"imageRef": HA_LAB}}).status == 400
    act(demo, {"pause": None})
    cloud.settle()
    refused = act(demo, {"rebuild": {"imageRef": IMAGE}})
    assert refused.status == 409
    assert refused.body["conflictingRequest"]["message"] == (
        f"Cannot 'rebuild' instance {FIRST} while it is in vm_state paused"
    )
    assert world.rebuilt == []


def test_the_port_of_a_stopped_server_is_down(demo: Client, cloud: Cloud) -> None:
    act(demo, {"os-stop": None})
    cloud.settle()
    assert demo.neutron("GET", f"/ports/{FIRST_PORT}").body["port"]["status"] == "DOWN"


@dataclass
class SlowWorld(IdleWorld):
    """A world in which everything takes until it is told to go on."""

    go_on: threading.Event = field(default_factory=threading.Event)

    def boot(self, guest: Guest) -> None:
        if guest.id not in SERVER_IDS.values() and guest.name != "observer":
            assert self.go_on.wait(10)
        super().boot(guest)

    def stop(self, guest_id: str) -> None:
        assert self.go_on.wait(10)
        super().stop(guest_id)

    def reboot(self, guest_id: str, *, hard: bool) -> None:
        assert self.go_on.wait(10)
        super().reboot(guest_id, hard=hard)

    def delete(self, guest_id: str) -> None:
        assert self.go_on.wait(10)
        super().delete(guest_id)


GoOn = Callable[[], None]


@pytest.fixture
def slow() -> Iterator[tuple[Client, GoOn]]:
    """A client of a cloud whose world waits, and how to let it go on until all is done."""
    world = SlowWorld()
    cloud = Cloud(howto(server_ids=SERVER_IDS), world)
    cloud.power_on()
    server = cloud.serve()
    client = Client(server.url)
    assert client.login("demo", "demo").status == 201

    def go_on() -> None:
        world.go_on.set()
        cloud.settle()

    yield client, go_on
    go_on()
    client.close()
    server.close()


@pytest.mark.parametrize(
    ("body", "status", "task"),
    [
        ({"os-stop": None}, "ACTIVE", "powering-off"),
        ({"reboot": {"type": "SOFT"}}, "REBOOT", "rebooting"),
        ({"reboot": {"type": "HARD"}}, "HARD_REBOOT", "rebooting_hard"),
    ],
)
def test_while_an_action_runs_the_task_state_says_so(
    slow: tuple[Client, GoOn], body: dict[str, Any], status: str, task: str
) -> None:
    client, go_on = slow
    assert act(client, body).status == 202
    assert (show(client)["status"], show(client)["OS-EXT-STS:task_state"]) == (status, task)
    refused = act(client, {"os-stop": None}).body["conflictingRequest"]["message"]
    assert refused == f"Cannot 'stop' instance {FIRST} while it is in task_state {task}"
    refused = act(client, {"os-start": None}).body["conflictingRequest"]["message"]
    assert refused.endswith("while it is in vm_state active")  # that is looked at first
    go_on()
    assert show(client)["OS-EXT-STS:task_state"] is None


def test_a_server_that_is_being_built(slow: tuple[Client, GoOn]) -> None:
    client, go_on = slow
    server_id = make(client).body["server"]["id"]
    server = show(client, server_id)
    assert (server["status"], server["OS-EXT-STS:vm_state"]) == ("BUILD", "building")
    assert (server["hostId"], server["addresses"], server["OS-EXT-AZ:availability_zone"]) == ("", {}, "")
    assert server["OS-SRV-USG:launched_at"] is None
    assert "security_groups" not in server
    refused = act(client, {"os-getConsoleOutput": {}}, server_id)
    assert (refused.status, refused.body["conflictingRequest"]["message"]) == (
        409,
        f"Instance {server_id} is not ready",
    )
    go_on()
    assert show(client, server_id)["status"] == "ACTIVE"


def test_a_server_that_is_being_deleted(slow: tuple[Client, GoOn]) -> None:
    client, go_on = slow
    assert client.nova("DELETE", f"/servers/{FIRST}").status == 204
    server = show(client)
    states = [server[f"OS-EXT-STS:{part}_state"] for part in ("vm", "task")]
    assert (server["status"], states) == ("ACTIVE", ["active", "deleting"])
    assert client.nova("DELETE", f"/servers/{FIRST}").status == 204
    go_on()
    assert client.nova("GET", f"/servers/{FIRST}").status == 404


def test_a_new_server_and_its_end_reach_the_world(demo: Client, cloud: Cloud, world: IdleWorld) -> None:
    server_id = make(demo).body["server"]["id"]
    cloud.settle()
    assert world.powers[server_id] is Power.ACTIVE
    assert show(demo, server_id)["addresses"]["ha_lab"][0]["addr"] == "10.200.51.35"
    assert demo.nova("DELETE", f"/servers/{server_id}").status == 204
    cloud.settle()
    assert server_id not in world.powers


def test_a_new_server_with_a_taken_address_leaves_nothing(demo: Client) -> None:
    assert make(demo, networks=[{"uuid": HA_LAB, "fixed_ip": "10.200.51.33"}]).status == 400
    assert len(demo.nova("GET", "/servers").body["servers"]) == 3
