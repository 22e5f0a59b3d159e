"""The steps of a run: a line for each as it ends; on a terminal the running ones too, with the time they take."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from rich.live import Live
from rich.text import Text

from haos.core.probe import History
from haos.view.console import Output
from haos.view.live import Band

REFRESHES_PER_S = 8
_log = logging.getLogger("haos.steps")


@dataclass(eq=False)
class _Step:
    title: str
    started_s: float
    band: Band | None = None  # what it shows below itself

    def took_s(self) -> float:
        return time.monotonic() - self.started_s


class ConsoleProgress:
    """Steps of a workflow, possibly several at once."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._lock = threading.RLock()
        self._running: list[_Step] = []
        shown = output.err.is_terminal and not output.err.is_dumb_terminal and not output.quiet
        self._live = self._make_live() if shown else None

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step for as long as it lasts."""
        with self._shown(_Step(title, time.monotonic())):
            yield

    def measuring(
        self, title: str, look: Callable[[], History], names: Mapping[str, str]
    ) -> AbstractContextManager[None]:
        """Show a step and, on a terminal, who answered in the last seconds."""
        return self._shown(_Step(title, time.monotonic(), Band(look, names)))

    @contextmanager
    def _shown(self, step: _Step) -> Iterator[None]:
        self._begin(step)
        try:
            yield
        except BaseException:
            self._end(step, "failed", "red")
            raise
        self._end(step, "ok", "green")

    def note(self, text: str) -> None:
        """Show a line of its own."""
        _log.info("%s", text)
        self._output.hint(f"       {text}")

    @property
    def is_live(self) -> bool:
        """Whether the running steps are on the screen now."""
        return self._live is not None and self._live.is_started

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Keep the terminal to whoever asks a question there."""
        with self._lock:
            if self._live is not None and self._running:
                self._live.stop()
            try:
                yield
            finally:
                if self._live is not None and self._running:
                    self._live.start()

    def _begin(self, step: _Step) -> None:
        with self._lock:
            self._running.append(step)
            if self._live is not None and len(self._running) == 1:
                self._live = self._make_live()
                self._live.start()

    def _end(self, step: _Step, word: str, color: str) -> None:
        took = f"{step.took_s():.1f} s"
        _log.info("%s: %s, %s", step.title, word, took)
        with self._lock:
            self._running.remove(step)
            if self._live is not None and self._running:
                self._live.refresh()
            elif self._live is not None:
                self._live.stop()
            if not self._output.quiet:
                line = self._output.text(self._output.err, f"{word:>6} {step.title}  ")
                line.stylize(color, 0, 6)
                self._output.err.print(line.append(took, "dim"))

    def _make_live(self) -> Live:
        return Live(
            console=self._output.err,
            get_renderable=self.lines,
            refresh_per_second=REFRESHES_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def lines(self) -> Text:
        """Return the running steps, a line each; below a measurement what is seen of it."""
        mark = self._output.glyph("…", "..")
        width = self._output.err.width - 1
        lines = []
        for step in tuple(self._running):
            line = self._output.text(self._output.err, f"{mark:>6} {step.title}  ")
            line.append(f"{step.took_s():.0f} s", "dim")
            lines.append(line)
            if step.band is not None:
                lines += step.band.lines(width, ascii_only=mark != "…")
        for line in lines:
            # Each keeps to one line: Live counts lines to erase them.
            line.truncate(width, overflow="ellipsis" if mark == "…" else "crop")
        return Text("\n").join(lines)
