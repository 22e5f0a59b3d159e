"""The options of every command that shows a plan, asks, and then changes something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from haos.cli.options import option

F = TypeVar("F", bound=Callable[..., Any])

BEHAVIOUR = "Behaviour"

_ASKING = (
    option("-y", "--yes", section=BEHAVIOUR, is_flag=True, help="Do not ask before anything is changed."),
    option("--dry-run", section=BEHAVIOUR, is_flag=True, help="Show what would be done and change nothing."),
)
_EXIT_CODE = option(
    "--exit-code",
    section=BEHAVIOUR,
    is_flag=True,
    help="With --dry-run: exit with 3 if there is something to do.",
)
_EXPLAIN = option(
    "--explain",
    section=BEHAVIOUR,
    is_flag=True,
    help="Print the openstack and ssh commands that do the same by hand, and change nothing.",
)


def removal_options(command: F) -> F:
    """Add --yes, --dry-run and --explain."""
    for each in (_EXPLAIN, *reversed(_ASKING)):
        command = each(command)
    return command


def plan_options(command: F) -> F:
    """Add --yes, --dry-run, --exit-code and --explain."""
    for each in (_EXPLAIN, _EXIT_CODE, *reversed(_ASKING)):
        command = each(command)
    return command
