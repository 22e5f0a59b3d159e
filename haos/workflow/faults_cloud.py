"""The faults that are made through the cloud's API: a guardian undoes them if haos dies."""

from __future__ import annotations

from haos.core import vrrp
from haos.core.fault import Guard
from haos.workflow import cloud_side
from haos.workflow.cloud_side import CloudSide
from haos.workflow.fault import Fault

SHUTDOWN_S = 60.0
"""Nova's shutdown_timeout: a guest that does not care for the power button is switched off after it."""


def _fault(side: CloudSide, summary: str, takes_s: float = 0.0) -> Fault:
    # Power-off says goodbye where the guest shuts down cleanly and in time; Nova pulls the plug otherwise.
    return Fault(
        side.fault.value,
        summary,
        vrrp.bound_of_crash_s,
        side,
        guard=Guard.GUARDIAN,
        whole_node=True,
        cuts=True,
        takes_s=takes_s,
    )


PORT_DOWN = _fault(cloud_side.PORT_DOWN, "the node's port is set down in Neutron")
POWER_OFF = _fault(cloud_side.POWER_OFF, "the instance is stopped by Nova, and started again", SHUTDOWN_S)
PAUSE = _fault(cloud_side.PAUSE, "the instance is paused by Nova, and unpaused")
