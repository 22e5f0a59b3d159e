"""What a running lab says of itself."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

from haos.lab import cgroups
from haos.lab.claims import Claim
from haos.lab.model import Address
from haos.lab.paths import LabPaths

PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class InstanceStatus:
    """An instance; its processes as the machine sees them."""

    id: str
    name: str
    power: str
    addresses: tuple[Address, ...]
    floating: tuple[IPv4Address, ...]
    pids: tuple[int, ...]

    @property
    def memory_kib(self) -> int:
        """Its share of the machine's memory (PSS)."""
        return sum(_pss_kib(pid) for pid in self.pids)


@dataclass(frozen=True)
class LabStatus:
    """A lab."""

    name: str
    url: str
    fabric: str
    pid: int  # the daemon
    instances: tuple[InstanceStatus, ...]


def read_status(paths: LabPaths, claim: Claim) -> LabStatus:
    """Read the state that the lab's daemon keeps up to date."""
    state: dict[str, Any] = (
        json.loads(paths.state.read_text()) if paths.state.exists() else {"url": "", "instances": []}
    )
    instances = tuple(
        InstanceStatus(
            id=each["id"],
            name=each["name"],
            power=each["power"],
            addresses=tuple(ip_address(address) for address in each["addresses"]),
            floating=tuple(IPv4Address(address) for address in each["floating"]),
            pids=tuple(cgroups.processes(Path(claim.group) / each["id"])),
        )
        for each in state["instances"]
    )
    return LabStatus(paths.name, state["url"], claim.fabric.value, claim.pid, instances)


def _pss_kib(pid: int) -> int:
    try:
        found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return 0  # it has ended since
    return int(found[1]) if found else 0
