"""How output was asked for. Imports nothing heavy: the options of the command line are made of it."""

from __future__ import annotations

from dataclasses import dataclass

LIST_FORMATS = ("table", "json", "yaml", "value", "csv")
SHOW_FORMATS = ("table", "json", "yaml", "value", "shell")
QUOTES = ("all", "minimal", "none", "nonnumeric")


@dataclass(frozen=True)
class Style:
    """The output options of the openstack client (cliff), with its names and defaults."""

    format: str = "table"
    columns: tuple[str, ...] = ()  # to show; all where empty
    sort_columns: tuple[str, ...] = ()
    descending: bool = False
    noindent: bool = False
    quote: str = "nonnumeric"
    prefix: str = ""  # of the shell's variables
    max_width: int = 0  # of a table; below 1 for no limit
    fit_width: bool = False
    print_empty: bool = False
