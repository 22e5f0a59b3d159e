"""`create`, killed at every point: the same again completes it, teardown takes all of it away."""

from __future__ import annotations

import pytest

from tests.crash.lab import Record, hold

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


def test_create_killed_anywhere_loses_nothing(own_lab: str, record_property: Record) -> None:
    hold(own_lab, "create", record_property)
