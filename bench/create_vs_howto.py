"""`haos create` beside the howto's steps as a script, on one lab: `python -m bench.create_vs_howto [ROUNDS]`.

Needs what a lab needs. keepalived is installed on both nodes beforehand, and both sides take turns: first haos, then
the openstack client and ssh with the howto's commands and its timing (advertisements every second). The howto's
use_vmac is left out, since the fabric (ovs) delivers a MAC to one port only; the rule for protocol 112, which the
howto does not make and the VIP answers without, too. Neither side knows a host key from an earlier round by its own
doing: the script's ssh is given the right ones, haos learns them anew. What a round made is undone, untimed.

"First answer" is for haos the end of the step that asks the VIP from the observer (20 answers in a row, from the
right MAC), for the script its first answered ping.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench.howto import Howto
from bench.spread import heading, row, verdict
from haos.core.spread import Spread
from haos.lab import control

ROUNDS = 3
TOTAL_LIMIT_S = 20.0
RATIO_LIMIT = 0.5
"""Of haos's time up to the first answer, as a share of the script's."""
NODES = ("ha_first", "ha_second")
CREATE = ("create", "--network", "ha_lab", "--nodes", ",".join(NODES))
INSTALL = (
    "sudo apt-get -qq update && sudo DEBIAN_FRONTEND=noninteractive apt-get -qq install -y keepalived >/dev/null 2>&1"
)
_ANSWERED = re.compile(r" *ok ask \S+ from observer ")


def run_haos(environ: Mapping[str, str], *words: str) -> tuple[float | None, float]:
    """Run haos; return when the observer was answered, and when all was done, in seconds from its start."""
    started_s, answered_s, said = time.monotonic(), None, []
    argv = [str(Path(sys.executable).parent / "haos"), *words]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line)
            if _ANSWERED.match(line):
                answered_s = time.monotonic() - started_s
            print(f"  {time.monotonic() - started_s:6.2f} {line}", end="", file=sys.stderr)
    if process.returncode:
        raise SystemExit(f"haos {' '.join(words)} ended with {process.returncode}:\n{''.join(said)}")
    return answered_s, time.monotonic() - started_s


def measure(lab: str, rounds: int) -> Iterator[tuple[float, float, float]]:
    """Yield for each round haos's first answer, its end, and the script's first answer, in seconds."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environ |= control.environment(lab)
    with tempfile.TemporaryDirectory() as scratch:
        environ["PYTHONPYCACHEPREFIX"] = f"{scratch}/bytecode"
        howto = Howto(lab, environ)
        for number in range(rounds + 1):
            environ["XDG_CACHE_HOME"] = f"{scratch}/{number}"  # where haos keeps the host keys that it has learned
            answered_s, ended_s = run_haos(environ, *CREATE)
            run_haos(environ, "teardown")
            assert answered_s is not None, "a create that ends well has asked the observer"
            try:
                by_hand_s = howto.run()
            finally:
                howto.undo()
            if number:  # the first round compiles Python's bytecode
                yield answered_s, ended_s, by_hand_s


@contextmanager
def prepared_lab() -> Iterator[str]:
    """Bring a lab up, with keepalived on both nodes, and down again."""
    name = f"bench-{os.getpid()}"
    control.up(name, progress=lambda line: print(line, file=sys.stderr))
    try:
        for node in NODES:
            subprocess.run(control.ssh_argv(name, node, [INSTALL]), check=True, timeout=600)
        yield name
    finally:
        control.down(name)


def main() -> int:
    """Print the table; the exit code is 1 if a limit was missed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with prepared_lab() as lab:
        answered, ended, by_hand = (Spread.of(values) for values in zip(*measure(lab, rounds), strict=True))
    width = 42
    print(heading(f"seconds, {rounds} rounds by turns", width))
    print(row("haos create, up to the first proven answer", answered, width))
    print(row("haos create, in all", ended, width))
    print(row("howto's steps, up to the first ping answer", by_hand, width))
    ratio = answered.middle / by_hand.middle
    print(verdict("haos create in all, median", ended.middle, TOTAL_LIMIT_S, digits=1))
    print(verdict("first answer, ratio of the medians", ratio, RATIO_LIMIT, digits=2))
    return 0 if ended.middle <= TOTAL_LIMIT_S and ratio <= RATIO_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
