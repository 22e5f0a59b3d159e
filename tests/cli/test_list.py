"""`haos list` and `haos status` in every format, whole."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import yaml  # type: ignore[import-untyped]

from tests.cli.conftest import Haos
from tests.fakes import World

CREATE = ("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second", "-q")


@pytest.fixture
def pairs(haos: Haos, world: World) -> None:
    assert haos(*CREATE, "--name", "web").code == 0
    assert haos(*CREATE, "--name", "db", "--no-verify").code == 0
    port = next(port for port in world.ports.values() if port.device_id == "haos-db")
    world.ports[port.id] = replace(port, description="")


def test_no_pair(haos: Haos) -> None:
    ended = haos("list")
    assert (ended.code, ended.out) == (0, "\n")
    assert ended.err.endswith("no pair in this project; haos create --network NETWORK --nodes A,B makes one\n")


@pytest.mark.usefixtures("pairs")
def test_the_table(haos: Haos) -> None:
    assert haos("list").out == (
        "+------+-------------+---------+------+------+---------------------+----------+"
        "--------------------------------------------------------+\n"
        "| Name | VIP         | Network | VRID | Mode | Nodes               | Verified |"
        " Status                                                 |\n"
        "+------+-------------+---------+------+------+---------------------+----------+"
        "--------------------------------------------------------+\n"
        "| db   | 10.200.51.3 | ha_lab  |    2 | None | None                | None     |"
        " unreadable: it is not a record of this version of haos |\n"
        "| web  | 10.200.51.2 | ha_lab  |    1 | garp | ha_first, ha_second | True     |"
        " ok                                                     |\n"
        "+------+-------------+---------+------+------+---------------------+----------+"
        "--------------------------------------------------------+\n"
    )


@pytest.mark.usefixtures("pairs")
def test_other_formats(haos: Haos) -> None:
    web = {
        "Name": "web",
        "VIP": "10.200.51.2",
        "Floating IPs": [],
        "Network": "ha_lab",
        "VRID": 1,
        "Mode": "garp",
        "Nodes": ["ha_first", "ha_second"],
        "Verified": True,
        "Status": "ok",
    }
    listed = json.loads(haos("list", "-f", "json").out)
    assert listed[1] == web
    assert yaml.safe_load(haos("list", "-f", "yaml").out) == listed
    assert haos("list", "-f", "json", "--noindent").out == json.dumps(listed) + "\n"
    assert haos("list", "-f", "value", "-c", "Name", "-c", "vip").out == "db 10.200.51.3\nweb 10.200.51.2\n"
    assert haos("list", "-f", "csv", "-c", "Name", "-c", "VRID", "--sort-column", "VRID").out == (
        '"Name","VRID"\n"web",1\n"db",2\n'
    )
    descending = haos(
        "list", "-f", "csv", "--quote", "minimal", "-c", "Name", *["--sort-column", "name", "--sort-descending"]
    )
    assert descending.out == "Name\nweb\ndb\n"


@pytest.mark.usefixtures("pairs")
def test_a_table_is_fitted_only_on_demand(haos: Haos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, haos("list").out.splitlines())) == 136
    narrow = haos("list", "--max-width", "110").out.splitlines()
    assert max(map(len, narrow)) <= 110
    assert haos("list", "--fit-width", "-c", "Name", "-c", "Status").out.splitlines()[0] == (f"+------+{'-' * 51}+")
    monkeypatch.setenv("CLIFF_MAX_TERM_WIDTH", "110")
    assert haos("list").out.splitlines() == narrow


def test_an_empty_table_on_demand(haos: Haos) -> None:
    assert haos("list", "--print-empty", "-c", "Name").out == "+------+\n| Name |\n+------+\n+------+\n"


@pytest.mark.usefixtures("pairs")
def test_an_unknown_column_is_a_usage_error(haos: Haos) -> None:
    ended = haos("list", "-c", "Colour", "-q")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[0] == "haos: no such column: Colour"


def test_status_for_people(haos: Haos) -> None:
    haos(*CREATE, "--name", "web")
    ended = haos("status")
    assert ended.code == 0
    assert ended.out == (
        "Pair web: VIP 10.200.51.2, VRID 1, mode garp, advertisements every 0.3 s: healthy\n"
        "+-----------+--------+-----+----------+------------+--------+------+----------+\n"
        "| Node      | Role   | VIP | Priority | Keepalived | Config | Port | Instance |\n"
        "+-----------+--------+-----+----------+------------+--------+------+----------+\n"
        "| ha_first  | Active | yes |      240 | 2.2.7      | ok     | ok   | ACTIVE   |\n"
        "| ha_second | Backup | no  |      230 | 2.2.7      | ok     | ok   | ACTIVE   |\n"
        "+-----------+--------+-----+----------+------------+--------+------+----------+\n"
        "Observer observer: ICMP answered by ha_first in 1 ms, a fresh ARP request by ha_first (icmp-raw+arp)\n"
    )


def test_status_for_programs(haos: Haos, world: World) -> None:
    haos(*CREATE, "--name", "web")
    seen = json.loads(haos("status", "web", "-f", "json").out)
    assert {key: seen[key] for key in ("Name", "VIP", "Healthy", "Active", "Observer Verdict")} == {
        "Name": "web",
        "VIP": "10.200.51.2",
        "Healthy": True,
        "Active": "ha_first",
        "Observer Verdict": "PASS",
    }
    assert [node["role"] for node in seen["Nodes"]] == ["Active", "Backup"]
    assert haos("status", "-f", "value", "-c", "Active").out == "ha_first\n"
    assert haos("status", "-f", "shell", "-c", "VIP", "--prefix", "my_").out == 'my_vip="10.200.51.2"\n'
    assert yaml.safe_load(haos("status", "-f", "yaml").out) == seen
    assert haos("status", "-c", "Active").out == (
        "+--------+----------+\n| Field  | Value    |\n+--------+----------+\n"
        "| Active | ha_first |\n+--------+----------+\n"
    )


def test_an_unhealthy_pair_is_4_in_every_format(haos: Haos, world: World) -> None:
    haos(*CREATE, "--name", "web")
    world.unreachable.add(next(one.id for one in world.instances.values() if one.name == "ha_second"))
    ended = haos("status", "-f", "value", "-c", "Healthy", "-c", "Observer Verdict", "-q")
    assert (ended.code, ended.out) == (4, "False\nPASS\n")


@pytest.fixture
def at_80(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns, as rich sees one."""
    for name, value in {"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("at_80")
def test_a_narrow_terminal_shows_less_rather_than_broken_addresses(haos: Haos) -> None:
    assert haos(*CREATE).code == 0
    ended = haos("list")
    assert ended.out == (
        "+---------------+-------------+---------+------+-----------+----------+--------+\n"
        "| Name          | VIP         | Network | Mode | Nodes     | Verified | Status |\n"
        "+---------------+-------------+---------+------+-----------+----------+--------+\n"
        "| ha_first-     | 10.200.51.2 | ha_lab  | garp | ha_first, | True     | ok     |\n"
        "| ha_second     |             |         |      | ha_second |          |        |\n"
        "+---------------+-------------+---------+------+-----------+----------+--------+\n"
    )
    assert ended.err.endswith("not shown at this width: VRID; -c COLUMN or -f json show them\n")
    assert "VRID" in haos("list", "-c", "VRID").out
    assert "hidden" not in haos("list", "-f", "json").err


@pytest.mark.usefixtures("at_80")
def test_a_wide_terminal_shows_all(haos: Haos, monkeypatch: pytest.MonkeyPatch) -> None:
    assert haos(*CREATE).code == 0
    monkeypatch.setenv("COLUMNS", "160")
    assert "| VRID | Mode |" in haos("list").out


@pytest.mark.usefixtures("at_80")
def test_every_screen_keeps_to_the_terminal(haos: Haos) -> None:
    screens = [
        haos(*(word for word in CREATE if word != "-q")),
        haos("status"),
        haos("failover-test"),
        haos("check"),
        haos("list"),
        haos("teardown", "--dry-run"),
        haos("teardown"),
    ]
    for ended in screens:
        assert ended.code == 0
        lines = [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line) for line in (ended.out + ended.err).splitlines()]
        assert max(map(len, lines)) <= 80
