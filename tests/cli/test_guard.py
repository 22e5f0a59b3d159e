"""The guardian is told to end at the worst moments: what it guards against is undone all the same."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Iterator
from io import FileIO
from types import FrameType

import pytest

from haos.adapters.guardian import DONE
from haos.cli import guard
from haos.core.intent import CloudFault, Intent

PORT = "913c4131-0cc3-4df4-ad95-273cd2f8475a"


class Killed(BaseException):
    """What SIGTERM would do to a process that does not handle it."""


class Again(logging.Handler):
    """Sends SIGTERM at every line of the log."""

    def emit(self, record: logging.LogRecord) -> None:
        terminate()


@pytest.fixture(autouse=True)
def _killable() -> Iterator[None]:
    def killed(_: int, __: FrameType | None) -> None:
        raise Killed

    before = signal.signal(signal.SIGTERM, killed)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def undone(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was undone by a guardian that logs in to no cloud, and is told to end once more while it undoes."""
    tags = list[str]()

    def undo(order: guard.Order, _: object) -> bool:
        terminate()
        tags.append(order.intent.tag)
        return True

    monkeypatch.setattr(guard, "log_in", lambda _: None)
    monkeypatch.setattr(guard, "undo", undo)
    return tags


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def watched(*words: bytes) -> tuple[bool, str]:
    """Let a guardian watch while haos says this, and lives; return how that ended, and what was announced."""
    tag = Intent(CloudFault.PAUSE, PORT, int(time.time()) + 60).tag
    order = json.dumps({"openstack": [], "reservation_id": "r", "tag": tag}).encode()
    reading, writing = os.pipe()
    try:
        os.write(writing, b"".join((order, b"\n", *words)))
        with FileIO(reading, "rb") as told:
            return guard.watch(told), tag
    finally:
        os.close(writing)


def test_told_to_end_as_soon_as_it_is_ready(monkeypatch: pytest.MonkeyPatch, undone: list[str]) -> None:
    monkeypatch.setattr(guard, "say", lambda _: terminate())
    well, tag = watched()
    assert well
    assert undone == [tag]


def test_told_to_end_twice_at_once(monkeypatch: pytest.MonkeyPatch, undone: list[str]) -> None:
    monkeypatch.setattr(guard, "say", lambda _: terminate())
    monkeypatch.setattr(guard._log, "handlers", [Again()])
    monkeypatch.setattr(guard._log, "level", logging.INFO)
    _, tag = watched()
    assert undone == [tag]


def test_told_that_all_is_well_it_undoes_nothing(monkeypatch: pytest.MonkeyPatch, undone: list[str]) -> None:
    monkeypatch.setattr(guard, "say", lambda _: None)
    assert watched(DONE)[0]
    assert undone == []
