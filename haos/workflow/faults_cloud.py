"""The faults that are made through the cloud's API: a port down, an instance off or paused."""

from __future__ import annotations

from haos.core import vrrp
from haos.core.fault import Guard
from haos.workflow import cloud_side
from haos.workflow.cloud_side import CloudSide
from haos.workflow.fault import Fault


def _fault(side: CloudSide, summary: str) -> Fault:
    # Power-off says goodbye where the guest shuts down cleanly and in time; Nova pulls the plug otherwise.
    return Fault(side.fault, summary, vrrp.bound_of_crash_s, side, guard=Guard.GUARDIAN, whole_node=True, cuts=True)


PORT_DOWN = _fault(cloud_side.PORT_DOWN, "Neutron sets the node's port down")
POWER_OFF = _fault(cloud_side.POWER_OFF, "Nova stops the instance")
PAUSE = _fault(cloud_side.PAUSE, "Nova pauses the instance")
