"""The command line, without a bed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.openstack.bed import bringup, cli, namespaces
from tests.openstack.bed.model import Bed


@pytest.fixture(autouse=True)
def nothing_is_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither a bed beside this test nor its state is looked at."""
    monkeypatch.setattr(namespaces, "present", list)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_run_hands_everything_else_to_pytest_in_its_order() -> None:
    options, rest = cli.parser().parse_known_args(["run", "--backend", "ovs", "-x", "tests/contract", "-k", "a b"])
    assert options.backend == "ovs"
    assert rest == ["-x", "tests/contract", "-k", "a b"]


def test_exec_needs_a_bed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["exec", "--", "true"]) == 1
    assert capsys.readouterr().err == "error: OpenStack is not up\nhint: python -m tests.openstack up\n"


def test_status_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().out == "down\n"


def test_run_takes_the_bed_down_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def inside(_bed: Bed, command: list[str]) -> int:
        done.append(" ".join(command[1:]))
        return 3

    monkeypatch.setattr(bringup, "up", lambda *_args, **_more: done.append("up"))
    monkeypatch.setattr(cli, "inside", inside)
    monkeypatch.setattr(bringup, "down", lambda *_args, wipe: done.append(f"down {wipe}"))
    assert cli.main(["run", "tests/contract"]) == 3
    assert done == ["up", "-m tests.again -m openstack tests/contract", "down True"]
    assert cli.main(["run", "--keep"]) == 3
    assert done[3:] == ["up", "-m tests.again -m openstack"]


def test_what_failed_is_run_again_where_a_process_of_the_bed_died(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[str] = []
    codes = iter([1, 0, 1])

    def inside(_bed: Bed, command: list[str]) -> int:
        done.append(command[-1])
        return next(codes)

    monkeypatch.setattr(bringup, "up", lambda *_args, **_more: done.append("up"))
    monkeypatch.setattr(bringup, "down", lambda *_args, **_more: None)
    monkeypatch.setattr(cli, "inside", inside)
    monkeypatch.setattr(cli, "died_in", lambda _bed: ["hv2-vswitchd"])
    assert cli.main(["run", "tests/contract"]) == 0
    assert done == ["up", "tests/contract", "up", "--last-failed"]
    assert "died meanwhile: hv2-vswitchd" in capsys.readouterr().err
    monkeypatch.setattr(cli, "died_in", lambda _bed: [])
    assert cli.main(["run", "tests/contract"]) == 1
    assert done[4:] == ["up", "tests/contract"]


def test_a_childs_exit_code_is_its_own() -> None:
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"]) as child:
        assert cli.wait_through_signals(child) == 7


def test_tests_are_told_of_the_bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = Bed(tmp_path)
    bed.backend_file.write_text("ovs\n")
    for key, value in bed.environment().items():
        monkeypatch.setenv(key, value)
    assert Bed.here() == bed
    assert bed.environment()["HAOS_OPENSTACK_BACKEND"] == "ovs"
    assert bed.environment()["OS_CLIENT_CONFIG_FILE"] == str(tmp_path / "clouds.yaml")
    monkeypatch.delenv("HAOS_OPENSTACK")
    assert Bed.here() is None
