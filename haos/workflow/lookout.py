"""The observer's part of a watch: a probe that runs all the time, is followed, and begun anew when it was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from haos.core.events import Event
from haos.core.model import Address, Instance
from haos.core.probe import History
from haos.core.sighting import ENOUGH_ECHOES, Observation, observe, seen_enough
from haos.core.status import Silent
from haos.core.wire import Wire, follow
from haos.errors import HaosError
from haos.workflow.context import Context, Probe
from haos.workflow.errands import Errands
from haos.workflow.status import OBSERVE_S, PROBE_INTERVAL_S, seen_from

AGAIN_S = 3.0
"""After so long an observer that was lost is tried again."""
RUN_S = 300.0
"""A probe run is replaced by a new one after so long: its history is kept whole, and it ends by itself some time."""
UNSEEN = Silent("it has not answered yet")


class Lookout:
    """Where the observer stands. Errands carry what takes time; nothing here waits, but for `settle`."""

    def __init__(self, watcher: Instance, vip: Address, errands: Errands, ctx: Context) -> None:
        self._watcher = watcher
        self._vip = vip
        self._errands = errands
        self._ctx = ctx
        self.history: History | None = None  # of the run under way, as of the last time that it was followed
        self._probe: Probe | None = None
        self._until_s = 0.0
        self._due_s = 0.0
        self._blind: Silent | None = UNSEEN  # why there is no probe
        self._wire = Wire()
        self._seen: Observation | None = None

    def aim(self, vip: Address) -> None:
        """Watch this VIP from now on."""
        if vip != self._vip:
            self._vip = vip
            self._dismiss(UNSEEN)

    def send_out(self) -> None:
        """Begin a probe, where there is none, or the present one has run for long."""
        now_s = self._ctx.clock.now_s()
        old = self._probe is not None and now_s >= self._until_s and self._wire.quiet
        if (self._probe is None or old) and now_s >= self._due_s:
            self._due_s = now_s + AGAIN_S
            self._errands.start(self, self._start)

    def take(self, result: object) -> None:
        """Take in a probe that was begun, or why it was not."""
        if isinstance(result, HaosError):
            self._blind = self._blind if self._probe is not None else Silent(result.reason, result.hint)
            return
        self._dismiss(None)
        self._probe = cast(Probe, result)
        self._until_s = self._ctx.clock.now_s() + RUN_S
        self._wire = Wire(self._wire.responder)

    def settle(self) -> None:
        """Wait until it is clear who answers."""
        if self._probe is not None:
            self._probe.wait(seen_enough, OBSERVE_S)

    def follow(self, names: Mapping[str, str], now_s: float) -> list[Event]:
        """Return what the observer saw since the last time, on the local clock: mapped by how long ago it was."""
        if self._probe is None:
            return []
        history = self.history = self._probe.history()
        self._wire, events = follow(self._wire, history, names)
        if history.lost is not None:
            self._dismiss(Silent(f"the observer was lost: {history.lost}"))
        return [replace(event, at_s=now_s - (history.now_s - event.at_s)) for event in events]

    def observation(self, *, behind: bool) -> Observation:
        """Return what the observer sees; what it saw before while a run has only begun, or the nodes are `behind`."""
        young = self.history is not None and len(self.history.echoes) < ENOUGH_ECHOES
        if self._seen is None or not (behind or young):
            if self.history is None:
                self._seen = seen_from(self._watcher, self._blind or UNSEEN)
            else:
                self._seen = observe(self._watcher.name, self.history, until_s=self._wire.told_s)
        return self._seen

    def leave(self) -> None:
        """End the probe; the connection is the fleet's."""
        if self._probe is not None:
            self._probe.stop()

    def _start(self) -> Probe:
        return self._ctx.fleet.observer(self._watcher).start_probe(self._vip, interval_s=PROBE_INTERVAL_S)

    def _dismiss(self, why: Silent | None) -> None:
        self._blind = why
        if self._probe is not None:
            self._errands.start(id(self._probe), self._probe.stop)
        self._probe = self.history = None
