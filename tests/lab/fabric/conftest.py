"""Segments for the tests on the wire."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab.fabric.wire import Segment, unavailable

TOOLS = ("unshare", "nsenter", "ip", "bridge", "nft", "ping")


@pytest.fixture
def segment() -> Iterator[Segment]:
    """A switch without ports."""
    with _segment(user=os.geteuid() != 0) as made:
        yield made


@pytest.fixture(params=["root", "user"])
def each_segment(request: pytest.FixtureRequest) -> Iterator[Segment]:
    """The same as root of the machine and as root of a user namespace only."""
    with _segment(user=request.param == "user") as made:
        yield made


def _segment(*, user: bool) -> Segment:
    if reason := unavailable(TOOLS, user=user):
        pytest.skip(reason)
    return Segment(user=user)
