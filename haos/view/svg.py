"""A leg of a failover as a picture: who answered, who held the VIP by the nodes' own logs, and where the bound was.

The colours are classes of the page's style sheet, for light and for dark; equal neighbours are one rectangle.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape

from haos.core.leg import FAILBACK, Leg
from haos.core.outage import is_lost
from haos.core.probe import Ask, Echo, History
from haos.view.cells import BOTH, EMPTY, LOST, SOMEBODY, STANDS_S, STRANGER, cells, runs, within
from haos.view.report_json import end_of
from haos.view.timeline import FAULT, TAKEOVER, Window, moments, window

WIDTH, LEFT, RIGHT, TOP = 960, 132, 12, 50
BAND, GAP, AXIS = 18, 5, 18
MOST_PIECES, CELLS = 60, 120
"""A band of more pieces is drawn in cells instead: nobody could tell them apart, and a page of them grows large."""
PAD_S = 0.1
LETTER_WIDTH = 6.4
CLASSES = {LOST: "lost", BOTH: "both", SOMEBODY: "some", STRANGER: "strange"}
WORDS = {LOST: "no answer", BOTH: "both", SOMEBODY: "answered", STRANGER: "no node of the pair"}


@dataclass(frozen=True)
class Piece:
    """A stretch of one band."""

    first_s: float
    last_s: float
    what: str  # a node's name, or a sign of `cells`


@dataclass
class Picture:
    """Rows from the top down, over one axis of time."""

    view: Window
    nodes: Sequence[str]
    parts: list[str] = field(default_factory=list)
    bottom: int = TOP

    def x(self, at_s: float) -> float:
        """Return where a moment is, kept within the picture."""
        share = (at_s - self.view.first_s) / self.view.length_s
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)

    def row(self, title: str, pieces: Sequence[Piece], *, thin: bool = False) -> None:
        """Draw a band."""
        height = BAND * 2 // 3 if thin else BAND
        middle = self.bottom + height / 2 + 4
        self.parts.append(f'<text class="t" x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end">{title}</text>')
        for piece in pieces:
            self._piece(piece, height)
        self.bottom += height + GAP

    def _piece(self, piece: Piece, height: int) -> None:
        left, right = self.x(piece.first_s), self.x(piece.last_s)
        if right <= left:
            return
        name = escape(WORDS.get(piece.what, piece.what))
        kind = CLASSES.get(piece.what) or f"n{self.nodes.index(piece.what) % 5}"
        # At least a pixel: one lost probe is to be seen in a picture of ten seconds.
        width = max(1.0, right - left)
        self.parts.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{self.bottom}" width="{width:.1f}" height="{height}">'
            f"<title>{name}: {piece.last_s - piece.first_s:.3f} s</title></rect>"
        )
        if width > LETTER_WIDTH * (len(name) + 1):
            y = self.bottom + height / 2 + 4
            self.parts.append(f'<text class="in {kind}t" x="{left + 4:.1f}" y="{y:.0f}">{name}</text>')

    def line(self, at_s: float, kind: str, label: str, level: int) -> None:
        """Mark a moment, its label on one of the lines above the bands."""
        x, y = self.x(at_s), 12 + 13 * level
        late = x > WIDTH * 0.7
        self.parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 9}" y2="{self.bottom - AXIS}"/>')
        where = f'x="{x - 4:.1f}" text-anchor="end"' if late else f'x="{x + 4:.1f}"'
        self.parts.append(f'<text class="l" {where} y="{y}">{label}</text>')

    def axis(self, zero_s: float) -> None:
        """Draw the seconds, counted from the fault."""
        step = _step(self.view.length_s)
        first = math.ceil((self.view.first_s - zero_s) / step)
        for number in range(first, math.floor((self.view.last_s - zero_s) / step) + 1):
            x = self.x(zero_s + number * step)
            self.parts.append(f'<line class="a" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{self.bottom}"/>')
            text = f"{number * step:g} s"
            self.parts.append(
                f'<text class="t" x="{x:.1f}" y="{self.bottom + 12}" text-anchor="middle">{text}</text>'
            )
        self.bottom += AXIS


def legend(nodes: Sequence[str]) -> str:
    """Return what the colours mean, as HTML."""
    found = {name: f"n{index % 5}" for index, name in enumerate(nodes)}
    found |= {WORDS[sign]: CLASSES[sign] for sign in (LOST, BOTH)}
    return "".join(
        f'<svg class="key" viewBox="0 0 10 10"><rect class="{kind}" width="10" height="10"/></svg>{escape(name)} '
        for name, kind in found.items()
    )


def picture(leg: Leg, nodes: Sequence[str], label: str) -> str:
    """Return the SVG of a leg, "" where nothing was seen of it."""
    history = leg.history
    if history is None or not history.echoes:
        return ""
    seen = window(leg)
    view = Window(seen.first_s - PAD_S, seen.last_s + PAD_S)
    drawing, known = Picture(view, nodes), moments(leg)
    names = {mac: name for mac, name in leg.names.items() if name in nodes}
    drawing.row("echo answered by", list(_answers(within(history.echoes, view.first_s, view.last_s), view, names)))
    if history.asks:
        drawing.row("new client sees", _claims(history.asks, view, names), thin=True)
    for title, pieces in _further(history, view):
        drawing.row(title, pieces, thin=True)
    for name, pieces in _holders(leg, view):
        drawing.row(f"held by {escape(_short(name))}", pieces, thin=True)
    parts = [*drawing.parts]
    drawing.parts = []
    zero_s = known.get(FAULT, leg.start_s)
    drawing.axis(zero_s)
    grid, drawing.parts = drawing.parts, []
    _mark(drawing, leg, known)
    size = f'viewBox="0 0 {WIDTH} {drawing.bottom}" width="{WIDTH}" height="{drawing.bottom}"'
    body = "".join([*grid, *parts, *drawing.parts])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(label)}">{body}</svg>'


def _mark(drawing: Picture, leg: Leg, known: Mapping[str, float]) -> None:
    view = drawing.view
    if FAULT in known and view.share(known[FAULT]) is not None:
        begin, end = drawing.x(known[FAULT]), drawing.x(known[FAULT] + leg.bound_s)
        if leg.bound_s:
            drawing.parts.append(
                f'<rect class="bound" x="{begin:.1f}" y="{TOP - 5}" width="{end - begin:.1f}" height="3">'
                f"<title>bound {leg.bound_s:.3f} s</title></rect>"
            )
        what = "fault ends" if leg.label == FAILBACK else "fault"
        bound = f", bound {leg.bound_s:.3f} s" if leg.bound_s else ""
        drawing.line(known[FAULT], "mf", f"{what}{bound}", 0)
    if TAKEOVER in known and view.share(known[TAKEOVER]) is not None:
        drawing.line(known[TAKEOVER], "mt", f"VIP on {escape(leg.target)}", 1)
    first_s = leg.outage.first_answer_s if leg.outage else None
    if first_s is not None and view.share(first_s) is not None:
        drawing.line(first_s, "ma", "first answer", 2)


def _answers(echoes: Sequence[Echo], view: Window, names: Mapping[str, str]) -> Iterator[Piece]:
    """Yield who answered the echoes; a run ends where the next one begins."""
    shown = [LOST if is_lost(echo) else _who(echo.responder, names) for echo in echoes]
    together = list(runs(shown))
    if len(together) > MOST_PIECES:
        cell_s = view.length_s / CELLS
        yield from _cells(cells(echoes, view.first_s, cell_s, CELLS, names), view.first_s, cell_s)
        return
    index = 0
    for what, count in together:
        first_s, index = echoes[index].sent_s, index + count
        last_s = echoes[index].sent_s if index < len(echoes) else echoes[-1].sent_s
        yield Piece(first_s, last_s, what)


def _cells(shown: Sequence[str], first_s: float, cell_s: float) -> Iterator[Piece]:
    index = 0
    for what, count in runs(shown):
        if what != EMPTY:
            yield Piece(first_s + index * cell_s, first_s + (index + count) * cell_s, what)
        index += count


def _claims(asks: Sequence[Ask], view: Window, names: Mapping[str, str]) -> list[Piece]:
    """Return who answered a client with no memory."""
    there = within(asks, view.first_s - STANDS_S, view.last_s + STANDS_S)
    ends = [ask.sent_s for ask in there[1:]] + [there[-1].sent_s + STANDS_S if there else 0.0]
    pieces: list[Piece] = []
    for ask, end_s in zip(there, ends, strict=bool(there)):
        what = _claim({_who(mac, names) for mac in ask.answers})
        stands_s = min(end_s, ask.sent_s + STANDS_S, view.last_s)
        if pieces and pieces[-1].what == what and pieces[-1].last_s == ask.sent_s:
            pieces[-1] = replace(pieces[-1], last_s=stands_s)
        else:
            pieces.append(Piece(ask.sent_s, stands_s, what))
    return pieces


def _further(history: History, view: Window) -> Iterator[tuple[str, list[Piece]]]:
    """Yield how the service did, and the connection that was held open, where they were asked."""
    ended = [one for one in within(history.tries, view.first_s, view.last_s) if one.answered_s or one.failure]
    if ended:
        yield "service", _stretches([(one.sent_s, LOST if one.failure else SOMEBODY) for one in ended], view.last_s)
    if history.flow:
        states = [(event.at_s, SOMEBODY if event.what == "open" else LOST) for event in history.flow]
        yield "connection", _stretches(states, view.last_s)


def _stretches(states: Sequence[tuple[float, str]], last_s: float) -> list[Piece]:
    """Return what holds from each moment until something else does."""
    ends = [at_s for at_s, _ in states[1:]] + [last_s]
    found: list[Piece] = []
    for (at_s, what), end_s in zip(states, ends, strict=True):
        if found and found[-1].what == what:
            found[-1] = replace(found[-1], last_s=end_s)
        else:
            found.append(Piece(at_s, end_s, what))
    return found


def _claim(who: set[str]) -> str:
    return LOST if not who else BOTH if len(who) > 1 else next(iter(who))


def _who(mac: str | None, names: Mapping[str, str]) -> str:
    return SOMEBODY if mac is None or not names else names.get(mac, STRANGER)


def _holders(leg: Leg, view: Window) -> Iterator[tuple[str, list[Piece]]]:
    held = leg.insight.holders
    if held is None:
        return
    for name, spans in held.spans.items():
        last_s = max(end_of(leg), view.last_s)
        pieces = [Piece(span.start_s, last_s if span.end_s is None else span.end_s, name) for span in spans]
        yield name, [piece for piece in pieces if piece.last_s > view.first_s and piece.first_s < view.last_s]


def _short(name: str, most: int = 14) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _step(length_s: float) -> float:
    """Return a round number of seconds, of which at most ten are in the picture."""
    power: float = 10.0 ** math.floor(math.log10(length_s / 10))
    return next(power * factor for factor in (1, 2, 5, 10) if length_s / (power * factor) <= 10)
