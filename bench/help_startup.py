"""How long `--help` takes, as whole processes beside the openstack client's: `python -m bench.help_startup [ROUNDS]`.

Both come from the venv that runs this, both with their bytecode compiled (one round is thrown away), which is the
harder comparison: compiling takes the openstack client longer. They take turns, so that what else the machine does
falls on all alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.spread import heading, row, verdict
from haos.core.spread import Spread

ROUNDS = 11
LIMIT = 1 / 15
"""Of `haos --help`, as a share of the openstack client's time."""
HAOS = ("haos", "--help")
CLIENT = ("openstack", "port", "list", "--help")
COMMANDS = (HAOS, ("haos", "create", "--help"), CLIENT)


def took_s(command: tuple[str, ...], environ: Mapping[str, str]) -> float:
    """Run an installed console script to its end and return how long that took."""
    script, *words = command
    started_s = time.perf_counter()
    subprocess.run([Path(sys.executable).parent / script, *words], env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started_s


def measure(rounds: int) -> dict[tuple[str, ...], Spread]:
    """Run all commands in turn, so many times after the first."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as cache:
        environ["PYTHONPYCACHEPREFIX"] = cache
        for command in COMMANDS:
            took_s(command, environ)
        taken = [[took_s(command, environ) for command in COMMANDS] for _ in range(rounds)]
    return dict(zip(COMMANDS, map(Spread.of, zip(*taken, strict=True)), strict=True))


def main() -> int:
    """Print the table; the exit code is 1 if the limit was missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    spreads = measure(rounds)
    width = max(len(" ".join(command)) for command in COMMANDS)
    print(heading(f"seconds, {rounds} rounds", width))
    for command, spread in spreads.items():
        print(row(" ".join(command), spread, width))
    for command in COMMANDS[:-1]:
        print(f"{' '.join(command)}: 1/{spreads[CLIENT].middle / spreads[command].middle:.1f} of the client")
    ratio = spreads[HAOS].middle / spreads[CLIENT].middle
    print(verdict("ratio of the medians of haos --help", ratio, LIMIT, digits=4))
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
