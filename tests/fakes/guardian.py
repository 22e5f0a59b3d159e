"""The guardian processes of the in-memory world."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from haos.core.intent import Intent
from haos.core.model import Pair
from haos.errors import CloudError
from haos.workflow.guard import undo_if_announced
from tests.fakes.cloud import FakeCloud
from tests.fakes.effects import Killed

if TYPE_CHECKING:
    from tests.fakes.world import World


@dataclass
class Watch:
    """What one guardian was told, and how its context ended: "" while it lasts, and for ever if haos was killed."""

    pair: Pair
    intent: Intent
    ended: str = ""


@dataclass
class FakeGuardian:
    """Stands for the process: it acts at once where the context does not end well, on `act` where haos was killed."""

    world: World
    refuses: str | None = None

    @contextmanager
    def watch_over(self, pair: Pair, intent: Intent) -> Iterator[None]:
        if self.refuses:
            raise CloudError(self.refuses)
        watch = Watch(pair, intent)
        self.world.watches.append(watch)
        try:
            yield
        except Killed:
            raise
        except BaseException:
            self._act(watch)
            raise
        watch.ended = "done"

    def act(self) -> None:
        """Do what the guardians of a haos that was killed do."""
        for watch in self.world.watches:
            if not watch.ended:
                self._act(watch)

    def _act(self, watch: Watch) -> None:
        cloud = FakeCloud(self.world)
        undone = undo_if_announced(watch.intent, watch.pair.reservation_id, cloud, self.world.clock)
        watch.ended = "undid it" if undone else "nothing to undo"
