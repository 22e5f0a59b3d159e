"""What faults do to a node of the in-memory world, and what the node writes down of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from haos.core.fault import AddressEvent, FaultOrder, NodeLog
from haos.core.model import Address, Instance
from haos.core.node import NodeConfig
from haos.core.turn import Turn
from haos.errors import RemoteError, StepError

if TYPE_CHECKING:
    from tests.fakes.world import World

CUT = frozenset({"partition", "link-down", "reboot"})
"""Nobody reaches the node while it lasts."""
SPLIT = frozenset({"hang", "vrrp-block"})
"""Its peers hear nothing of it, and it goes on answering for the VIP."""
OVER_AFTER_S = {"kill": 0.5, "reboot": 20.0}
"""Faults that end by themselves."""
WALL_S = 1_700_000_000.0
"""A node's wall clock where the world's begins."""


class FaultyNode:
    """The part of a FakeNode that a failover test works on."""

    world: World
    instance: Instance
    mac: str
    daemon: bool
    files: dict[str, NodeConfig]
    withdrawn: set[str]
    fault: FaultOrder | None = None  # armed, until it is healed
    effective: str | None = None  # the name of the fault that is in effect now
    wall_offset_s: float = WALL_S
    boots: int = 1
    _began_s: float | None = None  # of the watch
    _turn: tuple[Turn, float] | None = None  # and until when
    _watched: Address | None = None
    _injected_s: float | None = None
    _healed_s: float | None = None

    def plugged_in(self) -> bool:
        """Say whether the instance runs and its port is up."""
        instance = self.world.instances.get(self.instance.id, self.instance)
        port = next((port for port in self.world.ports.values() if port.mac == self.mac), None)
        return instance.status == "ACTIVE" and port is not None and port.admin_up

    def _reach(self) -> None:
        cut = self.effective in CUT or not self.plugged_in()
        if cut or self.instance.id in self.world.unreachable:
            raise RemoteError(f"{self.instance.name} does not answer on port 22", hint="is it up?")

    @property
    def boot(self) -> str:
        """Which start of the node it is."""
        return f"start {self.boots}"

    def inject(self, order: FaultOrder) -> float:
        self._reach()
        if self.fault is not None:
            raise StepError(f"the fault {self.fault.fault} is under way on {self.instance.name} already")
        clock = self.world.clock
        with self.world.effects.effect(f"inject {order.fault} {self.instance.name}"):
            self.fault = order
            clock.at(clock.now + order.heal_after_s, lambda: self.by_timer(order))
            if order.delay_s:
                clock.at(clock.now + order.delay_s, lambda: self.suffer(order))
            else:
                self.suffer(order)
        return self.wall_offset_s + clock.now + order.delay_s

    def suffer(self, order: FaultOrder) -> None:
        """Let the fault come, if it has not been ended before."""
        if self.fault is not order:
            return
        clock = self.world.clock
        self._injected_s, self._healed_s = clock.now, None
        self.effective = order.fault
        if order.fault == "stop":
            self.daemon = False
        elif order.fault == "withdraw":
            self.withdrawn.add(order.pair)
        if order.fault == "reboot":
            self._began_s = None
        if order.fault in OVER_AFTER_S:
            clock.at(clock.now + OVER_AFTER_S[order.fault], lambda: self.come_back(order))
        self.world.elect()

    def come_back(self, order: FaultOrder) -> None:
        """Let a fault end by itself: systemd has started the daemon again, or the node is up again."""
        if self.fault is order:
            self.effective = None
            if order.fault == "reboot":
                self.fault = self._injected_s = None
                self.boots += 1
            self.world.elect()

    def by_timer(self, order: FaultOrder) -> None:
        """Do what the node's own timer does."""
        if self.fault is order:
            self.end_fault()

    def end_fault(self) -> None:
        """Undo the fault that is there."""
        if self.fault is None:
            return
        if self.fault.fault == "stop":
            self.daemon = True
        elif self.fault.fault == "withdraw":
            self.withdrawn.discard(self.fault.pair)
        self.fault = None
        self._healed_s = self.world.clock.now
        split, self.effective = self.effective in SPLIT, None
        if split:
            self.world.reunite()
        else:
            self.world.elect()

    def heal(self) -> bool:
        self._reach()
        if self.fault is None:
            return False
        with self.world.effects.effect(f"heal {self.instance.name}"):
            self.end_fault()
        return True

    def watch(self, vip: Address, *, limit_s: float) -> None:
        self._reach()
        if self._turn is not None and self.world.clock.now < self._turn[1]:
            raise StepError(f"{self._turn[0].what} is at work on {self.instance.name}")
        if self._began_s is not None:
            raise StepError(f"another failover test is at work on {self.instance.name}")
        clock = self.world.clock
        began_s = self._began_s = clock.now
        self._watched = vip

        def over() -> None:
            if self._began_s == began_s:
                self._began_s = None

        clock.at(began_s + limit_s, over)

    def watched(self) -> NodeLog:
        self._reach()
        now_s, offset_s = self.world.clock.now, self.wall_offset_s

        def stamp(at_s: float | None) -> float | None:
            return None if at_s is None else at_s + offset_s

        stamps = stamp(self._injected_s), stamp(self._healed_s)
        if self._began_s is None:
            return NodeLog(now_s + offset_s, now_s + offset_s, False, (), *stamps, self.boot, whole=False)
        began_s = self._began_s
        events = tuple(AddressEvent(at_s + offset_s, held) for at_s, held in self._changes(began_s, now_s))
        return NodeLog(now_s + offset_s, began_s + offset_s, self.held_at(began_s), events, *stamps, self.boot)

    def _changes(self, began_s: float, now_s: float) -> Iterator[tuple[float, bool]]:
        held = self.held_at(began_s)
        edges = {at for at, _ in self.world.holders} | {at for _, *span in self.world.splits for at in span if at}
        for at_s in sorted(edge for edge in edges if began_s < edge <= now_s):
            if self.held_at(at_s) != held:
                held = not held
                yield at_s, held

    def held_at(self, at_s: float) -> bool:
        """Say whether the node had the VIP then, alone or beside another."""
        holder = next((mac for since_s, mac in reversed(self.world.holders) if since_s <= at_s), None)
        return holder == self.mac or self.mac in self.world.split_at(at_s)

    def unwatch(self) -> bool:
        self._reach()
        was_there, self._began_s = self._began_s is not None, None
        if self.fault is None:
            self._injected_s = self._healed_s = None
        return was_there

    def claim(self, turn: Turn) -> str | None:
        self._reach()
        if not self.files:
            raise StepError(f"taking the node on {self.instance.name} failed: no pair of haos's is on this node")
        now_s = self.world.clock.now
        if self._began_s is not None:
            return "a failover-test"
        if self._turn is not None and self._turn[0].run != turn.run and now_s < self._turn[1]:
            return self._turn[0].what
        self._turn = turn, now_s + turn.lasts_s
        return None

    def unclaim(self, turn: Turn) -> None:
        self._reach()
        if self._turn is not None and self._turn[0].run == turn.run and not self.world.effects.killed:
            self._turn = None

    def wall_s(self) -> float:
        self._reach()
        return self.wall_offset_s + self.world.clock.now
