"""Do independent things side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from haos.errors import HaosError

K = TypeVar("K")
V = TypeVar("V")
MAX_THREADS = 8


def for_each(keys: Iterable[K], work: Callable[[K], V]) -> dict[K, V]:
    """Return key -> result; every piece of work is let finish, then the first error (in key order) is raised."""
    results, errors = attempt_each(keys, work)
    for error in errors.values():
        raise error
    return results


def attempt_each(keys: Iterable[K], work: Callable[[K], V]) -> tuple[dict[K, V], Mapping[K, HaosError]]:
    """Return (results, expected errors), each by key; a bug is raised."""
    keys = list(keys)
    results: dict[K, V] = {}
    errors: dict[K, HaosError] = {}
    if not keys:
        return results, errors
    with ThreadPoolExecutor(max_workers=min(len(keys), MAX_THREADS)) as pool:
        futures = {key: pool.submit(work, key) for key in keys}
        wait(futures.values())  # interrupted here, the pool still lets every worker end before anything is undone
    for key, future in futures.items():
        try:
            results[key] = future.result()
        except HaosError as error:
            errors[key] = error
    return results, errors
