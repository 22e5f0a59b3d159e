"""What the observer sees of a VIP at a moment: who answers an old client, who a new one, how fast. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from haos.core.outage import Verdict, is_lost
from haos.core.probe import Ask, Echo, History

Sent = TypeVar("Sent", Echo, Ask)

RECENT_S = 1.0
"""How far back "now" reaches."""
ENOUGH_ECHOES, ENOUGH_ASKS = 20, 2
"""So many answers say who answers."""
ANSWERED_S = 0.3
LATEST_ASKS = 5
ANSWER_S = 0.1
"""A question that is younger may still be answered."""


@dataclass(frozen=True)
class Observation:
    """The last moments of a probe run."""

    observer: str
    method: str = ""  # how it probes: "icmp-raw+arp", "icmp-dgram", "ping"
    answered: bool = False  # the last echoes were
    echo_from: str | None = None  # MAC that answered last; None where it cannot see it
    asked: bool = False  # it asked who has the VIP, as a client without a neighbour entry does
    arp_from: tuple[str, ...] = ()  # MACs that said they have it, to the last question that was answered
    round_trip_s: float | None = None
    neighbour: str | None = None  # MAC that its own neighbour table had for the VIP before
    lost: str | None = None  # why nothing is seen
    hint: str | None = None  # what helps against that


def observe(
    observer: str, history: History, neighbour: str | None = None, *, until_s: float | None = None
) -> Observation:
    """Return what the last second of a probe run says; of what left after `until_s` nothing is said."""
    until_s = history.now_s if until_s is None else until_s
    echoes = [echo for echo in latest(history.echoes, history.now_s - RECENT_S) if echo.sent_s <= until_s]
    known = [echo for echo in echoes if not _is_open(echo, history)]
    answered = [echo for echo in known if not is_lost(echo)]
    asks = [ask for ask in recent_asks(history) if ask.sent_s <= until_s]
    trips = [echo.answered_s - echo.sent_s for echo in answered if echo.answered_s is not None]
    return Observation(
        observer,
        history.method,
        answered=any(not is_lost(echo) for echo in known[-_tail(history) :]),
        echo_from=answered[-1].responder if answered else None,
        asked=bool(asks),
        arp_from=next((ask.answers for ask in reversed(asks) if ask.answers), ()),
        round_trip_s=median(trips) if trips else None,
        neighbour=neighbour,
        lost=history.lost,
    )


def seen_enough(history: History) -> bool:
    """Say whether a longer look would tell no more: the VIP is answered steadily, questions too, by one node."""
    answered = [echo for echo in history.echoes[-ENOUGH_ECHOES - 5 :] if not is_lost(echo)]
    said = [ask.answers for ask in history.asks if ask.answers]
    may_ask = "+" in history.method
    return len(answered) >= ENOUGH_ECHOES and (len(said) >= ENOUGH_ASKS or not may_ask)


def latest(sent: Sequence[Sent], since_s: float) -> Sequence[Sent]:
    """Return what left after that moment, without going through the whole run."""
    start = len(sent)
    while start and sent[start - 1].sent_s > since_s:
        start -= 1
    return sent[start:]


def recent_asks(history: History) -> Sequence[Ask]:
    """Return the last questions of which it is known who answered."""
    asks = [ask for ask in history.asks[-LATEST_ASKS - 1 :] if ask.answers or ask.sent_s <= history.now_s - ANSWER_S]
    return [ask for ask in asks if ask.sent_s >= history.now_s - RECENT_S][-LATEST_ASKS:]


def _tail(history: History) -> int:
    """Return how many probes back "now" reaches: one that is lost, on a busy machine, is no outage."""
    return max(3, round(ANSWERED_S / history.interval_s))


def _is_open(echo: Echo, history: History) -> bool:
    return echo.answered_s is None and echo.sent_s > history.now_s - ANSWER_S


def judge_observation(
    seen: Observation, vip: object, active: str | None, names: Mapping[str, str]
) -> tuple[Verdict, str]:
    """Return the verdict on what the observer sees, and why; `names` are the nodes', by the MACs they answer by."""
    if seen.lost is not None:
        return Verdict.UNKNOWN, seen.lost
    if not seen.answered:
        held = f", though {active} holds it" if active else ""
        return Verdict.FAIL, f"{vip} does not answer {seen.observer}{held}"
    fresh = sorted({names.get(mac, mac) for mac in seen.arp_from})
    if len(fresh) > 1:
        return Verdict.FAIL, f"asked who has {vip}, {' and '.join(fresh)} answer"
    if seen.asked and not fresh:
        return Verdict.FAIL, f"asked who has {vip}, nobody answers: a client without a neighbour entry is lost"
    echo = names.get(seen.echo_from, seen.echo_from) if seen.echo_from else None
    for who in (echo, *fresh):
        if who is not None and active is not None and who != active:
            return Verdict.FAIL, f"{vip} is answered by {who}, not by {active}"
    told = echo or active
    return Verdict.PASS, f"{vip} answers from {told}" if told else f"{vip} answers"


def stale_entry(seen: Observation, names: Mapping[str, str]) -> str | None:
    """Return whom the observer's own neighbour entry led to, where that is not who answers."""
    if not seen.neighbour or not seen.echo_from:
        return None
    told, now = (names.get(mac, mac) for mac in (seen.neighbour, seen.echo_from))
    return told if told != now else None
