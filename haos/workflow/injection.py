"""One fault on one node: injected once, undone once, and guarded in between by something that outlives haos."""

from __future__ import annotations

import math
from contextlib import ExitStack

from haos.core.fault import FaultOrder, Guard
from haos.core.model import Node, Pair
from haos.core.vrrp import MARGIN_S
from haos.errors import LeftoverError, RemoteError
from haos.workflow.cloud_side import CloudSide
from haos.workflow.context import Context
from haos.workflow.fault import Fault, NodeSide
from haos.workflow.intent import announced
from haos.workflow.settle import (
    BOOT_TIMEOUT_S,
    PROBE_INTERVAL_S,
    SETTLE_TIMEOUT_S,
    await_login,
    once_reachable,
    settled_s,
)

CUT_DELAY_S = 0.5
"""So long a node waits before it cuts itself off: its answer to the order has to get out."""
HOLD_S = 3.0
"""A fault that cuts the node off lasts so much longer than the take-over may take: the observer watches meanwhile."""
SLACK_S = 15.0
"""The node's timer must not heal what haos is still looking at."""
POLL_S = 0.2
RESTORE_TIMEOUT_S = 20.0


def hold_s(fault: Fault, bound_s: float, interval_s: float = PROBE_INTERVAL_S) -> float:
    """Return after how long the node's own timer ends the fault, counted from the order."""
    if fault.cuts and fault.guard is Guard.NODE:
        return CUT_DELAY_S + math.ceil(bound_s + MARGIN_S + HOLD_S + settled_s(interval_s))
    return math.ceil(takeover_timeout_s(fault, bound_s) + SLACK_S)


def takeover_timeout_s(fault: Fault, bound_s: float) -> float:
    """Return how long a take-over is waited for; the preempt delay has no part in it."""
    return SETTLE_TIMEOUT_S + fault.takes_s + bound_s


def failback_timeout_s(pair: Pair, bound_s: float) -> float:
    """Return how long a failback is waited for, once the node is well again."""
    return SETTLE_TIMEOUT_S + pair.timing.preempt_delay_s + bound_s


class Injection:
    """A fault on a node. `undo` is safe to repeat, and knows what has been done already."""

    def __init__(
        self, fault: Fault, pair: Pair, node: Node, bound_s: float, ctx: Context, interval_s: float = PROBE_INTERVAL_S
    ) -> None:
        self.fault = fault
        self.node = node
        self._pair = pair
        self._ctx = ctx
        self._hold_s = hold_s(fault, bound_s, interval_s)
        self._guard = ExitStack()
        self._begun_s: float | None = None
        self._made = False
        self._boot: str | None = None
        self._undone = False

    @property
    def is_on_node(self) -> bool:
        """Whether the node itself knows when it took place."""
        return isinstance(self.fault.make, NodeSide)

    def arm(self) -> None:
        """Have a guardian ready for a fault made through the API; a node arms its own timer with the fault."""
        if isinstance(self.fault.make, CloudSide):
            self._begun_s = self._ctx.clock.now_s()
            self._guard.enter_context(announced(self.fault.make, self.node, self._pair, self._hold_s, self._ctx))

    def make(self) -> None:
        """Make the fault, guarded as it is; one that cuts the node off comes a moment after this has returned."""
        self._begun_s = self._ctx.clock.now_s()
        make = self.fault.make
        if isinstance(make, NodeSide):
            agent = self._ctx.fleet.node(self.node.instance)
            if self.fault.guard is Guard.ITSELF:
                self._boot = agent.watched().boot
            agent.inject(self._order(make))
        else:
            make.inject(self._ctx.cloud, self.node.port)
        self._made = True

    def _order(self, make: NodeSide) -> FaultOrder:
        return FaultOrder(
            fault=self.fault.name,
            pair=self._pair.name,
            vip=self._pair.vip,
            interface=self.node.interface or "",
            inject=make.inject,
            heal=make.heal,
            heal_after_s=self._hold_s,
            delay_s=CUT_DELAY_S if self.fault.cuts else 0.0,
            refuse=make.refuse,
        )

    def undo(self) -> None:
        """End the fault and wait until the node can be reached again. Raises LeftoverError if that cannot be done."""
        if self._undone or self._begun_s is None:
            return
        try:
            if isinstance(self.fault.make, NodeSide):
                self._heal(self._begun_s)
            else:
                self._guard.close()
                await_login(self.node, self._ctx)
        except RemoteError as error:
            self._undone = True  # as far as it can be: a second try would only take as long again
            raise LeftoverError(self._left(error), hint=f"haos failover-test --restore {self._pair.name}") from error
        except LeftoverError:
            self._undone = True
            raise
        self._undone = True

    def _heal(self, begun_s: float) -> None:
        """Let the node heal itself where it is cut off; then ask it to, which does nothing where it has."""
        instance = self.node.instance
        if self.fault.cuts and self.fault.guard is Guard.NODE and self._made:
            self._until(begun_s + self._hold_s)
        if self.fault.cuts:
            self._ctx.fleet.renew(instance)
        if self.fault.guard is Guard.ITSELF and self._made:
            once_reachable(self.node, self._see_restart, BOOT_TIMEOUT_S, self._ctx)
        once_reachable(self.node, lambda: self._ctx.fleet.node(instance).heal(), RESTORE_TIMEOUT_S, self._ctx)

    def _see_restart(self) -> None:
        """Raise RemoteError as long as the node has not started anew; one that is going down may still answer."""
        if self._ctx.fleet.node(self.node.instance).watched().boot == self._boot:
            raise RemoteError(f"{self.node.name} has not restarted", hint="look at its console")

    def _until(self, moment_s: float) -> None:
        while (left_s := moment_s - self._ctx.clock.now_s()) > 0:
            self._ctx.clock.sleep(min(left_s, POLL_S))

    def _left(self, error: RemoteError) -> str:
        own = {
            Guard.NODE: f"; its own timer undoes it {self._hold_s:.0f} s after it began",
            Guard.GUARDIAN: "; the cloud says that it is undone",
            Guard.ITSELF: "",
        }[self.fault.guard]
        return f"{self.node.name} may still be under fault {self.fault.name}: {error}{own}"
