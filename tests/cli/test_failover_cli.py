"""`haos failover-test` as a command: what it prints and writes, and what it refuses before the first fault."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import Haos
from tests.fakes import World

CREATE = ("create", "-q", "--network", "ha_lab", "--nodes", "ha_first,ha_second")
TEST = ("failover-test", "--fault", "stop", "--yes")


@pytest.fixture
def pair(haos: Haos) -> Haos:
    assert haos(*CREATE).code == 0
    return haos


def test_all_reports_of_one_run(pair: Haos, tmp_path: Path) -> None:
    ended = pair(*TEST, "-f", "json", "--junit", "j.xml", "--report", "r.html", "--raw", "r.csv")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert found["schema"] == "haos/failover-test/1"
    assert [leg["leg"] for leg in found["legs"]] == ["stop", "failback"]
    assert found["asked"]["faults"] == ["stop"]
    assert found["observer"]["name"] == "observer"
    assert ElementTree.parse(tmp_path / "j.xml").getroot().attrib["tests"] == "2"  # noqa: S314 - our own
    assert "<!doctype html>" in (tmp_path / "r.html").read_text()
    assert (tmp_path / "r.csv").read_text().startswith("leg,fault,round,kind,")


@pytest.mark.parametrize("option", ["--junit", "--report", "--raw"])
def test_a_file_that_cannot_be_written_is_refused_before_any_fault(pair: Haos, world: World, option: str) -> None:
    before = list(world.effects.names)
    ended = pair(*TEST, option, "no/such/file")
    assert ended.code == 2
    assert ended.err == ("haos: cannot write no/such/file: its folder is not there\n  hint: mkdir -p no/such\n")
    assert world.effects.names == before


def test_columns_make_a_list_of_the_moves(pair: Haos) -> None:
    ended = pair(*TEST, "--rounds", "2", "-f", "csv", "-c", "Leg", "-c", "Round", "-c", "Verdict")
    assert ended.out.splitlines() == [
        '"Leg","Round","Verdict"',
        '"stop",1,"PASS"',
        '"failback",1,"PASS"',
        '"stop",2,"PASS"',
        '"failback",2,"PASS"',
    ]


def test_the_screen_names_both_nodes_and_the_spread_of_rounds(pair: Haos) -> None:
    ended = pair(*TEST, "--rounds", "2")
    assert "F ha_first  S ha_second" in ended.out
    assert "| Rounds |   Min | Median |   p95 |   Max | Bound | Detection |" in ended.out
    assert "not shown" not in ended.err
    assert ended.out.splitlines()[-1].startswith("PASS: ")
    assert "one round" not in ended.err
    assert "one round" in pair(*TEST).err
