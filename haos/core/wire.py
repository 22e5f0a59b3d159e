"""A probe run that goes on, followed: each move and outage of the VIP told once, as soon as it is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from haos.core.events import Event
from haos.core.outage import LATE_S, achieved_interval_s, is_lost
from haos.core.probe import Ask, Echo, History
from haos.core.sighting import latest

TELL_DARK_S = 1.0
"""A VIP that has not answered for so long is told of before it is back."""
LEAST_GAP_S = 0.05
"""A shorter gap without a move is a probe that got lost, on a busy machine."""
BOTH_ASKS = 3
"""So many questions in a row must have two answers: as the VIP moves, one gets the old node's and the new one's."""
ONE_ANSWERS_S = 1.0
"""So long after two nodes answered the same question only one must, until they no longer count as both Active."""
_CONTEXT_S = 5.0


@dataclass(frozen=True)
class Wire:
    """How far a probe run was followed. `responder` may be known from a run before it."""

    responder: str | None = None  # name of the node that answers
    told_s: float | None = None  # send time of the last echo that was followed
    answered_s: float | None = None  # of the last one that was answered
    dark_s: float | None = None  # of the first one that was lost since
    told_dark: bool = False
    asked_s: float = 0.0  # of the last question that was followed
    both_asks: int = 0  # how many two nodes answered, one after the other
    both_s: float = 0.0  # when the last of them was
    held: Event | None = None  # a move that is none if two nodes go on answering

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way that would have to be followed in this run."""
        return self.dark_s is None and not self.both_asks


def follow(wire: Wire, history: History, names: Mapping[str, str]) -> tuple[Wire, tuple[Event, ...]]:
    """Return how far it is followed now and what happened since, on the observer's clock."""
    events: list[Event] = []
    since_s = wire.told_s if wire.told_s is not None else float("-inf")
    known_s = history.now_s - LATE_S
    step_s = achieved_interval_s(replace(history, echoes=tuple(latest(history.echoes, history.now_s - _CONTEXT_S))))
    for echo in latest(history.echoes, since_s):
        if echo.sent_s > known_s and (echo.answered_s is None or _by_another(wire, echo, names)):
            break  # it may still be answered, or two nodes be; those after it wait, so that all is told in order
        wire = _asked_until(wire, min(echo.sent_s, known_s), history, names, events)
        wire = _lost(wire, echo, events) if is_lost(echo) else _answered(wire, echo, step_s, names, events)
        wire = replace(wire, told_s=echo.sent_s)
    wire = _asked_until(wire, known_s, history, names, events)
    return wire, tuple(sorted(events, key=lambda event: event.at_s))


def _by_another(wire: Wire, echo: Echo, names: Mapping[str, str]) -> bool:
    return wire.responder is not None and _who(wire, echo, names) != wire.responder


def _who(wire: Wire, echo: Echo, names: Mapping[str, str]) -> str | None:
    return names.get(echo.responder, echo.responder) if echo.responder else wire.responder


def _lost(wire: Wire, echo: Echo, events: list[Event]) -> Wire:
    if wire.dark_s is None:
        return replace(wire, dark_s=echo.sent_s)
    if not wire.told_dark and echo.sent_s - wire.dark_s >= TELL_DARK_S:
        events.append(Event("dark", "VIP does not answer", wire.dark_s))
        return replace(wire, told_dark=True)
    return wire


def _answered(wire: Wire, echo: Echo, step_s: float, names: Mapping[str, str], events: list[Event]) -> Wire:
    who = _who(wire, echo, names)
    gone_s = None
    if wire.dark_s is not None and wire.answered_s is not None:
        gone_s = max(0.0, echo.sent_s - wire.answered_s - step_s)
    moved = None
    if who != wire.responder and wire.responder is not None:
        known_s = 0.0 if wire.dark_s is None and wire.answered_s is not None else gone_s
        moved = _moved(wire.responder, str(who), known_s, echo.sent_s)
    wire = replace(wire, answered_s=echo.sent_s)
    if moved and not wire.both_asks:
        events.append(moved)
    elif moved and wire.both_asks < BOTH_ASKS:
        return replace(wire, held=wire.held or moved, dark_s=None, told_dark=False)
    elif wire.told_dark:
        told = f" from {who}" if who else ""
        since = f" after {gone_s:.2f} s" if gone_s is not None else ""
        events.append(Event("answers", f"VIP answers again{told}{since}", echo.sent_s, gone_s=gone_s))
    elif gone_s is not None and gone_s >= LEAST_GAP_S:
        events.append(Event("outage", f"VIP did not answer for {gone_s:.2f} s", echo.sent_s, gone_s=gone_s))
    # While two nodes answer by turns, it is still the one before that has the VIP; nor did it move if it comes back.
    who, held = (wire.responder or who, wire.held if moved else None) if wire.both_asks else (who, None)
    return replace(wire, responder=who, held=held, dark_s=None, told_dark=False)


def _moved(origin: str, target: str, gone_s: float | None, at_s: float) -> Event:
    gone = "not known how long it was gone" if gone_s is None else f"gone for {gone_s:.2f} s"
    gone = "no probe lost" if gone_s == 0.0 else gone
    return Event("moved", f"VIP moved {origin} -> {target}, {gone}", at_s, origin, target, gone_s)


def _asked_until(wire: Wire, until_s: float, history: History, names: Mapping[str, str], events: list[Event]) -> Wire:
    for ask in latest(history.asks, wire.asked_s):
        if ask.sent_s > until_s:
            break
        wire = _asked(wire, ask, names, events)
    return wire


def _asked(wire: Wire, ask: Ask, names: Mapping[str, str], events: list[Event]) -> Wire:
    wire = replace(wire, asked_s=ask.sent_s)
    who = sorted({names.get(mac, mac) for mac in ask.answers})
    if len(who) > 1:
        if wire.both_asks == BOTH_ASKS - 1:
            events.append(Event("both", f"{' and '.join(who)} both answer for the VIP", ask.sent_s))
        split = wire.both_asks + 1 >= BOTH_ASKS
        return replace(wire, both_asks=wire.both_asks + 1, both_s=ask.sent_s, held=None if split else wire.held)
    if wire.both_asks < BOTH_ASKS:
        return _moved_after_all(wire, events)
    if who and ask.sent_s - wire.both_s >= ONE_ANSWERS_S:
        return _one_again(wire, who[0], ask.sent_s, events)
    return wire


def _moved_after_all(wire: Wire, events: list[Event]) -> Wire:
    if wire.held is None:
        return replace(wire, both_asks=0)
    events.append(wire.held)
    return replace(wire, both_asks=0, responder=wire.held.target, held=None)


def _one_again(wire: Wire, who: str, at_s: float, events: list[Event]) -> Wire:
    events.append(Event("one", f"only {who} answers for the VIP again", at_s))
    if wire.responder is not None and who != wire.responder:
        text = f"VIP moved {wire.responder} -> {who} while both answered"
        events.append(Event("moved", text, at_s, wire.responder, who))
        wire = replace(wire, responder=who)
    return replace(wire, both_asks=0)
