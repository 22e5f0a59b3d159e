"""The lab's oracle: the unmodified `openstack` client, as the howto uses it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from haos.lab.api import PASSWORD, Cloud, Server
from haos.lab.model import IdleWorld, Power
from tests.lab.api.conftest import FIRST, FIRST_MAC, FIRST_PORT, SUBNET

pytestmark = pytest.mark.real

Run = Callable[..., Any]

CLOUDS = """\
clouds:
  lab:
    auth:
      auth_url: {url}/identity/v3
      username: demo
      password: {password}
      project_name: demo
      user_domain_id: default
      project_domain_id: default
    region_name: RegionOne
    identity_api_version: 3
"""


@pytest.fixture
def openstack(server: Server, tmp_path: Path) -> Run:
    beside = Path(sys.executable).with_name("openstack")
    program = str(beside) if beside.exists() else shutil.which("openstack")
    assert program, "python-openstackclient is part of the extra 'test'"
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(CLOUDS.format(url=server.url, password=PASSWORD))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment = {**kept, "OS_CLIENT_CONFIG_FILE": str(clouds), "OS_CLOUD": "lab", "HOME": str(tmp_path)}

    def run(*words: str, plain: bool = False) -> Any:
        """Run one command; return what it printed, as JSON unless `plain`."""
        argv = [program, *words, *(() if plain else ("-f", "json"))]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout if plain else json.loads(done.stdout)

    return run


def test_servers(openstack: Run, cloud: Cloud, world: IdleWorld) -> None:
    listed = {row["Name"]: row for row in openstack("server", "list")}
    assert set(listed) == {"ha_first", "ha_second", "observer"}
    assert listed["ha_first"]["Networks"] == {"ha_lab": ["10.200.51.32", "127.200.51.32"]}
    assert (listed["ha_first"]["Image"], listed["ha_first"]["Flavor"]) == ("lab-base", "m1.tiny")
    shown = openstack("server", "show", "ha_first")
    assert (shown["id"], shown["status"]) == (FIRST, "ACTIVE")
    openstack("server", "stop", "ha_first", plain=True)
    cloud.settle()
    assert world.powers[FIRST] is Power.SHUTOFF
    openstack("server", "start", "ha_first", plain=True)
    cloud.settle()
    assert world.powers[FIRST] is Power.ACTIVE


def test_console_log(openstack: Run, world: IdleWorld) -> None:
    world.consoles[FIRST] = "one\n-----BEGIN SSH HOST KEY KEYS-----\n"
    printed = openstack("console", "log", "show", "ha_first", plain=True)
    assert "-----BEGIN SSH HOST KEY KEYS-----" in printed


def test_ports_and_address_pairs(openstack: Run) -> None:
    listed = {row["ID"]: row for row in openstack("port", "list", "--network", "ha_lab")}
    assert len(listed) == 4
    assert listed[FIRST_PORT]["MAC Address"] == FIRST_MAC
    openstack("port", "set", "--allowed-address", "ip-address=10.200.51.10", FIRST_PORT, plain=True)
    pair = {"ip_address": "10.200.51.10", "mac_address": FIRST_MAC}
    assert openstack("port", "show", FIRST_PORT)["allowed_address_pairs"] == [pair]
    unset = f"ip-address=10.200.51.10,mac-address={FIRST_MAC}"
    openstack("port", "unset", "--allowed-address", unset, FIRST_PORT, plain=True)
    assert openstack("port", "show", FIRST_PORT)["allowed_address_pairs"] == []


def test_security_groups(openstack: Run) -> None:
    assert len(openstack("security", "group", "create", "vrrp")["rules"]) == 2
    rule = openstack("security", "group", "rule", "create", "--protocol", "vrrp", "--remote-group", "vrrp", "vrrp")
    assert rule["protocol"] == "vrrp"
    openstack("security", "group", "rule", "delete", rule["id"], plain=True)
    openstack("security", "group", "delete", "vrrp", plain=True)


def test_floating_ips(openstack: Run) -> None:
    vip = openstack("port", "create", "--network", "ha_lab", "--fixed-ip", "ip-address=10.200.51.10", "vip")
    made = openstack("floating", "ip", "create", "public")
    openstack("floating", "ip", "set", "--port", vip["id"], made["id"], plain=True)
    listed = {row["ID"]: row for row in openstack("floating", "ip", "list")}
    assert len(listed) == 4
    assert listed[made["id"]]["Fixed IP Address"] == "10.200.51.10"
    openstack("floating", "ip", "unset", "--port", made["id"], plain=True)


def test_network_subnet_token(openstack: Run) -> None:
    assert openstack("network", "show", "ha_lab")["subnets"] == [SUBNET]
    pools = openstack("subnet", "show", "ha_lab")["allocation_pools"]
    assert pools == [{"start": "10.200.51.32", "end": "10.200.51.254"}]
    assert openstack("token", "issue")["project_id"] == "26cfbd9d4ee64d8faecd287bb39d3870"
