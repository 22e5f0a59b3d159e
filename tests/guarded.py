"""A haos that makes one fault through the API and then waits to be told to end it, or to be killed.

`python -m tests.guarded FAULT LASTS_S`, with OS_CLOUD and the like in its environment: says "made" once it is made.
"""

from __future__ import annotations

import os
import sys
from typing import cast

from haos.adapters.clock import SystemClock
from haos.adapters.connect import connect
from haos.adapters.guardian import ProcessGuardian
from haos.cli.lab_cloud import lab_config_files
from haos.cli.pair_cache import cache_dir
from haos.core.intent import CloudFault
from haos.workflow.cloud_side import SIDES
from haos.workflow.context import Context, Fleet
from haos.workflow.intent import announced
from haos.workflow.resolve import find_pair, pair_nodes
from tests.fakes import Quiet


def main(fault: CloudFault, lasts_s: float) -> None:
    cloud = connect([], config_files=lab_config_files([], os.environ))
    guardian = ProcessGuardian([], cache_dir(os.environ))
    ctx = Context(cloud, cast(Fleet, None), SystemClock(), Quiet(), guardian)
    pair, _ = find_pair(cloud, None)
    nodes, _ = pair_nodes(cloud, pair)
    node = nodes[pair.members[0].port_id]
    with announced(SIDES[fault], node, pair, lasts_s, ctx):
        SIDES[fault].inject(cloud, node.port)
        print("made", flush=True)
        sys.stdin.readline()
    print("ended", flush=True)


if __name__ == "__main__":
    main(CloudFault(sys.argv[1]), float(sys.argv[2]))
