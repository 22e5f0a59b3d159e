"""Options that several commands share. Imports nothing heavy: `--help` must be quick."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from haos.cli.width import Context
from haos.view.style import LIST_FORMATS, QUOTES, SHOW_FORMATS, Style

if TYPE_CHECKING:
    from pathlib import Path

    from click.shell_completion import CompletionItem

    from haos.core.model import Address

F = TypeVar("F", bound=Callable[..., Any])

SSH, OUTPUT = "SSH", "Output"
WIDEST_NAMES = 24
"""Columns of the help that options may take; longer ones have their text on the next line."""


class FilePath(click.Path):
    """The path of a file; pathlib is loaded only where one is given, since help has to be quick."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        from pathlib import Path

        return Path(os.fsdecode(super().convert(value, param, ctx)))


@dataclass
class Settings:
    """What the options that every command understands said, before or after the command's name."""

    openstack: Sequence[str] = ()  # --os-* and the like, for openstacksdk
    verbose: bool = False
    quiet: bool = False
    debug: bool = False
    timing: bool = False
    log_file: Path | None = None
    secrets: set[str] = field(default_factory=set)  # what must not stand in a log or a traceback; grows


class Option(click.Option):
    """An option that stands under a heading of the help."""

    def __init__(self, *args: Any, section: str = "Options", **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.section = section


class Command(click.Command):
    """A command whose help groups its options under headings, in the order of their first appearance."""

    context_class = Context

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each group under its heading."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", OUTPUT), []).append(record)
        longest = max(len(names) for records in sections.values() for names, _ in records)
        for heading, records in sections.items():
            with formatter.section(heading):
                # Padded, so that the texts of all sections stand in one column.
                padded = [(names.ljust(min(longest, WIDEST_NAMES)), text) for names, text in records]
                formatter.write_dl(padded, col_max=WIDEST_NAMES)


def option(*names: str, section: str = "Options", **attributes: Any) -> Callable[[F], F]:
    """Declare an option under a heading."""
    return click.option(*names, cls=Option, section=section, **attributes)


