"""The observer of the in-memory world, and its probe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from haos.core.clocks import Moment
from haos.core.model import Address
from haos.core.probe import NO_SERVICE, Ask, Echo, FlowEvent, History, Mark, Service, Try

if TYPE_CHECKING:
    from tests.fakes.world import World


@dataclass
class FakeProbe:
    """Echoes every 10 ms of fake time, answered by whoever holds the VIP at that time."""

    world: World
    vip: Address
    interval_s: float
    lost: str | None = None
    service: Service = NO_SERVICE
    _echoes: list[Echo] = field(default_factory=list)
    _asks: list[Ask] = field(default_factory=list)
    _marks: list[Mark] = field(default_factory=list)
    _next_s: float = 0.0
    _tries: list[Try] = field(default_factory=list)
    _flow: list[FlowEvent] = field(default_factory=list)
    _flow_to: str | None = None  # the MAC of the node that the held connection ends at

    def __post_init__(self) -> None:
        self._next_s = self.world.clock.now

    def _catch_up(self) -> None:
        replies: dict[str | None, tuple[str | None, str | None]] = {}
        while self._next_s <= self.world.clock.now and not self.lost:
            at = self._next_s
            mac = next((who for when, who in reversed(self.world.holders) if when <= at), None)
            if mac not in replies:
                replies[mac] = self.world.echo_reply(self.vip, mac), self.world.arp_reply(self.vip, mac)
            echo, ask = replies[mac]
            self._echoes.append(Echo(at, at + 0.001 if echo else None, echo))
            if len(self._echoes) % 10 == 1:
                both = {ask, *(self.world.arp_reply(self.vip, one) for one in self.world.split_at(at))}
                self._asks.append(Ask(at, tuple(sorted(mac for mac in both if mac))))
            self._ask_service(at, echo)
            self._next_s = at + self.interval_s

    def _ask_service(self, at: float, answering: str | None) -> None:
        if "python" not in self.world.observer_can:
            return
        serving = answering not in (None, *self.world.no_service)
        if self.service.probe and len(self._echoes) % 5 == 1:
            failure = "" if serving else "refused" if answering else "no answer"
            self._tries.append(Try(at, None if failure else at + 0.002, failure))
        if self.service.flow and answering and answering != self._flow_to:
            if self._flow_to or not serving:
                why, heard_s = ("reset", at - 0.2) if self._flow_to else ("refused", None)
                self._flow.append(FlowEvent(at, "broken", why, heard_s))
            if serving:
                self._flow.append(FlowEvent(at, "open"))
            self._flow_to = answering

    def _cannot_ask(self) -> bool:
        return self.service != NO_SERVICE and "python" not in self.world.observer_can

    def when(self, local_s: float) -> Moment:
        return Moment(local_s, 0.001)

    def mark(self, label: str) -> None:
        self._catch_up()
        self._marks.append(Mark(label, self.world.clock.now, 0.001))

    def history(self) -> History:
        self._catch_up()
        return History(
            self.interval_s,
            tuple(self._echoes),
            tuple(self._asks),
            tuple(self._marks),
            self._next_s,
            self.lost,
            service=self.service,
            tries=tuple(self._tries),
            flow=tuple(self._flow),
            notes=("the service was not asked",) * self._cannot_ask(),
        )

    def wait(self, condition: Callable[[History], bool], timeout_s: float) -> bool:
        deadline_s = self.world.clock.now + timeout_s
        while self.world.clock.now < deadline_s and not self.lost:
            self.world.clock.sleep(0.25)
            if condition(self.history()):
                return True
        return False

    def stop(self) -> History:
        return self.history()


@dataclass
class FakeObserver:
    world: World
    probes: list[FakeProbe] = field(default_factory=list)
    lost: str | None = None

    def abilities(self) -> frozenset[str]:
        return self.world.observer_can

    def neighbour(self, vip: Address) -> str | None:
        return self.world.holder()

    def start_probe(self, vip: Address, *, interval_s: float, service: Service = NO_SERVICE) -> FakeProbe:
        probe = FakeProbe(self.world, vip, interval_s, self.lost, service)
        self.probes.append(probe)
        return probe
