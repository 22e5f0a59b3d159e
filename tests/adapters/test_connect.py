"""Connecting: where the configuration comes from, what it costs, how it fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import requests_mock

from haos.adapters.connect import connect, settings_of, versioned
from haos.errors import AuthenticationError, CloudError
from tests.adapters.cloud_double import CLOUDS, PROJECT, URL, asked, fixture, serve_keystone


@pytest.fixture
def mock() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        serve_keystone(mocker)
        yield mocker


@pytest.fixture
def clouds(tmp_path: Path) -> Path:
    file = tmp_path / "clouds.yaml"
    file.write_text(CLOUDS)
    return file


def test_two_requests_and_no_discovery_of_services(mock: requests_mock.Mocker, clouds: Path) -> None:
    cloud = connect(["--os-cloud", "test"], config_files=[clouds])
    assert asked(mock) == ["GET /identity/v3", "POST /identity/v3/auth/tokens"]
    assert cloud.project_id() == PROJECT
    assert cloud.settings == {"ssh_user": "debian"}
    assert not cloud.insecure


def test_insecure_is_known(mock: requests_mock.Mocker, clouds: Path) -> None:
    assert connect(["--os-cloud", "test", "--insecure"], config_files=[clouds]).insecure


def test_application_credentials(mock: requests_mock.Mocker, clouds: Path) -> None:
    clouds.write_text(
        "clouds: {app: {auth_type: v3applicationcredential, region_name: RegionOne, "
        f"auth: {{auth_url: '{URL}/identity/v3',"
        " application_credential_id: i, application_credential_secret: s}}}"
    )
    assert connect(["--os-cloud", "app"], config_files=[clouds]).project_id() == PROJECT
    assert mock.request_history[-1].json()["auth"]["identity"]["methods"] == ["application_credential"]


def test_an_unknown_cloud(clouds: Path) -> None:
    with pytest.raises(AuthenticationError, match="Cloud nope was not found") as error:
        connect(["--os-cloud", "nope"], config_files=[clouds])
    assert "haos lab up" in (error.value.hint or "")


def test_a_wrong_password(mock: requests_mock.Mocker, clouds: Path) -> None:
    body = {"error": {"code": 401, "message": "The request you have made requires authentication."}}
    mock.post(f"{URL}/identity/v3/auth/tokens", status_code=401, json=body)
    with pytest.raises(AuthenticationError, match="requires authentication") as error:
        connect(["--os-cloud", "test"], config_files=[clouds])
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_an_endpoint_that_does_not_answer(mock: requests_mock.Mocker, clouds: Path) -> None:
    mock.get(f"{URL}/identity/v3", exc=requests.exceptions.ConnectionError)
    mock.post(f"{URL}/identity/v3/auth/tokens", exc=requests.exceptions.ConnectionError)
    with pytest.raises(CloudError, match=r"cannot authenticate at http://cloud\.test"):
        connect(["--os-cloud", "test"], config_files=[clouds])


def test_a_catalog_without_network(mock: requests_mock.Mocker, clouds: Path) -> None:
    token = fixture("keystone/token")
    token["token"]["catalog"] = [entry for entry in token["token"]["catalog"] if entry["type"] != "network"]
    mock.post(f"{URL}/identity/v3/auth/tokens", json=token, headers={"X-Subject-Token": "t"}, status_code=201)
    with pytest.raises(CloudError, match="endpoint for network service in RegionOne region not found"):
        connect(["--os-cloud", "test"], config_files=[clouds])


@pytest.mark.parametrize(
    ("endpoint", "whole"),
    [
        ("http://n:9696", "http://n:9696/v2.0"),
        ("http://n:9696/", "http://n:9696/v2.0"),
        ("http://n/networking/v2.0", "http://n/networking/v2.0"),
        (None, None),
    ],
)
def test_neutrons_version_is_added_where_the_catalog_lacks_it(endpoint: str | None, whole: str | None) -> None:
    assert versioned(endpoint, "/v2.0") == whole


def test_a_typo_in_the_haos_section_is_refused() -> None:
    with pytest.raises(CloudError, match="unknown key 'ssh_usr'"):
        settings_of({"haos": {"ssh_usr": "x"}})
