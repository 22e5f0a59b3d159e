"""Options that several commands share. Imports nothing heavy: `--help` must be quick."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import click

from haos.core.model import Address

F = TypeVar("F", bound=Callable[..., Any])


def as_address(_: click.Context, __: click.Parameter, value: str | None) -> Address | None:
    """Parse an IPv4 or IPv6 address, or fail with the option's name."""
    try:
        return None if value is None else ip_address(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is not an IP address") from None


def as_names(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    """Split names at commas; refuse empty ones."""
    names = tuple(part.strip() for part in value.split(","))
    if not all(names):
        raise click.BadParameter(f"{value!r} holds an empty name")
    return names


_SSH = (
    click.option("--ssh-user", metavar="USER", help="Log in as this user (default: as ssh itself would)."),
    click.option(
        "--ssh-key", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Private key."
    ),
    click.option("--ssh-jump", metavar="[USER@]HOST[:PORT]", help="Bastion to jump over, as ssh -J."),
    click.option(
        "--ssh-address",
        type=click.Choice(["auto", "floating", "fixed"]),
        default="auto",
        show_default=True,
        help="Which address of an instance to connect to.",
    ),
    click.option(
        "--ssh-config",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="ssh_config to use instead of your own.",
    ),
    click.option(
        "--accept-new-host-keys",
        is_flag=True,
        help="Trust a host key that neither known_hosts nor the console log vouches for, the first time.",
    ),
    click.option("--ask-sudo-password", is_flag=True, help="Ask for the sudo password (or set HAOS_SUDO_PASSWORD)."),
)
_COMMON = (
    click.option("-v", "--verbose", is_flag=True, help="Show the API requests and file contents of the plan."),
    click.option("-q", "--quiet", is_flag=True, help="No progress, no hints: results and errors only."),
    click.option("--debug", is_flag=True, help="Log every HTTP request, secrets left out."),
)


def ssh_options(command: F) -> F:
    """Add the options of the SSH connection."""
    return _add(command, _SSH)


def common_options(command: F) -> F:
    """Add what every command understands."""
    return _add(command, _COMMON)


def _add(command: F, options: tuple[Callable[[F], F], ...]) -> F:
    for option in reversed(options):
        command = option(command)
    return command
