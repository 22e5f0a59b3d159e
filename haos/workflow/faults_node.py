"""The faults that are made on the node itself, each with the sh that makes it and the sh that ends it."""

from __future__ import annotations

from haos.core import vrrp
from haos.workflow.fault import Fault, NodeSide

WITHDRAW = Fault(
    "withdraw",
    "this pair's instance alone leaves the node",
    vrrp.bound_of_clean_stop_s,
    NodeSide("withdraw_pair", "! has_pair || reinstate_pair"),
)
STOP = Fault(
    "stop",
    "keepalived is stopped cleanly",
    vrrp.bound_of_clean_stop_s,
    NodeSide("stop_daemon_now", "revive"),
    whole_node=True,
)
