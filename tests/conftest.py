"""What every tier stands on."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.fuzz.amount import NIGHTLY, TIMES

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

CI = os.environ.get("CI") == "true"
EXAMPLES = 100 if CI else 25
# How long an example takes says something of the machine and what else it does, nothing of the code. In CI the same
# examples are tried each time: a change is to be judged by what it changes. Others are found by everybody's own runs.
settings.register_profile("haos", deadline=None, max_examples=EXAMPLES * TIMES, derandomize=CI and not NIGHTLY)
settings.load_profile("haos")

EXHAUSTIVE = {"contract", "crash", "fuzz", "injection", "races", "security"}
"""Rooms in which all tests go through many cases each: what is not run at every turn."""

# Who starts the tests in the background of a shell, or by nohup, has them and all that they start ignore these.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_sessionstart() -> None:
    """Collect no garbage while tests are collected, of which there are thousands, and none is garbage."""
    gc.disable()


@pytest.hookimpl(tryfirst=True)  # before -m is looked at
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what goes through all of something."""
    for item in items:
        if EXHAUSTIVE & set(item.path.relative_to(item.config.rootpath).parts):
            item.add_marker(pytest.mark.exhaustive)


def pytest_collection_finish() -> None:
    """Let the collector of garbage go on, and never look again at what is there to stay."""
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the numbers that tests have recorded, which xdist's workers could not."""
    for numbers in _recorded(terminalreporter, "numbers"):
        terminalreporter.write_line(numbers)
    disturbed = [int(number) for number in _recorded(terminalreporter, "disturbed")]
    if disturbed:
        terminalreporter.write_line(f"{sum(disturbed)} combinations of an API request and a fault")


def _recorded(reporter: TerminalReporter, wanted: str) -> Iterator[str]:
    for report in (*reporter.stats.get("passed", ()), *reporter.stats.get("failed", ())):
        for name, value in getattr(report, "user_properties", ()):
            if name == wanted:
                yield str(value)
