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
        if echo.answered_s is None and echo.sent_s > known_s:
            break  # it may still be answered; those after it wait, so that all is told in order
        wire = _lost(wire, echo, events) if is_lost(echo) else _answered(wire, echo, step_s, names, events)
        wire = replace(wire, told_s=echo.sent_s)
    for ask in latest(history.asks, wire.asked_s):
        if ask.sent_s <= known_s:
            wire = _asked(wire, ask, names, events)
    return wire, tuple(sorted(events, key=lambda event: event.at_s))


def _lost(wire: Wire, echo: Echo, events: list[Event]) -> Wire:
    if wire.dark_s is None:
        return replace(wire, dark_s=echo.sent_s)
    if not wire.told_dark and echo.sent_s - wire.dark_s >= TELL_DARK_S:
        events.append(Event("dark", "VIP does not answer", wire.dark_s))
        return replace(wire, told_dark=True)
    return wire


def _answered(wire: Wire, echo: Echo, step_s: float, names: Mapping[str, str], events: list[Event]) -> Wire:
    who = names.get(echo.responder, echo.responder) if echo.responder else wire.responder
    gone_s = None
    if wire.dark_s is not None and wire.answered_s is not None:
        gone_s = max(0.0, echo.sent_s - wire.answered_s - step_s)
    if who != wire.responder and wire.responder is not None:
        known_s = 0.0 if wire.dark_s is None and wire.answered_s is not None else gone_s
        events.append(_moved(wire.responder, str(who), known_s, echo.sent_s))
    elif wire.told_dark:
        told = f" from {who}" if who else ""
        since = f" after {gone_s:.2f} s" if gone_s is not None else ""
        events.append(Event("answers", f"VIP answers again{told}{since}", echo.sent_s, gone_s=gone_s))
    elif gone_s is not None and gone_s >= LEAST_GAP_S:
        events.append(Event("outage", f"VIP did not answer for {gone_s:.2f} s", echo.sent_s, gone_s=gone_s))
    return replace(wire, responder=who, answered_s=echo.sent_s, dark_s=None, told_dark=False)


def _moved(origin: str, target: str, gone_s: float | None, at_s: float) -> Event:
    gone = "not known how long it was gone" if gone_s is None else f"gone for {gone_s:.2f} s"
    gone = "no probe lost" if gone_s == 0.0 else gone
    return Event("moved", f"VIP moved {origin} -> {target}, {gone}", at_s, origin, target, gone_s)


def _asked(wire: Wire, ask: Ask, names: Mapping[str, str], events: list[Event]) -> Wire:
    wire = replace(wire, asked_s=ask.sent_s)
    who = sorted({names.get(mac, mac) for mac in ask.answers})
    if len(who) > 1:
        if wire.both_asks == BOTH_ASKS - 1:
            events.append(Event("both", f"{' and '.join(who)} both answer for the VIP", ask.sent_s))
        return replace(wire, both_asks=wire.both_asks + 1, both_s=ask.sent_s)
    if wire.both_asks < BOTH_ASKS:
        return replace(wire, both_asks=0)
    if who and ask.sent_s - wire.both_s >= ONE_ANSWERS_S:
        events.append(Event("one", f"only {who[0]} answers for the VIP again", ask.sent_s))
        return replace(wire, both_asks=0)
    return wire
