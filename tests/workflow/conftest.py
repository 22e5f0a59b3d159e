"""All on fakes."""

from collections.abc import Generator

import pytest

from tests.one_by_one import OneByOne, one_by_one, side_by_side

__all__ = ["one_by_one", "side_by_side"]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Be without threads when modules are imported too: effects give tests their names, in every process the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("haos.workflow.parallel.ThreadPoolExecutor", OneByOne)
        return (yield)
