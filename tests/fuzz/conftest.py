"""Nothing of the person at the keyboard gets into what is tried here, and nothing of it stays in his home."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.amount import NIGHTLY


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in ("OS_CLOUD", "OS_CLIENT_CONFIG_FILE", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LC_ALL", "LC_CTYPE",
                     "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "HAOS_SUDO_PASSWORD"):  # fmt: skip
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the many examples of a night the time that they take."""
    for item in items:
        if NIGHTLY and "fuzz" in item.path.parts:
            item.add_marker(pytest.mark.timeout(3600))
