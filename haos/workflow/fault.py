"""What a fault is: a value, so that adding one is adding one value in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from haos.core.fault import Guard
from haos.core.model import Timing
from haos.workflow.cloud_side import CloudSide


@dataclass(frozen=True)
class NodeSide:
    """A fault that is made on the node: POSIX sh, run there as root, with $PAIR, $VIP and $INTERFACE set.

    The functions of the node's scripts are at hand (die, reload, revive …). `refuse` dies, before anything is done,
    where the fault could not be undone; of the functions it has die alone. `heal` must be safe to run at any time:
    twice, and where `inject` never came to anything.
    """

    inject: str
    heal: str
    refuse: str = ":"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong on the Active node, how it ends, and how long the VIP may be gone for it."""

    name: str
    summary: str
    bound_s: Callable[[Timing, Sequence[int]], float]  # of the priorities of the Backups
    make: NodeSide | CloudSide
    guard: Guard = Guard.NODE
    whole_node: bool = False  # hits every VRRP instance of the node
    cuts: bool = False  # the node cannot be reached by SSH while it lasts
    splits: bool = False  # the node goes on answering for the VIP
    lasts_by_itself: bool = False  # it is over before anybody ends it
    takes_s: float = 0.0  # so long it may be until the fault comes
    needs: str | None = None  # "check": the pair must have a service check
