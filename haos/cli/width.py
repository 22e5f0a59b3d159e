"""The width of help and hints. shutil knows it too, but loads four compressors for it; `--help` must be quick."""

from __future__ import annotations

import os
import sys

import click


def columns(default: int = 80) -> int:
    """Return the terminal's width: COLUMNS goes first, the default stands where there is no terminal."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told):
        return int(told)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or default  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # no stdout, a closed one, or a pipe
        return default


class HelpFormatter(click.HelpFormatter):
    """click's, with its width found in a quicker way."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        super().__init__(indent_increment, width or max(min(columns(), max_width or 80) - 2, 50), max_width)


class Context(click.Context):
    """click's, with that formatter."""

    formatter_class = HelpFormatter
