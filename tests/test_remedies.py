"""Every expected error names a remedy: read from the source, so that none is forgotten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from haos.cli.main import cli

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "haos"
WITHOUT = {
    "LostRaceError": "never shown as an error: create goes on with the pair that was first",
    "Interrupted": "the user asked for it",
    "UnknownHostKeyError": "raised again by hostkeys.py with what was tried",
    "ChangedHostKeyError": "raised again by hostkeys.py with the place of the old key",
    "the connection to {target} is closed": "haos itself is closing it, after the error that is shown",
    "the demo stopped": "the command that failed has said it",
    "'; '.join(removed.left)": "listed with what is left, by the undo",
}
"""class, or part of the call -> why a remedy would say nothing"""


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def errors_of(path: Path) -> Iterator[str]:
    """Yield the names of HaosError's descendants that a file defines."""
    yield from (node.name for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)
                and node.name.endswith(("Error", "Interrupted")))  # fmt: skip


SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if PACKAGE / "lab" not in path.parents]
# Neither is a HaosError: whoever calls turns the one into its own, and lets the other be as an OSError.
ERRORS = {name for path in SOURCES for name in errors_of(path)} - {"UnreadableError", "ForeignError"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_expected_error_names_a_remedy(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS):
            continue
        told = any(keyword.arg == "hint" for keyword in node.keywords)
        text = ast.unparse(node).replace("self.", "").replace("_target", "target")
        assert told or any(part in text for part in WITHOUT), f"{path}:{node.lineno}: {text} has no hint="


def test_nobody_is_excused_in_vain() -> None:
    text = "".join(ast.unparse(parsed(path)) for path in SOURCES).replace("self.", "")
    text = text.replace("_target", "target")
    for part in WITHOUT:
        assert part in text, part


def test_advice_names_options_and_commands_that_there_are() -> None:
    """What a report says of its result is a text; an option in it that is renamed would lead nowhere."""
    context = click.Context(cli)
    commands = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    text = (PACKAGE / "core" / "advice.py").read_text()
    options = {
        name
        for command in ("failover-test", "create", "status")
        for parameter in getattr(commands[command], "params", ())
        for name in parameter.opts
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert len(named) > 5
    assert named <= options
    assert set(re.findall(r"haos ((?:[a-z]+-)?[a-z]+)\b", text)) <= set(commands)
