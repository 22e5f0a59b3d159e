"""Where output goes: results to stdout, progress and hints to stderr; plain lines where there is no terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.text import Text

from haos.view.formats import as_document, as_list, as_one
from haos.view.plain import harmless, plain, shows_glyphs, visible
from haos.view.style import Style
from haos.view.table import Grid, folded, table

WIDTH_IN_A_PIPE = 80


class QuietConsole(Console):
    """A console whose reader may go away: what a run must finish, or undo, does not hang on who is listening."""

    def on_broken_pipe(self) -> None:
        """Say nothing more."""
        self.quiet = True


def console_on(stream: TextIO) -> Console:
    """Return a console that neither wraps nor decorates what it is given."""
    # No emoji codes: a MAC address may hold ":ab:".
    return QuietConsole(file=stream, highlight=False, soft_wrap=True, emoji=False, markup=False)


@dataclass
class Output:
    """The two streams, and how chatty to be."""

    quiet: bool = False
    out: Console = field(default_factory=lambda: console_on(sys.stdout))
    err: Console = field(default_factory=lambda: console_on(sys.stderr))

    def glyph(self, nice: str, spelled: str) -> str:
        """Return a glyph that the terminal can show."""
        return spelled if self.ascii_only else nice

    @property
    def ascii_only(self) -> bool:
        """Whether the terminal shows no more than ASCII."""
        return not shows_glyphs(self.out.encoding, os.environ)

    def line(self, text: str = "", style: str = "", *, hang: int = 2) -> None:
        """Print a line of the result; on a terminal it is broken between words, the rest indented by `hang`."""
        self._prose(self.out, text, style, hang)

    def hint(self, text: str, style: str = "", *, hang: int = 2) -> None:
        """Print a line that helps and that no program reads."""
        if not self.quiet:
            self._prose(self.err, text, style, hang)

    def verbatim(self, text: str, style: str = "") -> None:
        """Print a line of the result that somebody may want to copy: it is never broken."""
        self.out.print(self.text(self.out, text, style))

    def script(self, text: str, end: str = "\n") -> None:
        """Print lines that a program reads: as they are, but on a terminal, which would obey what is in them."""
        self.out.out(visible(text) if self.out.is_terminal else text, end=end, highlight=False)

    def table(self, columns: Sequence[str], rows: Grid, right: Sequence[str] | None = None) -> None:
        """Print a table of a screen, no wider than the terminal."""
        for line in table(columns, rows, width=self.table_width(Style()), right=right, keep_words=True):
            self.verbatim(line)

    def gap(self) -> None:
        """Leave a line free between what a person reads on a terminal."""
        if not self.quiet and self.err.is_terminal:
            self.err.print()

    def list(self, columns: Sequence[str], rows: Grid, style: Style) -> None:
        """Print several things, in the format that was asked for."""
        self._data(
            as_list(columns, rows, style, width=self.table_width(style), keep_words=self.fits_by_itself(style))
        )

    def one(self, columns: Sequence[str], values: Sequence[object], style: Style) -> None:
        """Print one thing, in the format that was asked for."""
        self._data(as_one(columns, values, style, width=self.table_width(style)))

    def document(self, value: object, style: Style) -> None:
        """Print one value as JSON or YAML."""
        self._data(as_document(value, style))

    def _prose(self, console: Console, text: str, style: str, hang: int) -> None:
        lines = folded(harmless(text), console.width, hang) if console.is_terminal else [text]
        for line in lines:
            console.print(self.text(console, line, style))

    def _data(self, text: str) -> None:
        # As it is: what a program reads is not ours to adorn.
        self.script(text, end="")

    def fits_by_itself(self, style: Style) -> bool:
        """Say whether a table is fitted to the terminal without having been told to."""
        return self.out.is_terminal and style.format == "table" and style.max_width <= 0 and not style.fit_width

    def screen_width(self, style: Style) -> int:
        """Return how wide a screen may be: as was asked for, as the terminal is, or what fits most terminals."""
        return self.table_width(style) or WIDTH_IN_A_PIPE

    def table_width(self, style: Style) -> int | None:
        """Return how wide a table may be: as was asked for, or as the terminal is; None in a pipe."""
        if style.max_width > 0:
            return style.max_width
        return self.out.width if style.fit_width or self.out.is_terminal else None

    @staticmethod
    def text(console: Console, text: str, style: str = "") -> Text:
        """Return a line as this console can show it, harmless whatever a name in it holds."""
        shown = harmless(text)
        return Text(shown if shows_glyphs(console.encoding, os.environ) else plain(shown), style)
