"""The last seconds of a measurement that is under way: a band of who answers, and how long nobody has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile

from rich.text import Text

from haos.core.outage import LATE_S, is_lost
from haos.core.probe import Echo, History
from haos.view.cells import STANDS_S, Sample, cells, letters
from haos.view.palette import painted
from haos.view.plain import visible

CELL_S = 0.05
INDENT = "       "
SHORTEST, LONGEST = 10, 120


class Band:
    """What a running measurement looks like at the moment. `look` is asked once for each picture."""

    def __init__(self, look: Callable[[], History], names: Mapping[str, str]) -> None:
        self._look = look
        self._names = dict(names)
        self._letters = letters(names.values())

    def lines(self, width: int, *, ascii_only: bool = False) -> Iterator[Text]:
        """Yield the band and, below it, who answers; nothing before the first probe."""
        history = self._look()
        if not history.echoes:
            return
        marks = {mac: self._letters[name] for mac, name in self._names.items()}
        count = max(SHORTEST, min(LONGEST, width - len(INDENT) - 2))
        # Whole cells only, and none whose probes may still be answered: cells that are drawn stay as they are.
        end = int((history.now_s - LATE_S) // CELL_S)
        first_s = (end - count) * CELL_S
        tail = tail_since(history.echoes, first_s)
        asks = tail_since(history.asks, first_s - STANDS_S)
        shown = cells(tail, first_s, CELL_S, count, marks, asks)
        band = painted(shown, self._letters.values(), ascii_only=ascii_only)
        yield Text(f"{INDENT}|").append_text(band).append("|")
        yield self._caption(history, tail)

    def _caption(self, history: History, tail: list[Echo]) -> Text:
        known = [echo for echo in tail if echo.sent_s <= history.now_s - LATE_S or echo.answered_s is not None]
        text = Text(INDENT)
        if history.lost is not None:
            return text.append("the observer was lost", "bold yellow")
        if not known:
            return text
        if is_lost(known[-1]):
            return text.append(f"no answer for {_dark_s(known, history):.1f} s", "bold red")
        who = self._names.get(known[-1].responder or "")
        return text.append(visible(f"{self._letters[who]} = {who}") if who else "answered", "dim")


def tail_since(samples: Sequence[Sample], first_s: float) -> list[Sample]:
    """Return the samples from a moment on; the cost is that of the tail, however long the history is."""
    tail = list(takewhile(lambda one: one.sent_s >= first_s, reversed(samples)))
    tail.reverse()
    return tail


def _dark_s(known: list[Echo], history: History) -> float:
    # Beyond the band too: a gap that fills it has begun before.
    answered = next((echo for echo in reversed(history.echoes) if not is_lost(echo)), None)
    return history.now_s - (answered or history.echoes[0]).sent_s
