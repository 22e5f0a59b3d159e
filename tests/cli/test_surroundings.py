"""What the process itself may lack: no traceback, one line and a remedy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Haos


def test_no_room_for_the_output() -> None:
    with open("/dev/full", "w") as full:
        argv = [sys.executable, "-m", "haos", "--help"]
        ended = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == (
        "haos: cannot write the output: No space left on device\n  hint: is there room where it goes?\n"
    )


def test_a_current_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'rmdir "$PWD"; exec "$0" -m haos list'
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    argv = ["sh", "-c", script, sys.executable]
    ended = subprocess.run(argv, cwd=gone, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "haos: the current directory is gone\n  hint: cd to one that is there\n"


def test_nobody_with_no_home(haos: Haos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr("haos.workflow.listing.list_pairs", None)  # whatever a library makes of it
    ended = haos("list")
    assert (ended.code, ended.err.splitlines()[-1]) == (1, "  hint: set HOME to one that can be written")


def test_a_bug_keeps_its_traceback(haos: Haos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haos.workflow.listing.list_pairs", None)
    with pytest.raises(TypeError):
        haos("list")


def test_a_lab_with_nowhere_to_keep_its_files(haos: Haos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    ended = haos("lab", "up")
    assert ended.code == 1
    assert ended.err == (
        "haos: the lab cannot keep its files in /proc/none/haos: No such file or directory\n"
        "  hint: set XDG_CACHE_HOME to a directory that can be written\n"
    )
