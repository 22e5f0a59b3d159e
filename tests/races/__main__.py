"""Run all races on a lab of its own, and those in memory: `python -m tests.races [--rounds N]`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.own_lab import own_lab
from tests.races.bed import made_bed
from tests.races.lab_bed import lab_bed
from tests.races.races import Tally, race_round
from tests.races.rounds import ROUNDS

INTERLEAVINGS = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/races/test_interleavings.py"]


def main() -> int:
    """Print the numbers of each part, and whatever was lost; 1 if anything was."""
    parser = argparse.ArgumentParser(prog="python -m tests.races", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=ROUNDS, metavar="N", help=f"default: {ROUNDS}, which play every order"
    )
    rounds = parser.parse_args().rounds
    return max([_on_a_lab(rounds), _in_memory(rounds), _interleavings(rounds)])


def _on_a_lab(rounds: int) -> int:
    lab, tally = f"races-{os.getpid()}", Tally()
    with own_lab(lab), lab_bed(lab) as bed:
        for number in range(rounds):
            race_round(bed, number, tally)
            print(f"lab: {tally}", flush=True)
    return _told(tally)


def _in_memory(rounds: int) -> int:
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, made_bed(Path(folder), careless=True) as bed:
        for number in range(rounds):
            race_round(bed, number, tally)
    print(f"a Neutron that takes two writes of one revision: {tally}", flush=True)
    return _told(tally)


def _told(tally: Tally) -> int:
    print(*tally.lost, sep="\n", end="\n" if tally.lost else "", flush=True)
    return int(bool(tally.lost) or not tally.crowds == tally.vips == tally.vrids)


def _interleavings(rounds: int) -> int:
    failed = 0
    for number in range(rounds):
        environ = {**os.environ, "HAOS_RACES_ROUND": str(number)}
        ended = subprocess.run(
            [sys.executable, *INTERLEAVINGS], env=environ, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            failed += 1
            print(f"round {number}:", ended.stdout, ended.stderr, flush=True)
    print(f"two runs, one step of one of them at a time: {rounds} rounds, {failed} failed", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
