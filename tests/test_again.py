"""What fails is run once more, if it is little; what fails twice fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent.parent
STALLS_ONCE = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("one", range({count}))
def test_stalls(one):
    seen = Path(__file__).with_name(f"seen-{{one}}")
    there = seen.exists()
    seen.touch()
    assert there and not {always}

def test_passes():
    with Path(__file__).with_name("passed").open("a") as log:
        log.write("x")
"""


@pytest.mark.parametrize(
    ("count", "always", "code", "runs"), [(0, False, 0, 1), (2, False, 0, 2), (2, True, 1, 2), (4, False, 1, 1)]
)
def test_few_failures_are_run_once_more(tmp_path: Path, count: int, always: bool, code: int, runs: int) -> None:
    (tmp_path / "test_it.py").write_text(STALLS_ONCE.format(count=count, always=always))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "tests.again", "-q", "-p", "xdist.plugin", str(tmp_path / "test_it.py")]
    environ = {**os.environ, "PYTHONPATH": str(HERE), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ("run once more by itself" in ended.stdout) == (runs == 2)
    assert (tmp_path / "passed").read_text() == "x"
