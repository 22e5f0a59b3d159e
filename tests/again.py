"""Run pytest; what failed, if that is little, once more by itself: `python -m tests.again PYTEST-ARGUMENTS`.

For the tiers on real programs and instances, whose deadlines a machine that stalls for a second can miss. The first
failure stays in the output, and a test that fails twice fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TESTS_FAILED = 1
LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
FEW = 3
"""More than this is no stall."""


def main(arguments: Sequence[str]) -> int:
    """Return pytest's exit code, of the second run where there was one."""
    LAST_FAILED.unlink(missing_ok=True)  # an earlier run's
    code = pytest(arguments)
    failed = sorted(json.loads(LAST_FAILED.read_text())) if code == TESTS_FAILED and LAST_FAILED.exists() else []
    if not 1 <= len(failed) <= FEW:
        return code
    print(f"failed, and run once more by itself: {', '.join(failed)}", flush=True)
    return pytest([*arguments, "-n", "0", "--last-failed", "--last-failed-no-failures", "none"])


def pytest(arguments: Sequence[str]) -> int:
    """Run it in a process of its own: nothing of the first run is left for the second."""
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
