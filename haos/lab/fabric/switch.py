"""The switch: carries out whole fabrics, each after the lab's delay, and looks after taps that come and go."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from types import TracebackType

from haos.lab.fabric import forwarding, links
from haos.lab.fabric.command import Run, SwitchError, execute
from haos.lab.fabric.render import darkened, lightened, ruleset
from haos.lab.model import Fabric, FabricKind

LOG = logging.getLogger(__name__)
CUT = "cut"  # why the frames of a tap are lost: its cable is
ATTEMPTS = 5  # a tap may vanish with its instance between a look and a command
DELAY_S = 0.5


class Switch:
    """All bridges of the lab.

    A fabric given to `apply` shows on the wire `delay_s` later; `plug` and `drop_all` are effective when they return.
    The methods may be called from any thread. Nothing is removed by `close`: it goes with the network namespace.
    """

    def __init__(self, delay_s: float = DELAY_S, run: Run = execute) -> None:
        self.delay_s = delay_s
        self._run = run
        self._fabric = Fabric(FabricKind.OVS, ())
        self._dark: dict[str, set[str]] = {}  # tap -> why
        self._wire = threading.RLock()  # held while commands run
        self._turn = threading.Condition()  # guards the four below
        self._orders: deque[tuple[float, Fabric]] = deque()
        self._busy = False
        self._closed = False
        self._failure: SwitchError | None = None
        self._worker = threading.Thread(target=self._work, name="lab-switch", daemon=True)
        self._worker.start()

    def __enter__(self) -> Switch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def apply(self, fabric: Fabric) -> None:
        """Take over the whole desired state; it becomes effective after the delay."""
        with self._turn:
            self._orders.append((time.monotonic() + self.delay_s, fabric))
            self._turn.notify_all()

    def flush(self, timeout_s: float = 10.0) -> None:
        """Wait until everything that was ordered is effective; raise SwitchError for what went wrong."""
        with self._turn:
            if not self._turn.wait_for(lambda: not self._orders and not self._busy, timeout_s):
                raise SwitchError(f"the switch has not settled within {timeout_s} s")
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def plug(self, tap: str) -> None:
        """Attach a tap that has just been made; one of a port not yet effective is attached when it becomes so."""
        with self._wire:
            if tap not in self._attach():
                raise SwitchError(f"there is no tap {tap} in the switch's network namespace")

    def drop_all(self, tap: str, why: str = CUT) -> None:
        """Lose all frames of a tap, both ways, until `restore` was called for every reason that it was done for."""
        with self._wire:
            if tap not in self._dark:
                self._rules(darkened(tap))
            self._dark.setdefault(tap, set()).add(why)

    def restore(self, tap: str, why: str = CUT) -> None:
        """Let the frames of a tap pass again, as far as its port admits them and no other reason is left."""
        with self._wire:
            if self._dark.get(tap) == {why}:
                self._rules(lightened(tap))
                del self._dark[tap]
            elif tap in self._dark:
                self._dark[tap].discard(why)

    def close(self) -> None:
        """Stop carrying out orders; what is still waiting is dropped."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        self._worker.join(timeout=10.0)

    def _work(self) -> None:
        while (fabric := self._next()) is not None:
            failure = None
            try:
                with self._wire:
                    self._fabric = fabric
                    self._rules(ruleset(fabric, frozenset(self._dark)))
                    self._attach()
            except SwitchError as error:
                LOG.error("%s", error)
                failure = error
            with self._turn:
                self._busy = False
                self._failure = failure or self._failure
                self._turn.notify_all()

    def _next(self) -> Fabric | None:
        """Wait for the newest order that is due; None once closed."""
        with self._turn:
            while not self._closed:
                due: Fabric | None = None
                while self._orders and self._orders[0][0] <= time.monotonic():
                    due = self._orders.popleft()[1]
                if due is not None:
                    self._busy = True
                    return due
                self._turn.wait(self._orders[0][0] - time.monotonic() if self._orders else None)
            return None

    def _rules(self, text: str) -> None:
        self._run(["nft", "-f", "-"], text)

    def _attach(self) -> frozenset[str]:
        """Bring bridges, taps and pinned addresses to the plan, whatever vanishes meanwhile; return the taps."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._attach_once()
            except SwitchError as error:
                LOG.info("trying again: %s", error)
        return self._attach_once()

    def _attach_once(self) -> frozenset[str]:
        before = links.read(self._run)
        plans = forwarding.plan(self._fabric, before.taps)
        self._batch("ip", links.link_commands(before, forwarding.bridges(self._fabric), plans))
        self._batch("bridge", links.entry_commands(links.read(self._run), plans))
        return before.taps

    def _batch(self, tool: str, lines: list[str]) -> None:
        if lines:
            self._run([tool, "-force", "-batch", "-"], "\n".join(lines) + "\n")
