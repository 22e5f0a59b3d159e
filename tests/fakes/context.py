"""A context whose every part is the in-memory world."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from haos.core.model import Instance
from haos.core.probe import History
from haos.errors import HaosError, RebuiltError, RemoteError
from haos.workflow.context import Context
from tests.fakes.cloud import FakeCloud
from tests.fakes.guardian import FakeGuardian
from tests.fakes.node import FakeNode
from tests.fakes.observer import FakeObserver
from tests.fakes.world import World


@dataclass
class FakeFleet:
    world: World
    watcher: FakeObserver

    def node(self, instance: Instance) -> FakeNode:
        if instance.status != "ACTIVE":
            raise RemoteError(f"{instance.name} is {instance.status}")
        if shown := self.world.rebuilt.get(instance.id):
            raise RebuiltError(f"the host key of {instance.name} is another", fingerprints=shown, hint="haos repair")
        return self.world.nodes[instance.id]

    def observer(self, instance: Instance) -> FakeObserver:
        return self.watcher

    def awaited(self, instance: Instance) -> HaosError | None:
        return self.world.awaited.get(instance.id)

    def renew(self, instance: Instance) -> None:
        return

    def trust_anew(self, instance: Instance, fingerprints: Sequence[str]) -> None:
        with self.world.effects.effect(f"trust {instance.name}"):
            assert self.world.rebuilt.get(instance.id) == tuple(fingerprints)
            del self.world.rebuilt[instance.id]

    def close(self) -> None:
        return


class Quiet:
    """Progress that remembers its steps."""

    def __init__(self) -> None:
        self.titles: list[str] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.titles.append(title)
        yield

    def measuring(
        self, title: str, look: Callable[[], History], names: Mapping[str, str]
    ) -> AbstractContextManager[None]:
        return self.step(title)

    def note(self, text: str) -> None:
        self.titles.append(text)


def context_of(world: World, *, lost: str | None = None) -> Context:
    """Make a context whose every part is this world."""
    fleet = FakeFleet(world, FakeObserver(world, lost=lost))
    return Context(FakeCloud(world), fleet, world.clock, Quiet(), FakeGuardian(world))
