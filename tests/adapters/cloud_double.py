"""A cloud of canned answers under a real openstacksdk connection."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests_mock

from haos.adapters.cloud import OpenStackCloud
from haos.adapters.connect import connect

FIXTURES = Path(__file__).parents[2] / "fixtures"
URL = "http://cloud.test"
NEUTRON, NOVA = f"{URL}/network/v2.0", f"{URL}/compute/v2.1"
PROJECT = "26cfbd9d4ee64d8faecd287bb39d3870"
NETWORK = "56412e9d-045b-453a-8e09-e3584a8ebaf4"
SUBNET = "9a027a94-e688-45cb-a653-e223ccc9f72f"
FIRST = "913c4131-0cc3-4df4-9f7e-b4cf4ae885ca"
"""The port of ha_first."""
AT_ONCE = {"Retry-After": "0"}
NOT_THERE = {"status_code": 404, "json": {"NeutronError": {"type": "NotFound", "message": "it could not be found."}}}
"""In a service's own words; it is asked twice."""

CLOUDS = f"""
clouds:
  test:
    auth:
      auth_url: {URL}/identity/v3
      username: demo
      password: secret
      project_name: demo
      user_domain_name: Default
      project_domain_name: Default
    region_name: RegionOne
    haos:
      ssh_user: debian
"""

AUTH = f"{URL}/identity/v3"
LOGINS = """
clouds:
  full:
    auth:
      auth_url: 'AUTH'
      username: fu
      password: fp
      project_name: fproj
      user_domain_name: FD
      project_domain_name: FD
    regions: [RegionOne, RegionTwo]
  by-id:
    auth: {auth_url: 'AUTH', username: fu, password: fp, project_id: fid, user_domain_name: FD}
  bare:
    auth: {auth_url: 'AUTH', username: fu, password: fp, project_name: fproj}
  no-password:
    auth: {auth_url: 'AUTH', username: fu, project_name: fproj, user_domain_name: FD, project_domain_name: FD}
  url-only:
    auth: {auth_url: 'AUTH'}
  app:
    auth_type: v3applicationcredential
    auth: {auth_url: 'AUTH', application_credential_id: fi, application_credential_secret: fs}
  app-untyped:
    auth: {auth_url: 'AUTH', application_credential_id: fi, application_credential_secret: fs, project_name: fproj}
  app-by-name:
    auth_type: v3applicationcredential
    auth:
      auth_url: 'AUTH'
      application_credential_name: fn
      application_credential_secret: fs
      username: fu
      user_domain_name: FD
  odd:
    auth: {auth_url: 'AUTH', username: fu, password: fp, project_name: fproj, colour: blue}
"""
"""Clouds with every way to log in; AUTH stands for auth_url."""


def fixture(name: str) -> Any:
    """Return a recorded body."""
    return json.loads((FIXTURES / f"{name}.json").read_text())


def serve_keystone(mock: requests_mock.Mocker) -> None:
    """Answer as Keystone does to the right password."""
    mock.get(f"{URL}/identity/v3", json=fixture("keystone/v3"))
    mock.post(
        f"{URL}/identity/v3/auth/tokens",
        json=fixture("keystone/token"),
        headers={"X-Subject-Token": "t"},
        status_code=201,
    )


@contextmanager
def connected(folder: Path) -> Iterator[tuple[requests_mock.Mocker, OpenStackCloud]]:
    """Give an authenticated cloud whose answers are still to be set, its requests so far forgotten."""
    file = folder / "clouds.yaml"
    file.write_text(CLOUDS)
    with requests_mock.Mocker() as mock:
        serve_keystone(mock)
        cloud = connect(["--os-cloud", "test"], config_files=[file])
        mock.reset_mock()
        yield mock, cloud


def asked(mock: requests_mock.Mocker) -> list[str]:
    """Return "METHOD path?query" of every request, as it left."""
    return [f"{request.method} {request.url.removeprefix(URL)}" for request in mock.request_history]


def configure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a clouds.yaml of LOGINS by the environment, as users do, and leave nothing else of OpenStack's in it."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    file = folder / "clouds.yaml"
    file.write_text(LOGINS.replace("AUTH", AUTH))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    return file
