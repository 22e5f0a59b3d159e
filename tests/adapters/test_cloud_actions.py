"""Ports down and up, instances off and on, tags: one request each, and what is so already is fine."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import requests_mock

from haos.adapters import cloud_parse
from haos.adapters.cloud import OpenStackCloud
from haos.adapters.cloud_errors import LostAnswerError
from haos.core.model import InstanceAction
from haos.errors import CloudError, NotFoundError
from tests.adapters.cloud_double import AT_ONCE, FIRST, NEUTRON, NOT_THERE, NOVA, asked, fixture

SERVER = "685b6cdc-7d19-4ff1-a1ff-2d2c1a2b5a0f"
TAG = "haos-fault:port-down:kTxBMQzDTfSffrTPSuiFyg:1795470603"
REFUSED = {
    "conflictingRequest": {"code": 409, "message": f"Cannot 'stop' instance {SERVER} while it is in vm_state stopped"}
}
STUMBLED = {
    "NeutronError": {
        "type": "HTTPInternalServerError",
        "message": "Request Failed: internal server error while processing your request.",
        "detail": "",
    }
}
BUSY = {"status_code": 503, "headers": AT_ONCE}


def show(mock: requests_mock.Mocker, status: str, task: str | None) -> None:
    """Let Nova refuse any action and show the instance in this state."""
    server = {**fixture("nova/servers")["servers"][0], "id": SERVER, "status": status}
    mock.post(f"{NOVA}/servers/{SERVER}/action", status_code=409, json=REFUSED)
    mock.get(f"{NOVA}/servers/{SERVER}", json={"server": {**server, "OS-EXT-STS:task_state": task}})


@pytest.mark.parametrize("up", [True, False])
def test_a_port_is_set_up_and_down(cloud: OpenStackCloud, mock: requests_mock.Mocker, up: bool) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", [BUSY, {"json": {"port": {}}}])
    cloud.set_port_up(FIRST, up)
    assert [request.json() for request in mock.request_history] == [{"port": {"admin_state_up": up}}] * 2


@pytest.mark.parametrize(
    ("action", "body"),
    [
        (InstanceAction.START, {"os-start": None}),
        (InstanceAction.STOP, {"os-stop": None}),
        (InstanceAction.PAUSE, {"pause": None}),
        (InstanceAction.UNPAUSE, {"unpause": None}),
    ],
)
def test_an_action_is_one_request(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, action: InstanceAction, body: dict[str, Any]
) -> None:
    mock.post(f"{NOVA}/servers/{SERVER}/action", status_code=202)
    cloud.instance_action(SERVER, action)
    [request] = mock.request_history
    assert request.json() == body


@pytest.mark.parametrize(
    ("action", "status", "task"),
    [
        (InstanceAction.STOP, "SHUTOFF", None),
        (InstanceAction.STOP, "ACTIVE", "powering-off"),
        (InstanceAction.START, "ACTIVE", None),
        (InstanceAction.START, "SHUTOFF", "powering-on"),
        (InstanceAction.PAUSE, "PAUSED", None),
        (InstanceAction.UNPAUSE, "PAUSED", "unpausing"),
    ],
)
def test_an_instance_that_is_so_or_on_its_way_is_fine(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, action: InstanceAction, status: str, task: str | None
) -> None:
    show(mock, status, task)
    cloud.instance_action(SERVER, action)


@pytest.mark.parametrize(
    ("action", "status", "task"),
    [
        (InstanceAction.START, "ACTIVE", "powering-off"),
        (InstanceAction.START, "PAUSED", None),
        (InstanceAction.STOP, "PAUSED", None),
        (InstanceAction.UNPAUSE, "SHUTOFF", None),
        (InstanceAction.STOP, "SHUTOFF", "powering-on"),
    ],
)
def test_an_instance_in_another_state_is_an_error(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, action: InstanceAction, status: str, task: str | None
) -> None:
    show(mock, status, task)
    with pytest.raises(CloudError, match="vm_state stopped"):
        cloud.instance_action(SERVER, action)


def test_an_instance_that_is_gone_is_not_asked_for_its_state(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    mock.post(f"{NOVA}/servers/{SERVER}/action", status_code=404, json=fixture("nova/404"))
    with pytest.raises(NotFoundError):
        cloud.instance_action(SERVER, InstanceAction.STOP)
    assert [request.method for request in mock.request_history] == ["POST", "POST"]


def test_a_tag_is_put_on_and_taken_off(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    path = f"/network/v2.0/ports/{FIRST}/tags/haos-fault%3Aport-down%3AkTxBMQzDTfSffrTPSuiFyg%3A1795470603"
    mock.put(requests_mock.ANY, [BUSY, {"status_code": 201, "json": None}])
    mock.delete(requests_mock.ANY, [BUSY, {"status_code": 204}, NOT_THERE])
    cloud.add_tag(FIRST, TAG)
    cloud.remove_tag(FIRST, TAG)
    cloud.remove_tag(FIRST, TAG)
    assert asked(mock) == [f"PUT {path}"] * 2 + [f"DELETE {path}"] * 4


@pytest.mark.parametrize("gone", [True, False])
def test_neutron_stumbles_over_the_tags_of_a_port_that_is_gone(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, gone: bool
) -> None:
    stumbling: Any = {"status_code": 500, "headers": AT_ONCE, "json": STUMBLED}
    mock.put(requests_mock.ANY, **stumbling)
    mock.delete(requests_mock.ANY, **stumbling)
    mock.get(f"{NEUTRON}/ports/{FIRST}", [NOT_THERE if gone else {"json": {"port": {}}}])
    with pytest.raises(NotFoundError if gone else LostAnswerError):
        cloud.add_tag(FIRST, TAG)
    with nullcontext() if gone else pytest.raises(LostAnswerError):
        cloud.remove_tag(FIRST, TAG)


def test_tags_come_with_the_port() -> None:
    body = fixture("neutron/reservation")["port"]
    assert cloud_parse.port({**body, "tags": [TAG, "mine"]}).tags == (TAG, "mine")
    assert cloud_parse.port({key: value for key, value in body.items() if key != "tags"}).tags == ()
