"""The faults that haos can inject, by name, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Sequence

from haos.errors import UsageError
from haos.workflow.fault import Fault as Fault
from haos.workflow.faults_cloud import PAUSE, PORT_DOWN, POWER_OFF
from haos.workflow.faults_net import LINK_DOWN, PARTITION, VRRP_BLOCK
from haos.workflow.faults_node import CHECK_FAIL, HANG, KILL, REBOOT
from haos.workflow.faults_node import STOP as STOP
from haos.workflow.faults_node import WITHDRAW as WITHDRAW

_ALL = (
    *(WITHDRAW, STOP, KILL, HANG, PARTITION, LINK_DOWN, PORT_DOWN),
    *(VRRP_BLOCK, REBOOT, POWER_OFF, PAUSE, CHECK_FAIL),
)
FAULTS = {fault.name: fault for fault in _ALL}
DEFAULT = (STOP.name, KILL.name, PARTITION.name)


def faults_named(names: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults of these names: the default ones for none, every one for `all`. Raises UsageError."""
    if "all" in names:
        return tuple(FAULTS.values())
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise UsageError(f"no fault named {unknown[0]!r}", hint=f"one of: {', '.join(FAULTS)}, all")
    return tuple(FAULTS[name] for name in names or DEFAULT)
