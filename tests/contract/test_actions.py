"""Nova: what one orders of a server, what is accepted when, and in which words it is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.servers import Pair, act, get_server, settled

START, STOP, PAUSE, UNPAUSE = ({name: None} for name in ("os-start", "os-stop", "pause", "unpause"))
SOFT, HARD = {"reboot": {"type": "SOFT"}}, {"reboot": {"type": "HARD"}}
VERBS = {"os-start": "start", "os-stop": "stop", "pause": "pause", "unpause": "unpause", "reboot": "reboot"}


@pytest.fixture
def server_id(member: Client, pair: Pair) -> str:
    """A server that is ACTIVE; a test that fails half-way may have left it otherwise."""
    status = get_server(member, pair.second)["status"]
    if status in ("SHUTOFF", "PAUSED"):
        act(member, pair.second, START if status == "SHUTOFF" else UNPAUSE)
    settled(member, pair.second, "ACTIVE")
    return pair.second


def refused(client: Client, server_id: str, body: dict[str, Any], state: str) -> bool:
    [name] = body
    text = f"Cannot '{VERBS[name]}' instance {server_id} while it is in {state}"
    return act(client, server_id, body).fault == (409, "conflictingRequest", text)


def states(client: Client, server_id: str) -> tuple[str, str]:
    server = get_server(client, server_id)
    return server["status"], server["OS-EXT-STS:vm_state"]


@pytest.mark.parametrize("body", [START, UNPAUSE])
def test_an_active_server_refuses(member: Client, server_id: str, body: dict[str, Any]) -> None:
    assert refused(member, server_id, body, "vm_state active")


def test_stop_and_start(member: Client, server_id: str) -> None:
    stopped = act(member, server_id, STOP, "SHUTOFF")
    assert (stopped.status, stopped.body) == (202, None)
    assert states(member, server_id) == ("SHUTOFF", "stopped")
    server = get_server(member, server_id)
    assert server["OS-EXT-STS:power_state"] == 4
    assert "progress" not in server
    for body in (STOP, PAUSE, UNPAUSE, SOFT):
        assert refused(member, server_id, body, "vm_state stopped")
    assert act(member, server_id, START, "ACTIVE").status == 202
    assert states(member, server_id) == ("ACTIVE", "active")


def test_an_order_on_the_heels_of_another(member: Client, server_id: str) -> None:
    assert act(member, server_id, STOP).status == 202
    status, kind, text = act(member, server_id, STOP).fault
    assert (status, kind) == (409, "conflictingRequest")
    start = f"Cannot 'stop' instance {server_id} while it is in "
    assert text in (f"{start}task_state powering-off", f"{start}vm_state stopped")
    settled(member, server_id, "SHUTOFF")
    act(member, server_id, START, "ACTIVE")


def test_pause_and_unpause(member: Client, server_id: str) -> None:
    assert act(member, server_id, PAUSE, "PAUSED").status == 202
    assert states(member, server_id) == ("PAUSED", "paused")
    for body in (PAUSE, STOP, START, SOFT):
        assert refused(member, server_id, body, "vm_state paused")
    assert act(member, server_id, UNPAUSE, "ACTIVE").status == 202
    assert states(member, server_id) == ("ACTIVE", "active")


@pytest.mark.parametrize("kind", ["SOFT", "soft", "Hard"])
def test_reboot(member: Client, server_id: str, kind: str) -> None:
    assert act(member, server_id, {"reboot": {"type": kind}}, "ACTIVE").status == 202


def test_a_hard_reboot_starts_what_was_stopped(member: Client, server_id: str) -> None:
    act(member, server_id, STOP, "SHUTOFF")
    assert act(member, server_id, HARD, "ACTIVE").status == 202
    assert states(member, server_id) == ("ACTIVE", "active")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"dance": None}, "There is no such action: dance"),
        ({}, "Malformed request body"),
        ({"os-start": None, "os-stop": None}, "Malformed request body"),
        ({"reboot": {}}, "Invalid input for field/attribute reboot. Value: {}. 'type' is a required property"),
        (
            {"reboot": {"type": "WILD"}},
            "Invalid input for field/attribute type. Value: WILD."
            " 'WILD' is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']",
        ),
    ],
)
def test_orders_that_are_none(member: Client, pair: Pair, body: dict[str, Any], text: str) -> None:
    assert act(member, pair.first, body).fault == (400, "badRequest", text)


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (START, "servers:start"),
        (STOP, "servers:stop"),
        (PAUSE, "os-pause-server:pause"),
        (UNPAUSE, "os-pause-server:unpause"),
        (SOFT, "servers:reboot"),
        ({"os-getConsoleOutput": {}}, "os-console-output"),
        ({"forceDelete": None}, "os-deferred-delete:force"),
    ],
)
def test_orders_of_a_reader_and_a_stranger(
    reader: Client, other: Client, pair: Pair, body: dict[str, Any], rule: str
) -> None:
    text = f"Policy doesn't allow os_compute_api:{rule} to be performed."
    assert act(reader, pair.first, body).fault == (403, "forbidden", text)
    assert missing(act(other, pair.first, body), pair.first)


def test_orders_to_nobody(member: Client) -> None:
    assert act(member, "11111111-2222-4333-8444-555555555555", STOP).fault[:2] == (404, "itemNotFound")


def missing(answer: Answer, server_id: str) -> bool:
    return answer.fault == (404, "itemNotFound", f"Instance {server_id} could not be found.")
