"""`--floating-ip` on the command line: with a value and without, wherever it stands; every screen that shows one."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address

import click
import pytest

from haos.cli.create_options import as_floating
from haos.core.floating import FloatingWish
from tests.adapters.test_cloud_floating import PUBLIC
from tests.cli.conftest import Haos
from tests.cli.test_completion import completed
from tests.fakes import World, routed_world
from tests.fakes.floating import add_floating_ip

CREATE = ("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second", "--name", "web")
ADDRESS = "172.24.4.10"


@pytest.fixture
def world() -> World:
    return routed_world(keepalived="2.2.7")


BY_ROUTER = "the network of router ha_router's gateway"


@pytest.mark.parametrize(
    ("argv", "where"),
    [
        (("create", "--floating-ip", "--network", "ha_lab", "--nodes", "ha_first,ha_second"), BY_ROUTER),
        (("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second", "--floating-ip"), BY_ROUTER),
        (
            ("create", "--network", "ha_lab", "--floating-ip", "--os-cloud", "x", "--nodes", "ha_first,ha_second"),
            BY_ROUTER,
        ),
        (("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second", "--floating-ip", "-q"), BY_ROUTER),
        (("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second", "--floating-ip", "public"), "public"),
        (("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second", f"--floating-ip={PUBLIC}"), "public"),
    ],
)
def test_it_may_stand_anywhere_with_a_value_or_without(haos: Haos, argv: tuple[str, ...], where: str) -> None:
    ended = haos(*argv, "--dry-run")
    assert ended.code == 0, ended.err
    assert f"  + floating IP    a new one on {where}, associated with 10.200.51.2\n" in ended.out


def wish(value: str | bool | None) -> FloatingWish | None:
    return as_floating(click.Context(click.Command("x")), click.Option(["--x"]), value)


def test_what_a_value_means() -> None:
    assert wish(None) is None
    assert wish(True) == FloatingWish()
    assert wish("172.24.4.9") == FloatingWish(address=IPv4Address("172.24.4.9"))
    assert wish("public") == FloatingWish("public")
    assert wish("172.24.4") == FloatingWish("172.24.4"), "a network may have any name"


@pytest.mark.parametrize(("value", "said"), [("", "it is empty"), ("fd00::1", "floating IPs are IPv4 addresses")])
def test_what_can_be_none_is_a_usage_error(haos: Haos, value: str, said: str) -> None:
    ended = haos(*CREATE, "--floating-ip", value)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_it_stands_in_the_help_and_is_completed(haos: Haos, monkeypatch: pytest.MonkeyPatch) -> None:
    told = haos("create", "--help").out
    assert re.search(r"\nVIP:\n(?:  .*\n)+  --floating-ip \[NET\|ADDRESS\]\n", told)
    assert completed(monkeypatch, haos, "haos create --flo") == ["--floating-ip"]
    assert completed(monkeypatch, haos, "haos create --floating-ip --vip-f") == ["--vip-from-pool"]
    assert completed(monkeypatch, haos, "haos create --floating-ip ") == []


def test_a_pair_with_one_from_beginning_to_end(haos: Haos, world: World) -> None:
    before = world.snapshot()
    made = haos(*CREATE, "--floating-ip", "-q")
    assert made.code == 0, made.err
    assert made.out.splitlines()[-2:] == [
        "VIP 10.200.51.2 of pair web answers from ha_first (fa:16:3e:8d:dc:bb).",
        f"Floating IP {ADDRESS} is associated with 10.200.51.2, as Neutron says; it was not asked from outside.",
    ]
    again = haos(*CREATE, "--floating-ip", "-q").out
    assert "Nothing to change." in again
    assert again.splitlines()[-1].startswith(f"Floating IP {ADDRESS} is associated with")
    assert haos("list").out.splitlines()[1:4:2] == [
        "| Name | VIP         | Floating IPs | Network | VRID | Mode | Nodes               | Verified | Status |",
        "| web  | 10.200.51.2 | 172.24.4.10  | ha_lab  |    1 | garp | ha_first, ha_second | True     | ok     |",
    ]
    [listed] = json.loads(haos("list", "-f", "json").out)
    assert listed["Floating IPs"] == [ADDRESS]
    assert haos("status").out.splitlines()[-2] == (
        f"Floating IP {ADDRESS}: associated with 10.200.51.2, made by haos (ACTIVE)"
    )
    [ip] = world.floating.values()
    assert json.loads(haos("status", "-f", "json").out)["Floating IPs"] == [
        {"address": ADDRESS, "id": ip.id, "network": PUBLIC, "status": "ACTIVE", "origin": "made"}
    ]
    assert haos("status", "-f", "value", "-c", "Floating IPs").out == f"{ADDRESS}\n"
    planned = haos("teardown", "--dry-run", "-q").out.splitlines()
    assert f"  - floating IP {ADDRESS} ({ip.id})" in planned
    assert planned[-1] == "Plan: 0 to add, 0 to change, 7 to remove."
    assert f"  - deleted floating IP {ADDRESS}" in haos("teardown", "-q").out.splitlines()
    assert world.snapshot() == before


def test_one_that_is_there_already_is_taken_and_given_back(haos: Haos, world: World) -> None:
    spare = add_floating_ip(world, 99)
    planned = haos(*CREATE, "--floating-ip", "172.24.4.99", "--dry-run", "-q").out
    assert "  ~ floating IP    172.24.4.99: associated with 10.200.51.2\n" in planned
    assert haos(*CREATE, "--floating-ip", "172.24.4.99", "-q").code == 0
    assert "associated by haos" in haos("status").out
    assert f"  - association of floating IP 172.24.4.99 ({spare.id})" in haos("teardown", "--dry-run", "-q").out
    assert "  - dissociated floating IP 172.24.4.99, which stays the project's\n" in haos("teardown", "-q").out


def test_one_that_is_in_use_is_refused_with_the_command_that_helps(haos: Haos, world: World) -> None:
    add_floating_ip(world, 99, port_id="web7")
    ended = haos(*CREATE, "--floating-ip", "172.24.4.99")
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.splitlines()[-2:] == [
        "haos: floating IP 172.24.4.99 is associated with port web7",
        "  hint: openstack floating ip unset --port 172.24.4.99; or name another",
    ]
    checked = haos("check", *CREATE[1:], "--floating-ip", "172.24.4.99", "-f", "value", "-c", "Code")
    assert (checked.code, checked.out) == (5, "floating-in-use\n")


def test_what_became_of_it_is_named(haos: Haos, world: World) -> None:
    assert haos(*CREATE, "--floating-ip", "-q").code == 0
    [ip] = world.floating.values()
    world.floating[ip.id] = replace(ip, port_id="web7")
    ended = haos("status", "-q")
    assert ended.code == 4
    assert ended.out.splitlines()[-2:] == [
        f"! its floating IP {ADDRESS} is associated with port web7 by now",
        "    haos create --network 56412e9d-045b-453a-8e09-e3584a8ebaf4 --nodes ha_first,ha_second --name web "
        "--floating-ip",
    ]
    assert f"its floating IP {ADDRESS} is associated with port web7 by now" in haos("list", "-f", "csv").out
    kept = f"  ! floating IP {ADDRESS}, which haos made, is left alone: it is associated with port web7 by now"
    assert kept in haos("teardown", "--dry-run", "-q").out.splitlines()
    assert kept in haos("teardown", "-q").out.splitlines()


def test_by_hand(haos: Haos, world: World) -> None:
    script = haos(*CREATE, "--floating-ip", "--explain", "-q").out
    assert (
        'openstack floating ip create --port "$port" --fixed-ip-address 10.200.51.2 '
        f'--description "haos:vip $port" {PUBLIC}\n'
    ) in script
    add_floating_ip(world, 99)
    taking = haos(*CREATE, "--floating-ip", "172.24.4.99", "--explain", "-q").out
    [ip] = world.floating.values()
    assert f'openstack floating ip set --port "$port" --fixed-ip-address 10.200.51.2 {ip.id}\n' in taking
    assert haos(*CREATE, "--floating-ip", "172.24.4.99", "-q").code == 0
    giving_back = haos("teardown", "--explain", "-q").out
    assert f"openstack floating ip unset --port {ip.id}\n" in giving_back
    assert haos("teardown", "-q").code == 0
    assert haos(*CREATE, "--floating-ip", "-q").code == 0
    made = next(one for one in world.floating.values() if one.id != ip.id)
    removing = haos("teardown", "--explain", "-q").out
    assert f"openstack floating ip delete {made.id}\n" in removing
    for one in (script, taking, giving_back, removing):
        subprocess.run(["sh", "-n"], input=one, text=True, check=True)


def test_the_request_is_shown_beforehand(haos: Haos) -> None:
    shown = haos(*CREATE, "--floating-ip", "--dry-run", "-v", "-q").out
    assert "      POST /v2.0/floatingips\n" in shown
    assert '"description": "haos:vip RESERVATION_PORT_ID"' in shown


def test_every_screen_keeps_to_the_terminal(haos: Haos, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    screens = [
        haos(*CREATE, "--floating-ip"),
        haos("status"),
        haos("list"),
        haos("teardown", "--dry-run"),
        haos("teardown"),
    ]
    for ended in screens:
        assert ended.code == 0
        lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in (ended.out + ended.err).splitlines()]
        assert max(map(len, lines)) <= 80
