"""One lab for all tests that need real instances."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from haos.lab import control, requirements
from haos.lab.control import LabStatus


@pytest.fixture(scope="session")
def lab_machine() -> None:
    """Skip where no lab can run, saying what is missing; in CI that is a failure."""
    try:
        requirements.check()
    except requirements.LabError as error:
        reason = f"{error} ({error.hint})" if error.hint else str(error)
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def lab(lab_machine: None) -> Iterator[LabStatus]:
    """A running lab, as it was when it came up."""
    name = f"test-{os.getpid()}"
    try:
        yield control.up(name)
    finally:
        control.down(name)


@pytest.fixture(scope="session")
def lab_name(lab: LabStatus) -> str:
    """The name of the running lab."""
    return lab.name
