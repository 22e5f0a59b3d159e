"""`teardown --purge`, killed at every point: the same again completes it, and so does create in its own way."""

from __future__ import annotations

import pytest

from tests.crash.lab import Record, hold

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


def test_teardown_killed_anywhere_loses_nothing(own_lab: str, record_property: Record) -> None:
    hold(own_lab, "teardown", record_property)
