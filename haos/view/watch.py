"""A pair while somebody watches it: a screen that is redrawn in place, or a JSON document a line at every change."""

from __future__ import annotations

import json
import select
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rich.live import Live
from rich.text import Text

from haos.core.events import Event
from haos.core.probe import History
from haos.core.status import PairStatus
from haos.view.console import Output
from haos.view.live import Band
from haos.view.status import COLUMNS, exit_code, screen, values
from haos.view.style import Style
from haos.workflow.watch import Frame

WATCH_COLUMNS = (*COLUMNS, "Time", "Events")
KEPT_EVENTS = 200
_URGENT = {"moved", "dark", "both", "trouble", "outage"}

Wall = Callable[[], datetime]


def wall_time() -> datetime:
    """Return the time of day, of this machine's zone."""
    return datetime.now().astimezone()


def show_watch(frames: Iterable[Frame], output: Output, style: Style, *, wall: Wall = wall_time) -> int:
    """Show frame after frame until interrupted, or until nobody reads any more.

    Returns the exit code of the last one. An interrupt before the first one is raised.
    """
    last: Frame | None = None
    with ExitStack() as stack:
        show = _screen(output, wall, stack) if is_live(output, style) else _documents(output, style, wall)
        try:
            for last in frames:
                show(last)
                if output.out.quiet or _is_deserted(output):
                    break
        except KeyboardInterrupt:
            if last is None:
                raise
    assert last is not None
    return exit_code(last.status)


def is_live(output: Output, style: Style) -> bool:
    """Say whether a terminal is there to be drawn on, and a table was asked for."""
    drawable = output.out.is_terminal and not output.out.is_dumb_terminal
    return drawable and style.format == "table" and not style.columns


def _screen(output: Output, wall: Wall, stack: ExitStack) -> Callable[[Frame], None]:
    live = Live(console=output.out, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
    happened: deque[tuple[datetime, Event]] = deque(maxlen=KEPT_EVENTS)
    output.gap()
    stack.enter_context(live)

    def show(frame: Frame) -> None:
        now = wall()
        happened.extend(_dated(frame, now))
        live.update(Text("\n").join(picture(frame, happened, now, output)), refresh=True)

    return show


def picture(
    frame: Frame, happened: Iterable[tuple[datetime, Event]], now: datetime, output: Output
) -> Iterator[Text]:
    """Yield the lines of the screen: the pair, who answered in the last seconds, the latest events that fit."""
    console = output.out
    lines = [*screen(frame.status, output)]
    if frame.history is not None:
        band = Band(lambda: frame.history or History(1.0), frame.status.names)
        lines += band.lines(console.width - 1, ascii_only=output.ascii_only)
    room = max(3, console.height - sum(-(-max(1, line.cell_len) // console.width) for line in lines) - 3)
    for at, event in list(happened)[-room:]:
        style = "bold yellow" if event.kind in _URGENT else ""
        line = output.text(console, f"{at:%H:%M:%S}.{at.microsecond // 100_000}  {event.text}", style)
        line.truncate(console.width - 1, overflow="crop" if output.ascii_only else "ellipsis")
        lines.append(line)
    yield from lines
    yield output.text(console, f"{now:%H:%M:%S}  Ctrl-C ends", "dim")


def _documents(output: Output, style: Style, wall: Wall) -> Callable[[Frame], None]:
    lines = replace(style, format="json", noindent=True)
    shown: list[str] = []

    def show(frame: Frame) -> None:
        same = json.dumps(values(_without_jitter(frame.status), structured=True))
        if shown == [same] and not frame.events:
            return
        shown[:] = [same]
        now = wall()
        events = [_document(at, event) for at, event in _dated(frame, now)]
        output.one(WATCH_COLUMNS, (*values(frame.status, structured=True), _utc(now), events), lines)

    return show


def _without_jitter(status: PairStatus) -> PairStatus:
    """Return the status without what differs at every look."""
    seen = status.observation
    return status if seen is None else replace(status, observation=replace(seen, round_trip_s=None))


def _document(at: datetime, event: Event) -> dict[str, object]:
    gone_s = None if event.gone_s is None else round(event.gone_s, 3)
    move = {"from": event.origin, "to": event.target} if event.kind == "moved" else {}
    gone = {"gone_s": gone_s} if event.kind in ("moved", "outage", "answers") else {}
    return {"time": _utc(at), "kind": event.kind, "text": event.text, **move, **gone}


def _dated(frame: Frame, now: datetime) -> Iterator[tuple[datetime, Event]]:
    for event in frame.events:
        yield now - timedelta(seconds=max(0.0, frame.now_s - event.at_s)), event


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_deserted(output: Output) -> bool:
    """Say whether stdout is a pipe whose reader has gone: the next change may be hours away."""
    try:
        poll = select.poll()
        poll.register(output.out.file.fileno(), 0)
    except (OSError, ValueError):  # no stream of the system's
        return False
    return bool(poll.poll(0))
