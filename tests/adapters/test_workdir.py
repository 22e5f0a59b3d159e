"""The private folder of a run, and what a run that was killed has left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from haos.adapters.workdir import Workdir

PROGRAM = "from haos.adapters.workdir import Workdir; print(Workdir().path, flush=True); import time; time.sleep(60)"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files whose path is short enough."""
    with tempfile.TemporaryDirectory(prefix="w-", dir="/tmp") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def test_it_is_private_and_goes_with_what_is_in_it(temporary: Path) -> None:
    made = Workdir()
    assert made.path.parent == temporary
    assert made.path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.path.iterdir()} == {0o600}
    (made.path / "socket").write_text("")
    made.remove()
    made.remove()
    assert list(temporary.iterdir()) == []


def test_one_that_is_too_deep_for_a_socket_is_made_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("d" * 60)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    made = Workdir()
    assert len(str(made.path)) < 60
    made.remove()


def test_that_of_a_killed_run_is_removed_and_that_of_one_that_lives_is_not(temporary: Path) -> None:
    environ = {**os.environ, "TMPDIR": str(temporary)}
    argv = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        mine = Workdir()
        assert theirs.is_dir(), "it lives"
        other.send_signal(signal.SIGKILL)
    third = Workdir()
    assert not theirs.exists()
    assert mine.path.is_dir(), "held by this very process"
    for made in (mine, third):
        made.remove()


def test_what_is_not_a_folder_of_a_run_is_left_alone(temporary: Path) -> None:
    (temporary / "haos-somebody").mkdir()
    (temporary / "haos-linked").symlink_to(temporary / "haos-somebody")
    (temporary / "haos-file").write_text("kept")
    (temporary / "other").mkdir()
    (temporary / "other" / "alive").write_text("")
    Workdir().remove()
    left = {path.name for path in temporary.iterdir()}
    assert left == {"haos-somebody", "haos-linked", "haos-file", "other"}


def test_a_link_in_place_of_the_lock_is_not_followed(temporary: Path) -> None:
    (temporary / "kept").write_text("")
    folder = temporary / "haos-odd"
    folder.mkdir()
    (folder / "alive").symlink_to(temporary / "kept")
    Workdir().remove()
    assert folder.is_dir()
