"""A cloud of canned answers under a real openstacksdk connection."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests_mock

from haos.adapters.cloud import OpenStackCloud
from haos.adapters.connect import connect

FIXTURES = Path(__file__).parents[2] / "fixtures"
URL = "http://cloud.test"
NEUTRON, NOVA = f"{URL}/network/v2.0", f"{URL}/compute/v2.1"
PROJECT = "26cfbd9d4ee64d8faecd287bb39d3870"
NETWORK = "56412e9d-045b-453a-8e09-e3584a8ebaf4"

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


def connected(mock: requests_mock.Mocker, folder: Path) -> OpenStackCloud:
    """Return an authenticated cloud, its requests forgotten."""
    file = folder / "clouds.yaml"
    file.write_text(CLOUDS)
    serve_keystone(mock)
    cloud = connect(["--os-cloud", "test"], config_files=[file])
    mock.reset_mock()
    return cloud


def asked(mock: requests_mock.Mocker) -> list[str]:
    """Return "METHOD path?query" of every request, as it left."""
    return [f"{request.method} {request.url.removeprefix(URL)}" for request in mock.request_history]
