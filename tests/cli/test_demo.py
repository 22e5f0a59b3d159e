"""The demo tells its story by itself."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

STORY = """
import os, sys
from haos.cli.demo import run
assert os.isatty(0)
run([sys.executable, "-c", "import os; raise SystemExit(os.isatty(0))"], os.environ)
"""


def test_nobody_is_asked_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    try:
        ended = subprocess.run(
            [sys.executable, "-c", STORY], stdin=theirs, capture_output=True, timeout=60, check=False
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == 0, ended.stderr
