"""iproute2 in batches, here or in the network namespace of another process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

from haos.lab.errors import LabError
from haos.lab.namespaces import environment, in_network_of

DEADLINE_S = 10.0


def ip_batch(lines: Iterable[str], *, netns_of: int | None = None, force: bool = False) -> None:
    """Run lines of `ip -batch`; with `force` those that fail are of no account."""
    argv = ["ip", *(["-force"] if force else []), "-batch", "-"]
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(
        argv if netns_of is None else in_network_of(netns_of, argv),
        input=text, text=True, capture_output=True, env=environment(), timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    if done.returncode and not force:
        raise LabError(f"ip -batch: {done.stderr.strip()}")
