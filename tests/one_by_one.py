"""What haos does side by side, done one after the other where all of the world is in this process.

A fake's work takes microseconds, the thread that does it many times that. And whatever is done at an effect, an
enumeration counts the same effects in the same order at each run. Threads are tested where they matter: by the tests
that ask for `side_by_side`, by tests/races, the adapters and the lab.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

import pytest

P = ParamSpec("P")
V = TypeVar("V")


class OneByOne(Executor):
    """Does what it is given at once; an error waits in the future, as from a thread."""

    def __init__(self, max_workers: int) -> None:
        """Take what a pool of threads takes."""

    def submit(self, fn: Callable[P, V], /, *args: P.args, **kwargs: P.kwargs) -> Future[V]:
        """Do it."""
        future: Future[V] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@pytest.fixture
def side_by_side() -> None:
    """Have threads as haos has."""


@pytest.fixture(autouse=True)
def one_by_one(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be without, unless a test asks for them."""
    if "side_by_side" not in request.fixturenames:
        monkeypatch.setattr("haos.workflow.parallel.ThreadPoolExecutor", OneByOne)
