"""Commands of iproute2 and nftables, and how they fail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence

Run = Callable[[Sequence[str], str], str]
"""Run a command with a text on its standard input and return its output; raise SwitchError if it fails."""

DEADLINE_S = 10.0
SYSTEM_PATH = "/usr/sbin:/sbin"  # an ordinary user's login has no PATH to ip, bridge and nft


class SwitchError(RuntimeError):
    """The switch could not be brought to the wanted state."""


def execute(argv: Sequence[str], text: str = "") -> str:
    """Run a command of this machine."""
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"}
    try:
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, timeout=DEADLINE_S, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SwitchError(f"{argv[0]}: {error}") from error
    if done.returncode:
        raise SwitchError(f"{' '.join(argv)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout
