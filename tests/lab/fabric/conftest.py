"""Segments for the tests on the wire."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from haos.lab.model import FabricKind
from tests.lab.fabric.wire import Segment, unavailable

TOOLS = ("unshare", "nsenter", "ip", "bridge", "nft", "ping")


@pytest.fixture
def segment_of() -> Iterator[Callable[..., Segment]]:
    """Make a switch without ports: whose, and with the settings of `Segment`."""
    with ExitStack() as stack:

        def made(*, user: bool = os.geteuid() != 0, **settings: Any) -> Segment:
            if reason := unavailable(TOOLS, user=user):
                pytest.skip(reason)
            return stack.enter_context(Segment(user=user, **settings))

        yield made


@pytest.fixture
def kind() -> FabricKind:
    """The kind of the switches; a module of tests may say otherwise."""
    return FabricKind.OVS


@pytest.fixture
def segment(segment_of: Callable[..., Segment], kind: FabricKind) -> Segment:
    """A switch without ports."""
    return segment_of(kind=kind)


@pytest.fixture(params=["root", "user"])
def each_segment(request: pytest.FixtureRequest, segment_of: Callable[..., Segment], kind: FabricKind) -> Segment:
    """The same as root of the machine and as root of a user namespace only."""
    return segment_of(kind=kind, user=request.param == "user")
