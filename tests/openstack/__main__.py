"""python -m tests.openstack up|down|status|exec|run."""

from __future__ import annotations

import sys

from tests.openstack.bed.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
