"""The servers that statements of Nova are made on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.client import Answer, Client
from tests.contract.places import Network, made_network, unique
from tests.contract.waiting import until

DEADLINE_S = 120.0
POLL_S = 0.1


@dataclass(frozen=True)
class Pair:
    """Two servers on one network, `{prefix}-a` and `{prefix}-b`, both ACTIVE."""

    first: str  # id
    second: str  # id
    prefix: str
    network: Network

    @property
    def names(self) -> tuple[str, str]:
        """Both names."""
        return f"{self.prefix}-a", f"{self.prefix}-b"


def flavor_id(client: Client) -> str:
    """Return the id of the smallest flavor."""
    found = {flavor["name"]: flavor["id"] for flavor in client.nova("GET", "/flavors").body["flavors"]}
    return str(found["m1.tiny"])


def image_id(client: Client) -> str:
    """Return the id of an image."""
    return str(client("GET", f"{client.endpoints['image']}/v2/images").body["images"][0]["id"])


def wanted(client: Client, network: Network, **values: Any) -> dict[str, Any]:
    """Return what POST /servers takes; a value of None leaves a part out."""
    usual = {"flavorRef": flavor_id(client), "imageRef": image_id(client), "networks": [{"uuid": network.id}]}
    return {key: value for key, value in (usual | values).items() if value is not None}


def make_server(client: Client, network: Network, version: str = "2.26", **values: Any) -> Answer:
    """Ask for a server."""
    body = {"server": wanted(client, network, **values)}
    return client.nova("POST", "/servers", body, OpenStack_API_Version=f"compute {version}")


def get_server(client: Client, server_id: str, version: str = "2.26") -> dict[str, Any]:
    """Return a server as it is now."""
    answer = client.nova("GET", f"/servers/{server_id}", OpenStack_API_Version=f"compute {version}")
    assert answer.status == 200, answer
    server: dict[str, Any] = answer.body["server"]
    return server


def settled(client: Client, server_id: str, status: str) -> dict[str, Any]:
    """Wait until a server has this status and nothing is being done to it; return it."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        server = get_server(client, server_id)
        if server["status"] == status and server["OS-EXT-STS:task_state"] is None:
            return server
        assert server["status"] != "ERROR", server.get("fault")
        time.sleep(POLL_S)
    raise AssertionError(f"server {server_id} is not {status} after {DEADLINE_S:g} s")


def act(client: Client, server_id: str, body: dict[str, Any], status: str = "") -> Answer:
    """Order an action; with a status wait until it has come true."""
    answer = client.nova("POST", f"/servers/{server_id}/action", body)
    if status:
        assert answer.status == 202, answer
        settled(client, server_id, status)
    return answer


def remove_server(client: Client, server_id: str) -> None:
    """Delete a server and wait until it is gone."""
    removed = client.nova("DELETE", f"/servers/{server_id}")
    assert removed.status in (204, 404), removed
    deadline = time.monotonic() + DEADLINE_S
    while client.nova("GET", f"/servers/{server_id}").status != 404:
        assert time.monotonic() < deadline, f"server {server_id} is still there after {DEADLINE_S:g} s"
        time.sleep(POLL_S)


@contextmanager
def made_server(client: Client, network: Network, **values: Any) -> Iterator[str]:
    """Have a server that is ACTIVE; it goes at the end."""
    made = make_server(client, network, **{"name": unique("server"), **values})
    assert made.status == 202, made
    server_id = str(made.body["server"]["id"])
    try:
        settled(client, server_id, "ACTIVE")
        yield server_id
    finally:
        remove_server(client, server_id)


@contextmanager
def made_pair(client: Client, admin: Client) -> Iterator[Pair]:
    """Have two servers on a network of their own."""
    prefix = unique("server")
    with made_network(client, admin) as network:
        made = []
        for letter in "ab":
            _await_next_second()  # lists are ordered by the second in which a server was made
            made.append(make_server(client, network, name=f"{prefix}-{letter}"))
        ids = [answer.body["server"]["id"] for answer in made if answer.status == 202]
        try:
            assert len(ids) == 2, made
            for server_id in ids:
                settled(client, server_id, "ACTIVE")
            yield Pair(ids[0], ids[1], prefix, network)
        finally:
            for server_id in ids:
                remove_server(client, server_id)


def _await_next_second() -> None:
    began_s = int(time.time())
    until(lambda: int(time.time()) > began_s)
