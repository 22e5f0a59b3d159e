"""Enumerate a flow on a lab of its own: `python -m tests.crash FLOW… [--every N] [--random CHAINS --seed S]`."""

from __future__ import annotations

import argparse
import os
import sys

from tests.crash.flows import FLOWS
from tests.crash.lab import Wanted, enumerate_on
from tests.own_lab import own_lab


def main() -> int:
    """Print the numbers of each flow and then every difference; 1 if there was one."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("flows", nargs="*", choices=[*FLOWS, []], metavar="FLOW", help=", ".join(FLOWS))
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take one point of N (default: each)")
    parser.add_argument("--random", type=int, default=0, metavar="CHAINS", help="kill at random times instead")
    parser.add_argument("--seed", type=int, default=1, help="what the random times are drawn from (default: 1)")
    said = parser.parse_args()
    wanted = Wanted(said.every, said.random, said.seed)
    return max([_one(name, wanted) for name in said.flows or FLOWS])


def _one(flow: str, wanted: Wanted) -> int:
    lab = f"crash-{os.getpid()}"
    with own_lab(lab, fabric=FLOWS[flow].fabric):
        numbers, differences = enumerate_on(lab, flow, wanted)
    print(numbers, *differences, sep="\n\n", flush=True)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
