"""The mark of a run that takes a pair away: left before anything is taken, and kept young while it goes on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar

from haos.core.leaving import leaving_tag, wants_renewal
from haos.errors import CloudError, HaosError
from haos.workflow.context import Context
from haos.workflow.parallel import attempt_each

K = TypeVar("K")
V = TypeVar("V")
LOOK_EVERY_S = 5.0
"""How often it is seen whether the mark has to be renewed, while others are waited for."""


class Mark:
    """A run's mark on a reservation port.

    Whoever makes or mends the pair at the same moment finds it at the end, and takes his part back. One that could
    not be left is no reason not to take the pair away: `tag` is None then.
    """

    def __init__(self, reservation_id: str, ctx: Context) -> None:
        """Leave it (1 request)."""
        self._reservation_id, self._ctx = reservation_id, ctx
        self._run = secrets.token_hex(3)
        self.tag: str | None = None
        with suppress(HaosError):
            self.tag = self._leave()

    def _leave(self) -> str:
        tag = leaving_tag(self._ctx.clock.wall_s(), self._run)
        self._ctx.cloud.add_tag(self._reservation_id, tag)
        return tag

    def renew(self) -> None:
        """Renew it before it could be called old (no request before that, then 3); for before each step.

        Raises CloudError where somebody has taken it away: he makes the pair anew, and nothing more may be taken.
        That it cannot be renewed is no reason to stop; nor is that another run has taken the pair away wholly.
        """
        if self.tag is None or not wants_renewal(self.tag, self._ctx.clock.wall_s()):
            return
        try:
            tags = self._ctx.cloud.port(self._reservation_id).tags
        except HaosError:
            return
        self.see_in(tags)
        with suppress(HaosError):
            old, self.tag = self.tag, self._leave()
            self._ctx.cloud.remove_tag(self._reservation_id, old)

    def see_in(self, tags: tuple[str, ...]) -> None:
        """See it among the tags that the reservation has now. Raises CloudError where it is not."""
        if self.tag is not None and self.tag not in tags:
            raise CloudError("somebody makes the pair anew meanwhile", hint="run the same command again")

    def attempt_each(self, keys: Iterable[K], work: Callable[[K], V]) -> tuple[dict[K, V], Mapping[K, HaosError]]:
        """Do the same as `attempt_each` does, and keep the mark young meanwhile: a node may take minutes."""
        return attempt_each(keys, work, meanwhile=self._renew_if_it_can_be, every_s=LOOK_EVERY_S)

    def _renew_if_it_can_be(self) -> None:
        with suppress(HaosError):  # it is said before the next step
            self.renew()

    def take_back(self) -> None:
        """Take it away, as far as possible: the pair stays."""
        if self.tag is not None:
            with suppress(HaosError):
                self._ctx.cloud.remove_tag(self._reservation_id, self.tag)
