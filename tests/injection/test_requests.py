"""Every request of every command, disturbed in every way: it ends as documented, nothing is left that is not listed.

The same command goes on from there to where it leads if nothing is wrong, and teardown takes everything away.

A sample of them at every run; all with HAOS_DISTURB=all, in a few minutes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.injection.bed import made_bed
from tests.injection.flows import FLOWS, Trial, is_write
from tests.injection.stumbles import STUMBLES

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


Trials = Callable[[str], Trial]
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """Give the trial of a flow, on a bed of its own for all tests of this module."""
    with ExitStack() as beds:
        yield cache(lambda name: Trial(FLOWS[name], beds.enter_context(made_bed(tmp_path_factory.mktemp("bed")))))


WHOLE = os.environ.get("HAOS_DISTURB") == "all"
"""Else a sample: of as many requests the next one for the next kind of trouble, so that each is met by some."""


def disturb(
    trial: Trial, stumble: str, record: Record, one_in: int, only: Callable[[str, str], bool] = lambda *_: True
) -> None:
    """Disturb request by request; the summary of pytest says how many there were."""
    sample = slice(None) if WHOLE else slice(list(STUMBLES).index(stumble) % one_in, None, one_in)
    results = list(trial.run(STUMBLES[stumble], only=only, sample=sample))
    wrong = [(result.request, result.outcome, *result.wrong) for result in results if result.wrong]
    record("disturbed", len(results))
    assert wrong == []


@pytest.mark.parametrize("stumble", STUMBLES)
def test_a_write_of_create(trials: Trials, stumble: str, record_property: Record) -> None:
    disturb(trials("create"), stumble, record_property, 8, is_write)


@pytest.mark.real
@pytest.mark.parametrize("stumble", STUMBLES)
@pytest.mark.parametrize("flow", FLOWS)
def test_a_request_of(trials: Trials, flow: str, stumble: str, record_property: Record) -> None:
    disturb(trials(flow), stumble, record_property, FLOWS[flow].one_in)
