"""The longest files come first, as they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.conftest import LONGEST


def test_the_longest_files_are_there() -> None:
    assert [name for name in LONGEST if not Path(__file__).with_name(name).exists()] == []


def test_they_come_first_in_their_order(request: pytest.FixtureRequest) -> None:
    paths = [item.path for item in request.session.items if "lab" in item.path.parts]
    order = [path.name for path in dict.fromkeys(paths)]
    long = [name for name in LONGEST if name in order]
    assert order[: len(long)] == long
