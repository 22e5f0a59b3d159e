"""Questions: only on a terminal, on stderr; elsewhere nobody is asked and haos goes ahead."""

from __future__ import annotations

import os
import sys

import click

from haos.errors import HaosError

QUESTION = "Do you want to make these changes?"


def on_terminal() -> bool:
    """Say whether somebody is there to be asked: questions go to stderr, answers come from stdin."""
    return os.isatty(0) and os.isatty(2)


def ask(question: str) -> bool:
    """Ask; anything but yes is no. Raises click.Abort at the end of input."""
    # Not by click, whose prompt puts a blank into stdout, where the result goes.
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise click.Abort
    return answer.strip().lower() in ("y", "yes")


def confirm_changes(*, yes: bool) -> None:
    """Go on if the user wants to, has said so with --yes, or is not there. Raises HaosError if the user does not."""
    if not yes and on_terminal() and not ask(QUESTION):
        raise HaosError("you said no; nothing was changed", hint="--yes goes ahead without the question")
