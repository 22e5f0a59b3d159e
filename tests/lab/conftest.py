"""Labs for all tests that need real instances: one for each kind of fabric, made when first asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

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
def lab_with(lab_machine: None) -> Iterator[Callable[[str], LabStatus]]:
    """Give the session's one lab with a kind of fabric: `lab_with("learning")`. All go down at the end."""
    with ExitStack() as stack:

        @cache
        def running(fabric: str) -> LabStatus:
            name = f"test-{fabric}-{os.getpid()}"
            stack.callback(control.down, name)
            return control.up(name, fabric=fabric)

        yield running


@pytest.fixture(scope="session")
def lab(lab_with: Callable[[str], LabStatus]) -> LabStatus:
    """A running lab of the default fabric, as it was when it came up."""
    return lab_with("ovs")


@pytest.fixture(scope="session")
def lab_name(lab: LabStatus) -> str:
    """The name of the running lab."""
    return lab.name


@pytest.fixture(scope="session")
def bad_lab(lab_machine: None) -> Iterator[str]:
    """The name of another lab, for tests that break things in it and mend them again."""
    name = f"test-bad-{os.getpid()}"
    try:
        yield control.up(name).name
    finally:
        control.down(name)
