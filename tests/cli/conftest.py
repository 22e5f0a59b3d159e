"""Commands run as they are, over a world of fakes in place of the cloud and the instances."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from haos.cli.main import main
from haos.cli.options import Settings
from haos.cli.session import NO_SSH, Run, ssh_settings
from haos.view.console import Output
from haos.view.progress import ConsoleProgress
from tests.fakes import World, context_of, howto_world


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Haos = Callable[..., Ended]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own: no clouds.yaml, no cache, no setting of the person at the keyboard."""
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in ("OS_CLOUD", "OS_CLIENT_CONFIG_FILE", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LC_ALL", "LC_CTYPE",
                     "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):  # fmt: skip
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def world() -> World:
    return howto_world()


@pytest.fixture
def haos(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Haos:
    """Run a command line over the world."""

    @contextmanager
    def over_fakes(settings: Settings, options: Mapping[str, Any] = NO_SSH, **_: float) -> Iterator[Run]:
        output = Output(quiet=settings.quiet)
        ctx = replace(context_of(world), progress=ConsoleProgress(output))
        yield Run(ctx, output, settings, ssh_settings(options, {}))

    monkeypatch.setattr("haos.cli.session.session", over_fakes)

    def run(*argv: str) -> Ended:
        with pytest.raises(SystemExit) as stop:
            main(argv)
        out, err = capsys.readouterr()
        return Ended(int(stop.value.code or 0), out, err)

    return run
