"""Do independent things side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Condition
from typing import TYPE_CHECKING, TypeVar

from haos.errors import HaosError

if TYPE_CHECKING:
    from collections.abc import Iterator

K = TypeVar("K")
V = TypeVar("V")
MAX_THREADS = 8


def for_each(keys: Iterable[K], work: Callable[[K], V]) -> dict[K, V]:
    """Return key -> result; every piece of work is let finish, then the first error (in key order) is raised."""
    results, errors = attempt_each(keys, work)
    for error in errors.values():
        raise error
    return results


def attempt_each(
    keys: Iterable[K],
    work: Callable[[K], V],
    *,
    meanwhile: Callable[[], object] | None = None,
    every_s: float | None = None,
) -> tuple[dict[K, V], Mapping[K, HaosError]]:
    """Return (results, expected errors), each by key; a bug is raised. `meanwhile` is called every so often.

    An interrupt is raised only after all work that had begun has ended, and none begins after it: whoever undoes a
    run must not race its own workers.
    """
    keys = list(keys)
    results: dict[K, V] = {}
    errors: dict[K, HaosError] = {}
    if not keys:
        return results, errors
    gate = _Gate()

    def one(key: K) -> None:
        with gate.passed() as allowed:
            if allowed:
                results[key] = work(key)

    with ThreadPoolExecutor(max_workers=min(len(keys), MAX_THREADS)) as pool:
        try:
            futures = {key: pool.submit(one, key) for key in keys}
            while wait(futures.values(), timeout=every_s).not_done:
                if meanwhile is not None:
                    meanwhile()
        finally:
            gate.close()
    for key, future in futures.items():
        try:
            future.result()
        except HaosError as error:
            errors[key] = error
    return {key: results[key] for key in keys if key in results}, errors


class _Gate:
    """Counts who is at work. The pool's own join misses a thread whose start was interrupted."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._inside = 0
        self._open = True

    @contextmanager
    def passed(self) -> Iterator[bool]:
        """Be counted while at work; False where the gate is closed already."""
        with self._changed:
            allowed = self._open
            self._inside += allowed
        try:
            yield allowed
        finally:
            with self._changed:
                self._inside -= allowed
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in any more, and wait until everybody has left."""
        with self._changed:
            self._open = False
            self._changed.wait_for(lambda: self._inside == 0)
