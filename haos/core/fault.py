"""What a fault is on a node, what guards it, and what the nodes themselves write down meanwhile. Values only."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from haos.core.model import Address


class Guard(enum.StrEnum):
    """What ends a fault if haos cannot any more."""

    NODE = "a timer on the node, armed before"
    GUARDIAN = "a guardian process on this machine, told before"
    ITSELF = "it ends by itself"


@dataclass(frozen=True)
class FaultOrder:
    """A fault as a node is told of it; `refuse`, `inject` and `heal` are POSIX sh that runs there as root.

    `refuse` dies where the fault could not be undone; it runs at once, before anything is done or armed.
    `heal` must be safe to run at any time: twice, and where the injection never came to anything.
    """

    fault: str  # its name
    pair: str
    vip: Address
    interface: str  # the port's device
    inject: str
    heal: str
    heal_after_s: float  # the node's own timer, counted from before the fault
    delay_s: float = 0.0  # > 0: the order returns first, the fault comes then, since it cuts the way back
    refuse: str = ":"


@dataclass(frozen=True)
class AddressEvent:
    """The VIP came to the node, or went from it."""

    at_s: float  # the node's wall clock
    held: bool


@dataclass(frozen=True)
class NodeLog:
    """What a node wrote down of the VIP and of the faults since it was told to watch. Times: its wall clock."""

    now_s: float  # when it was read
    began_s: float
    held_at_start: bool
    events: tuple[AddressEvent, ...] = ()
    injected_s: float | None = None  # of the latest fault
    healed_s: float | None = None
    boot: str = ""  # which start of the node it is
    whole: bool = True  # False: the node was restarted meanwhile, or its log broke off