def as_address(_: click.Context, __: click.Parameter, value: str | None) -> Address | None:
    """Parse an IPv4 or IPv6 address, or fail with the option's name."""
    from ipaddress import ip_address

    try:
        return None if value is None else ip_address(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not an IP address") from None


def as_names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    """Split names at commas; refuse empty ones."""
    if value is None:
        return None
    names = tuple(part.strip() for part in value.split(","))
    if not all(names):
        raise click.BadParameter(f"{value!r} holds an empty name")
    return names


def _noted(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if value and parameter.name is not None:
        setattr(ctx.find_root().ensure_object(Settings), parameter.name, value)


_SSH = (
    option("--ssh-user", section=SSH, metavar="USER", help="Log in as this user (default: as ssh itself would)."),
    option(
        "--ssh-key",
        section=SSH,
        metavar="FILE",
        type=FilePath(exists=True, dir_okay=False),
        help="Private key.",
    ),
    option("--ssh-jump", section=SSH, metavar="[USER@]HOST[:PORT]", help="Bastion to jump over, as ssh -J."),
    option(
        "--ssh-address",
        section=SSH,
        type=click.Choice(["auto", "floating", "fixed"]),
        default="auto",
        show_default=True,
        help="Which address of an instance to connect to.",
    ),
    option(
        "--ssh-config",
        section=SSH,
        metavar="FILE",
        type=FilePath(exists=True, dir_okay=False),
        help="ssh_config to use instead of your own.",
    ),
    option(
        "--accept-new-host-keys",
        section=SSH,
        is_flag=True,
        help="Trust a host key that neither known_hosts nor the console log vouches for, the first time.",
    ),
    option(
        "--ask-sudo-password",
        section=SSH,
        is_flag=True,
        help="Ask for the sudo password (or set HAOS_SUDO_PASSWORD).",
    ),
)
SSH_NAMES = (
    "ssh_user",
    "ssh_key",
    "ssh_jump",
    "ssh_address",
    "ssh_config",
    "accept_new_host_keys",
    "ask_sudo_password",
)
_COMMON = (
    option(
        "-v",
        "--verbose",
        section=OUTPUT,
        is_flag=True,
        expose_value=False,
        callback=_noted,
        help="Show the API requests and the file contents of a plan.",
    ),
    option(
        "-q",
        "--quiet",
        section=OUTPUT,
        is_flag=True,
        expose_value=False,
        callback=_noted,
        help="No progress, no hints: results and errors only.",
    ),
    option(
        "--debug",
        section=OUTPUT,
        is_flag=True,
        expose_value=False,
        callback=_noted,
        help="Log every HTTP request, secrets left out.",
    ),
    option(
        "--timing",
        section=OUTPUT,
        is_flag=True,
        expose_value=False,
        callback=_noted,
        help="Print how long each API request took.",
    ),
    option(
        "--log-file",
        section=OUTPUT,
        metavar="FILE",
        type=FilePath(dir_okay=False),
        expose_value=False,
        callback=_noted,
        help="Append steps and API requests to this file; with --debug their contents too.",
    ),
)
_FORMAT = (
    option("-c", "--column", "columns", section=OUTPUT, multiple=True, metavar="COLUMN",
           help="Show only this column; may be repeated."),
    option("--noindent", section=OUTPUT, is_flag=True, help="JSON in one line."),
    option("--max-width", section=OUTPUT, type=int, default=0, envvar="CLIFF_MAX_TERM_WIDTH", metavar="COLUMNS",
           help="Wrap the table to this width (default: the terminal's, none in a pipe)."),
    option("--fit-width", section=OUTPUT, is_flag=True, envvar="CLIFF_FIT_WIDTH",
           help="Wrap the table to the terminal's width even in a pipe."),
)  # fmt: skip
_LIST = (
    option("-f", "--format", "format_", section=OUTPUT, type=click.Choice(LIST_FORMATS), default="table",
           show_default=True, help="Output format."),
    *_FORMAT,
    option("--sort-column", "sort_columns", section=OUTPUT, multiple=True, metavar="COLUMN",
           help="Sort by this column; may be repeated."),
    option("--sort-descending/--sort-ascending", "descending", section=OUTPUT, help="Which way to sort."),
    option("--quote", section=OUTPUT, type=click.Choice(QUOTES), default="nonnumeric", show_default=True,
           help="What CSV quotes."),
    option("--print-empty", section=OUTPUT, is_flag=True, help="Print the table even if it is empty."),
)  # fmt: skip
_SHOW = (
    option("-f", "--format", "format_", section=OUTPUT, type=click.Choice(SHOW_FORMATS), default="table",
           show_default=True, help="Output format."),
    *_FORMAT,
    option("--prefix", section=OUTPUT, default="", metavar="TEXT", help="Put before the names of shell variables."),
)  # fmt: skip


def pair_argument(command: F) -> F:
    """Add the argument that names a pair, which may be left out where the project has only one."""
    return click.argument("pair", required=False, shell_complete=_known_pairs)(command)


def _known_pairs(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:

    from click.shell_completion import CompletionItem

    from haos.cli import pair_cache

    known = pair_cache.names(ctx.find_root().ensure_object(Settings).openstack, os.environ)
    return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def ssh_options(command: F) -> F:
    """Add the options of the SSH connection."""
    return _add(command, _SSH)


def common_options(command: F) -> F:
    """Add what every command understands."""
    return _add(command, _COMMON)


def list_options(command: F) -> F:
    """Add the output options of a list; the command is given a `style` made of them."""
    return _add(_styled(command), _LIST)


def show_options(command: F) -> F:
    """Add the output options of a single thing; the command is given a `style` made of them."""
    return _add(_styled(command), _SHOW)


def _styled(command: F) -> F:
    names = {each.name for each in fields(Style)} - {"format"}

    @functools.wraps(command)
    def styled(*args: Any, format_: str, **options: Any) -> Any:
        chosen = {name: options.pop(name) for name in names & options.keys()}
        return command(*args, style=Style(format_, **chosen), **options)

    return cast(F, styled)


def _add(command: F, options: Iterable[Callable[[F], F]]) -> F:
    for each in reversed(tuple(options)):
        command = each(command)
    return command
