"""The unmodified `openstack` client, as the howto uses it."""

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

from haos.core.access import AccessRule
from tests.contract.client import Client
from tests.contract.places import CIDR, GATEWAY, POOL, Network, addresses, get_port, make_port, remove_port, unique
from tests.contract.servers import Pair, image_id, settled
from tests.contract.side import Side
from tests.security.access_rules import ALL, READ, load

pytestmark = pytest.mark.real

Run = Callable[..., Any]
VIP = "10.200.51.10"
TIMEOUT_S = 100


@pytest.fixture(scope="session")
def openstack(side: Side, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the client as the member; return what it printed, as JSON unless `plain`."""
    beside = Path(sys.executable).with_name("openstack")
    program = str(beside) if beside.exists() else shutil.which("openstack")
    assert program, "python-openstackclient is part of the extra 'test'"
    who, home = side.credentials["member"], tmp_path_factory.mktemp("client")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    login = {
        "OS_AUTH_URL": who.auth_url,
        "OS_USERNAME": who.username,
        "OS_PASSWORD": who.password,
        "OS_PROJECT_NAME": who.project,
        "OS_USER_DOMAIN_NAME": who.domain,
        "OS_PROJECT_DOMAIN_NAME": who.domain,
        "OS_REGION_NAME": "RegionOne",
        "OS_IDENTITY_API_VERSION": "3",
    }

    def run(*words: str, plain: bool = False) -> Any:
        argv = [program, *words, *(() if plain else ("-f", "json"))]
        environment = {**kept, **login, "HOME": str(home)}
        done = subprocess.run(
            argv, env=environment, cwd=home, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout if plain else json.loads(done.stdout)

    return run


def test_servers(openstack: Run, member: Client, pair: Pair) -> None:
    listed = {row["Name"]: row for row in openstack("server", "list", "--name", pair.prefix)}
    assert listed.keys() == set(pair.names)
    row = listed[pair.names[0]]
    images = member("GET", f"{member.endpoints['image']}/v2/images/{image_id(member)}").body
    assert (row["ID"], row["Status"], row["Flavor"], row["Image"]) == (
        pair.first,
        "ACTIVE",
        "m1.tiny",
        images["name"],
    )
    [port] = member.neutron("GET", f"/ports?device_id={pair.first}").body["ports"]
    assert row["Networks"] == {pair.network.name: [port["fixed_ips"][0]["ip_address"]]}
    shown = openstack("server", "show", pair.names[0])
    assert (shown["id"], shown["status"], shown["project_id"]) == (pair.first, "ACTIVE", member.project_id)


def test_stop_and_start(openstack: Run, member: Client, pair: Pair) -> None:
    openstack("server", "stop", pair.names[1], plain=True)
    settled(member, pair.second, "SHUTOFF")
    openstack("server", "start", pair.names[1], plain=True)
    settled(member, pair.second, "ACTIVE")


def test_console_log(openstack: Run, member: Client, pair: Pair) -> None:
    body: dict[str, Any] = {"os-getConsoleOutput": {}}
    whole = member.nova("POST", f"/servers/{pair.first}/action", body).body["output"]
    assert openstack("console", "log", "show", pair.first, plain=True).rstrip("\n") == whole.rstrip("\n")


def test_ports_and_address_pairs(openstack: Run, member: Client, network: Network, port: str) -> None:
    mac = get_port(member, port)["mac_address"]
    listed = {row["ID"]: row for row in openstack("port", "list", "--network", network.name)}
    assert listed[port]["MAC Address"] == mac
    openstack("port", "set", "--allowed-address", f"ip-address={VIP}", port, plain=True)
    shown = openstack("port", "show", port)
    assert shown["allowed_address_pairs"] == [{"ip_address": VIP, "mac_address": mac}]
    openstack("port", "unset", "--allowed-address", f"ip-address={VIP},mac-address={mac}", port, plain=True)
    assert get_port(member, port)["allowed_address_pairs"] == []


def test_a_port_for_a_vip(openstack: Run, member: Client, network: Network) -> None:
    fixed = f"subnet={network.subnet_id},ip-address={VIP}"
    made = openstack("port", "create", "--network", network.name, "--fixed-ip", fixed, unique("vip"))
    try:
        assert (made["mac_address"], made["status"]) == (get_port(member, made["id"])["mac_address"], "DOWN")
        taken = make_port(member, network, fixed_ips=[{"ip_address": VIP}])
        assert taken.fault[:2] == (409, "IpAddressAlreadyAllocated")
        openstack("port", "delete", made["id"], plain=True)
        assert addresses(make_port(member, network, fixed_ips=[{"ip_address": VIP}])) == [VIP]
    finally:
        remove_port(member, made["id"])


def test_security_groups(openstack: Run, member: Client) -> None:
    name = unique("group")
    group = openstack("security", "group", "create", name)
    try:
        assert len(group["rules"]) == 2
        rule = openstack("security", "group", "rule", "create", "--protocol", "vrrp", "--remote-group", name, name)
        assert (rule["protocol"], rule["remote_group_id"]) == ("vrrp", group["id"])
        openstack("security", "group", "rule", "delete", rule["id"], plain=True)
    finally:
        openstack("security", "group", "delete", group["id"], plain=True)
    assert member.neutron("GET", f"/security-groups/{group['id']}").status == 404


def test_floating_ips(openstack: Run) -> None:
    made = openstack("floating", "ip", "create", "public")
    try:
        listed = {row["ID"]: row for row in openstack("floating", "ip", "list")}
        assert listed[made["id"]]["Floating IP Address"] == made["floating_ip_address"]
        assert (made["status"], made["port_id"]) == ("DOWN", None)
    finally:
        openstack("floating", "ip", "delete", made["id"], plain=True)


def test_network_subnet_token(openstack: Run, member: Client, network: Network) -> None:
    assert openstack("network", "show", network.name)["subnets"] == [network.subnet_id]
    subnet = openstack("subnet", "show", network.name)
    assert (subnet["cidr"], subnet["gateway_ip"], subnet["allocation_pools"]) == (CIDR, GATEWAY, [POOL])
    assert openstack("token", "issue")["project_id"] == member.project_id


def test_application_credentials_take_the_files_of_access_rules(openstack: Run, member: Client) -> None:
    for path in (ALL, READ):
        name = unique("credential")
        made = openstack("application", "credential", "create", "--access-rules", str(path), name)
        try:
            credentials = f"/users/{member.user_id}/application_credentials/{made['ID']}"
            shown = member.keystone("GET", credentials).body["application_credential"]["access_rules"]
            rules = {AccessRule(rule["service"], rule["method"], rule["path"]) for rule in shown}
            assert rules == load(path)
        finally:
            openstack("application", "credential", "delete", made["ID"], plain=True)
