"""What the workflows need of a node, as a Protocol; part of `haos.workflow.context`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from haos.core.fault import FaultOrder, NodeLog
from haos.core.model import Address
from haos.core.node import NodeConfig, NodeFacts, Removal, Removed, Sight, Survey
from haos.core.turn import Turn


class NodeAgent(Protocol):
    """One node, over one SSH connection. Each method is one script with a time limit of its own.

    Raises HostKeyError, LoginError, RemoteError or StepError.
    """

    def facts(self, mac: str) -> NodeFacts:
        """Look at the node; `mac` names the port's device. Changes nothing."""

    def install_keepalived(self) -> str:
        """Install the package (no service is started by it) and mark it as ours; return its version."""

    def packager(self) -> str | None:
        """Return who works with packages there, beside haos, so that an installation has to wait; None: nobody."""

    def configure(self, config: NodeConfig) -> bool:
        """Put the files in place, tested before and after; return whether anything changed. Starts nothing."""

    def activate(self) -> None:
        """Enable the daemon and let it run the files that are there now: start it, or reload it."""

    def weigh(self, pair: str, weight: int) -> None:
        """Let this pair's instance count so much more, or less, than its priority says; returns once it does."""

    def sight(self, pair: str, vip: Address) -> Sight:
        """Ask for the node's own view of the pair."""

    def survey(self, own: Address, addresses: Sequence[Address], *, listen_s: float) -> Survey:
        """Ask the segment of an address of its own who has others; listen for VRRP meanwhile. Changes nothing."""

    def remove(self, removal: Removal) -> Removed:
        """Take the pair off the node; the shared files go with the last pair. Safe to repeat."""

    def inject(self, order: FaultOrder) -> float:
        """Arm the node's own timer, then make the fault (after order.delay_s, where it cuts the way back).

        Returns the node's wall clock at which it came, or is to come. Raises StepError if one is under way there.
        """

    def heal(self) -> bool:
        """Undo every fault of haos that is there, and disarm its timer; return whether there was one. Repeatable."""

    def watch(self, vip: Address, *, limit_s: float) -> None:
        """Write down from now on when the VIP comes and goes; ends by itself after limit_s.

        Raises StepError ("another failover test is at work on NODE") if one is watching already.
        """

    def watched(self) -> NodeLog:
        """Return what was written down."""

    def unwatch(self) -> bool:
        """Stop writing down and leave nothing; return whether it was written down. Safe to repeat."""

    def wall_s(self) -> float:
        """Return the node's wall clock; one cheap round trip without sudo."""

    def claim(self, turn: Turn) -> str | None:
        """Take the node for one run, for a while, or keep it for longer; return who has it instead, in words.

        Raises StepError where no pair is on the node.
        """

    def unclaim(self, turn: Turn) -> None:
        """Give the node back; another run's turn stays. Safe to repeat."""
