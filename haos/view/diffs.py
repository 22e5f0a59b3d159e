"""What changes in a node's files, as unified diffs."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from haos.core.keepalived import MAIN_PATH
from haos.core.node import NodeConfig, NodeFacts
from haos.core.nodeconf import files_there, is_included

NOTHING = "/dev/null"


def file_diffs(config: NodeConfig, facts: NodeFacts) -> dict[str, tuple[str, ...]]:
    """Return path -> the lines of a diff, for each file that is made or changed."""
    there = files_there(config.pair, facts)
    diffs = {file.path: tuple(_diff(file.path, there.get(file.path), file.text)) for file in config.files}
    if not is_included(config, facts):
        before = facts.main_config or ""
        newline = "" if before.endswith("\n") or not before else "\n"
        diffs[MAIN_PATH] = tuple(_diff(MAIN_PATH, before, f"{before}{newline}{config.include_line}\n"))
    return {path: lines for path, lines in diffs.items() if lines}


def _diff(path: str, before: str | None, after: str) -> Iterator[str]:
    old, new = (before or "").splitlines(), after.splitlines()
    origin = NOTHING if before is None else path
    yield from unified_diff(old, new, origin, path, lineterm="")
