"""Colours of who answers; the letters say the same where there is no colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from haos.view.cells import BOTH, LOST, SOMEBODY, STRANGER, runs
from haos.view.plain import plain
from haos.view.timeline import FAULT, TAKEOVER

NODE_STYLES = ("black on green", "black on cyan", "white on blue", "black on white", "white on magenta")
"""By the order of the nodes; red and yellow are kept for what is wrong."""
_STYLES = {LOST: "bold white on red", BOTH: "bold black on yellow", STRANGER: "black on yellow", SOMEBODY: "green",
           FAULT: "bold red", TAKEOVER: "bold"}  # fmt: skip


def styles_of(letters: Iterable[str]) -> dict[str, str]:
    """Return the style of every cell that can be shown."""
    known = dict.fromkeys(letters)
    return _STYLES | {letter: NODE_STYLES[index % len(NODE_STYLES)] for index, letter in enumerate(known)}


def painted(shown: Sequence[str], letters: Iterable[str], *, ascii_only: bool) -> Text:
    """Return cells as coloured text."""
    styles, text = styles_of(letters), Text()
    for cell, count in runs(shown):
        text.append((plain(cell) if ascii_only else cell) * count, styles.get(cell, ""))
    return text
