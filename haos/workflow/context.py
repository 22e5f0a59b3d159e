"""What the workflows need of the world, as Protocols; `haos.adapters` and `tests/fakes` provide them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from haos.core.changes import PortAmendment as PortAmendment
from haos.core.changes import Reservation as Reservation
from haos.core.clocks import Moment
from haos.core.intent import Intent
from haos.core.model import Address, Instance, Pair
from haos.core.probe import NO_SERVICE, History, Service
from haos.errors import HaosError
from haos.workflow.context_cloud import Cloud as Cloud
from haos.workflow.context_node import NodeAgent as NodeAgent


class Probe(Protocol):
    """A probe run that is under way on the observer."""

    def mark(self, label: str) -> None:
        """Name this moment in the history."""

    def when(self, local_s: float) -> Moment:
        """Return that time of haos's own monotonic clock (Clock.now_s) on the observer's."""

    def history(self) -> History:
        """Return what has been reported so far."""

    def wait(self, condition: Callable[[History], bool], timeout_s: float) -> bool:
        """Wait until the growing history satisfies the condition; False at the deadline or when the probe is lost."""

    def stop(self) -> History:
        """End the run and return the whole history."""


class Observer(Protocol):
    """The third instance, over one SSH connection."""

    def abilities(self) -> frozenset[str]:
        """Return what it can: "root", "python" (one that may send ICMP), "ping"; asked once."""

    def neighbour(self, vip: Address) -> str | None:
        """Return the MAC that the observer's own neighbour table has for the VIP."""

    def start_probe(self, vip: Address, *, interval_s: float, service: Service = NO_SERVICE) -> Probe:
        """Start probing, the service behind the VIP too where asked; returns once the first probe has left.

        What of the service cannot be asked from there is said in `History.notes`.
        """


class Fleet(Protocol):
    """Gives out connections to instances; all are closed with it."""

    def node(self, instance: Instance) -> NodeAgent:
        """Connect to a node (kept for the whole run)."""

    def observer(self, instance: Instance) -> Observer:
        """Connect to the observer (kept for the whole run)."""

    def awaited(self, instance: Instance) -> HaosError | None:
        """Return why an instance that is being connected to has not been reached so far; None where nobody knows."""

    def renew(self, instance: Instance) -> None:
        """Drop the connection to an instance that was cut off or restarted: the next call connects anew."""

    def trust_anew(self, instance: Instance, fingerprints: Sequence[str]) -> None:
        """Keep, in place of the host keys that haos kept of an instance, those that its console log shows.

        Only if they are these ("ED25519 SHA256:…"), and it shows one of them. The user's own known_hosts are never
        touched. Raises HostKeyError.
        """

    def close(self) -> None:
        """Close every connection."""


class Clock(Protocol):
    """Time, replaceable in tests."""

    def now_s(self) -> float:
        """Return seconds on a monotonic clock."""

    def wall_s(self) -> float:
        """Return seconds since the epoch, by this machine's wall clock."""

    def sleep(self, seconds: float) -> None:
        """Let time pass between two looks at a condition."""


class Guardian(Protocol):
    """What undoes a fault made through the API if haos dies: a process of its own."""

    def watch_over(self, pair: Pair, intent: Intent) -> AbstractContextManager[None]:
        """Have it ready (logged in to the cloud) while the context lasts. Raises CloudError where it is not.

        It ends with a context that ends well. Otherwise, or if haos dies, or when the announced time has passed,
        it undoes the fault if that is still announced, and takes the announcement back.
        """


class Progress(Protocol):
    """Where a workflow says what it does; the view decides how it looks."""

    def step(self, title: str) -> AbstractContextManager[None]:
        """Show a step for as long as it lasts; an error that leaves it marks it as failed."""

    def measuring(
        self, title: str, look: Callable[[], History], names: Mapping[str, str]
    ) -> AbstractContextManager[None]:
        """Show a step during which the VIP is asked: `look` returns what is known so far, `names` says MAC -> node.

        `look` is called from another thread, some times a second.
        """

    def note(self, text: str) -> None:
        """Show something worth a line of its own."""


@dataclass(frozen=True)
class Context:
    """The world that a workflow runs in."""

    cloud: Cloud
    fleet: Fleet
    clock: Clock
    progress: Progress
    guardian: Guardian
