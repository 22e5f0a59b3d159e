"""The width is what shutil says it is, and help keeps to it."""

from __future__ import annotations

import os
import shutil
import sys

import click
import pytest

from haos.cli.width import Context, HelpFormatter, columns


@pytest.mark.parametrize("told", ["132", "0", "", "wide", "-5", None])
@pytest.mark.parametrize("terminal", [100, 0, None])
def test_columns_are_those_that_shutil_finds(
    monkeypatch: pytest.MonkeyPatch, told: str | None, terminal: int | None
) -> None:
    def size(_: int) -> os.terminal_size:
        if terminal is None:
            raise OSError("not a terminal")
        return os.terminal_size((terminal, 24))

    monkeypatch.delenv("COLUMNS", raising=False)
    if told is not None:
        monkeypatch.setenv("COLUMNS", told)
    monkeypatch.setattr(os, "get_terminal_size", size)
    monkeypatch.setattr(sys, "__stdout__", sys.stderr)
    expected = shutil.get_terminal_size().columns
    assert columns() == expected
    assert HelpFormatter().width == click.HelpFormatter().width


def test_no_stdout_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "__stdout__", None)
    assert columns(72) == 72


def test_help_is_formatted_by_it() -> None:
    assert isinstance(Context(click.Command("haos")).make_formatter(), HelpFormatter)
