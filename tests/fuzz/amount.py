"""How many examples a property is tried with: few at every run, 50 times as many with HAOS_FUZZ=nightly."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

NIGHTLY = os.environ.get("HAOS_FUZZ") == "nightly"
TIMES = 50 if NIGHTLY else 1


def examples(count: int, **more: Any) -> settings:
    """Return the settings of a property that gets `count` examples at every run."""
    # What a fixture made is read by the examples and not changed, or is made anew by each.
    unhindered = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=count * TIMES, deadline=None, suppress_health_check=unhindered, **more)
