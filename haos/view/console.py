"""Where output goes: results to stdout, progress and hints to stderr; plain lines where there is no terminal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.status import Status


class QuietConsole(Console):
    """A console whose reader may go away: what a run must finish, or undo, does not hang on who is listening."""

    def on_broken_pipe(self) -> None:
        """Say nothing more."""
        self.quiet = True


@dataclass
class Output:
    """The two streams, and how chatty to be."""

    quiet: bool = False
    out: Console = field(default_factory=lambda: _console(sys.stdout))
    err: Console = field(default_factory=lambda: _console(sys.stderr))

    def glyph(self, nice: str, plain: str) -> str:
        """Return a glyph that the terminal's encoding can show."""
        return nice if (self.out.encoding or "").lower().startswith("utf") else plain

    def line(self, text: str = "") -> None:
        """Print a line of the result; the text is no markup."""
        self.out.print(escape(text))

    def hint(self, text: str) -> None:
        """Print a line that helps and that no program reads."""
        if not self.quiet:
            self.err.print(escape(text))


def _console(stream: TextIO) -> Console:
    # No emoji codes: a MAC address may hold ":ab:".
    return QuietConsole(file=stream, highlight=False, soft_wrap=True, emoji=False)


class ConsoleProgress:
    """Steps as they end, one line each; on a terminal the running one is shown too."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.Lock()
        self._running: list[str] = []
        live = output.err.is_terminal and not output.quiet
        self._status: Status | None = Status("", console=output.err) if live else None

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step for as long as it lasts."""
        started_s = time.monotonic()
        self._begin(title)
        try:
            yield
        except BaseException:
            self._end(title, "[red]failed[/red]", time.monotonic() - started_s)
            raise
        self._end(title, "[green]ok[/green]", time.monotonic() - started_s)

    def note(self, text: str) -> None:
        """Show a line of its own."""
        self._output.hint(f"       {text}")

    def _begin(self, title: str) -> None:
        with self._lock:
            self._running.append(title)
            if self._status is not None:
                self._status.update(escape(title) + " …")
                self._status.start()

    def _end(self, title: str, mark: str, took_s: float) -> None:
        with self._lock:
            self._running.remove(title)
            if self._status is not None:
                self._status.update(escape(self._running[-1]) + " …" if self._running else "")
                if not self._running:
                    self._status.stop()
            if not self._output.quiet:
                width = 3 if "ok" in mark else 6
                pad = " " * (6 - width)
                self._output.err.print(f"{pad}{mark} {escape(title)}  [dim]{took_s:.1f} s[/dim]")
