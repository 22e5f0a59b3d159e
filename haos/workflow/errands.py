"""Work that goes on in the background while something else is looked at; whoever waits for it does so for a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Condition, Thread
from typing import Any

from haos.errors import HaosError


class Errands:
    """At most one piece of work for each key, none of which changes anything: who leaves lets them run out."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._under_way: set[Hashable] = set()
        self._done: list[tuple[Any, Any]] = []
        self._bug: BaseException | None = None

    def start(self, key: Hashable, work: Callable[[], object]) -> None:
        """Begin a piece of work, unless that key's is under way."""
        with self._changed:
            if key in self._under_way:
                return
            self._under_way.add(key)
        Thread(target=self._run, args=(key, work), daemon=True).start()

    def under_way(self, key: Hashable) -> bool:
        """Say whether that key's work has not ended, or its result not been taken."""
        with self._changed:
            return key in self._under_way

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is under way; False at the deadline. Of what has ended nothing is taken."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._done) == len(self._under_way), timeout_s)

    def take(self) -> list[tuple[Any, Any]]:
        """Return (key, result or HaosError) of what has ended since the last time; a bug is raised."""
        with self._changed:
            if self._bug is not None:
                raise self._bug
            done, self._done = self._done, []
            self._under_way -= {key for key, _ in done}
        return done

    def _run(self, key: Hashable, work: Callable[[], object]) -> None:
        try:
            result: object = work()
        except HaosError as error:
            result = error
        except BaseException as error:
            result, self._bug = None, error
        with self._changed:
            self._done.append((key, result))
            self._changed.notify_all()
