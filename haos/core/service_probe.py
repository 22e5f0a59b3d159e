"""What clients of the service behind the VIP go through: new ones (tries), one with a connection (the flow). Pure.

A try answers like an echo, so outages of the service are found as those of the VIP are, at the tries' own interval.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from haos.core.outage import LATE_S, Outage, in_a_row, is_lost, worst_outage
from haos.core.probe import Echo, FlowEvent, History, Service, Try
from haos.errors import UsageError

CONNECT_INTERVAL_S = 0.05
REQUEST_INTERVAL_S = 0.2
REQUEST_LATE_S = 2.0
"""A connection is the kernel's matter, and as quick as an echo; an answer is the service's, and may take its time."""
SERVED_TRIES = 3
"""So many answers in a row and the service counts as one that answers."""
FLOW_NOTICE_S = 1.3
"""A held connection is told within this time that its node is gone: TCP's keepalive asks once a second."""
MAX_LENGTH = 1000
_PORTS = {"http": 80, "https": 443}

_TCP = re.compile(r"tcp:(?P<port>\d{1,5})")
_URL = re.compile(
    r"(?P<kind>https?)://(?P<host>(?P<name>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?P<port>\d{1,5}))?)(?P<path>[/?][!-~]*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Question:
    """What a new client asks of the VIP."""

    kind: str  # "tcp" | "http" | "https"
    port: int
    host: str = "-"  # as in the Host header
    path: str = "-"

    @property
    def interval_s(self) -> float:
        """How often it is asked, unless the echoes are rarer still."""
        return CONNECT_INTERVAL_S if self.kind == "tcp" else REQUEST_INTERVAL_S

    @property
    def late_s(self) -> float:
        """How long an answer may take to count as one."""
        return LATE_S if self.kind == "tcp" else REQUEST_LATE_S


def parse_service(probe: str | None, flow: str | None = None) -> Service:
    """Return what --probe and --flow ask for. Raises UsageError for what cannot be asked."""
    if probe is not None:
        question_of(probe.strip())
    if flow is None:
        return Service(probe and probe.strip())
    match = _TCP.fullmatch(flow.strip())
    if match is None or not _is_port(match["port"]):
        raise UsageError(f"--flow {flow!r} names no TCP port", hint="--flow tcp:443")
    return Service(probe and probe.strip(), int(match["port"]))


def question_of(probe: str) -> Question:
    """Return what `--probe` says, in parts. Raises UsageError."""
    if (match := _TCP.fullmatch(probe)) and _is_port(match["port"]):
        return Question("tcp", int(match["port"]))
    match = _URL.fullmatch(probe) if len(probe) <= MAX_LENGTH else None
    if match is None or not (match["port"] is None or _is_port(match["port"])):
        raise UsageError(
            f"--probe {probe[:60]!r} is neither a TCP port nor a URL",
            hint="--probe tcp:443, or --probe https://www.example.org/health: the VIP is asked under that name",
        )
    kind, path = match["kind"].lower(), (match["path"] or "/").partition("#")[0]
    port = int(match["port"] or _PORTS[kind])
    return Question(kind, port, match["host"], path if path.startswith("/") else f"/{path}")


def _is_port(text: str) -> bool:
    return 1 <= int(text) <= 65535


def tries_as_echoes(history: History) -> History:
    """Return the same run with the tries in place of the echoes; the last ones, whose fate is open, left out."""
    tries = history.tries
    while tries and _is_open(tries[-1]):
        tries = tries[:-1]
    echoes = tuple(Echo(one.sent_s, one.answered_s) for one in tries)
    # All that is left is decided: nothing more is to be cut off for being recent.
    return replace(history, interval_s=_interval_s(history), echoes=echoes, asks=(), now_s=math.inf)


def _is_open(one: Try) -> bool:
    return one.answered_s is None and not one.failure


def _interval_s(history: History) -> float:
    asked_s = question_of(history.service.probe).interval_s if history.service.probe else CONNECT_INTERVAL_S
    return max(history.interval_s, asked_s)


def _late_s(history: History) -> float:
    return question_of(history.service.probe).late_s if history.service.probe else LATE_S


def service_outage(history: History, since_s: float, until_s: float) -> Outage | None:
    """Return the longest time in which the service answered no new client; None if it answered every one.

    None too where nothing was asked: see `History.notes`, `was_asked`.
    """
    return worst_outage(tries_as_echoes(history), since_s, until_s, late_s=_late_s(history))


def was_asked(history: History, since_s: float, until_s: float) -> bool:
    """Say whether the service was asked often enough in that time to say something about it."""
    times = [since_s, *(one.sent_s for one in history.tries if since_s <= one.sent_s <= until_s), until_s]
    if len(times) == 2:
        return False
    longest_s = max(after - before for before, after in pairwise(times))
    return longest_s <= 3 * _interval_s(history)


def is_serving(history: History, since_s: float = -math.inf) -> bool:
    """Say whether the last tries whose fate is known were all answered, and all left after `since_s`."""
    recent = in_a_row(tries_as_echoes(history), SERVED_TRIES, late_s=_late_s(history))
    return bool(recent) and recent[0].sent_s > since_s


def is_held(history: History, since_s: float = -math.inf) -> bool:
    """Say whether the held connection is well, and would have noticed by now that it was not at `since_s`."""
    return bool(history.flow) and history.flow[-1].what == "open" and history.now_s > since_s + FLOW_NOTICE_S


def is_well(history: History, since_s: float = -math.inf) -> bool:
    """Say whether all that is asked of the service is well since then; what cannot be asked is not waited for."""
    return (not _is_probed(history) or is_serving(history, since_s)) and (
        not _is_flowing(history) or is_held(history, since_s)
    )


def _is_probed(history: History) -> bool:
    return history.service.probe is not None and (not history.notes or bool(history.tries))


def _is_flowing(history: History) -> bool:
    return history.service.flow is not None and (not history.notes or bool(history.flow))


def complaint(history: History, since_s: float, until_s: float, max_outage_s: float | None = None) -> str | None:
    """Return what is wrong with the service at the end of that time, or was gone for too long; None if nothing is."""
    probe, flow = history.service.probe, history.service.flow
    if _is_probed(history):
        if not is_serving(history):
            why = next(iter(failures(history, since_s, until_s)), "no answer")
            return f"{probe} does not answer: {why}"
        lasted_s = service_outage_s(history, since_s, until_s)
        if max_outage_s is not None and lasted_s is not None and lasted_s > max_outage_s:
            return f"{probe} answered nobody for {lasted_s:.3f} s, over the {max_outage_s:g} s that were asked for"
    if _is_flowing(history) and not is_held(history):
        loss = longest(flow_losses(history, since_s, until_s))
        return f"no connection to tcp:{flow} can be held: {loss.why if loss else 'no answer'}"
    return None


def service_outage_s(history: History, since_s: float, until_s: float) -> float | None:
    """Return how long the service answered no new client in that time, 0 if it always did; None if not known."""
    if history.lost is not None or not was_asked(history, since_s, until_s):
        return None
    outage = service_outage(history, since_s, until_s)
    return outage.outage_s if outage else 0.0


def flow_without_s(history: History, since_s: float, until_s: float) -> float | None:
    """Return how long the held connection was missed in that time, 0 if it never was; None if it is not known."""
    if history.lost is not None or not history.flow:
        return None
    loss = longest(flow_losses(history, since_s, until_s))
    return loss.without_s if loss else 0.0


def failures(history: History, since_s: float, until_s: float) -> tuple[str, ...]:
    """Return why tries failed in that time, each reason once, the most frequent first."""
    reasons = [one.failure for one in history.tries if one.failure and since_s <= one.sent_s <= until_s]
    return tuple(sorted(dict.fromkeys(reasons), key=lambda reason: -reasons.count(reason)))


@dataclass(frozen=True)
class FlowLoss:
    """What a client with an established connection went through once. Times are on the observer's clock."""

    heard_s: float | None  # when the connection was well for the last time; None where there never was one
    why: str  # "reset", "timed out", …; "stalled" where it went on in the end
    broken_s: float | None = None  # when it was told that its connection is gone; None where it is not
    whole_s: float | None = None  # when it had one again that is well; None where it had not, as far as is known

    @property
    def without_s(self) -> float | None:
        """How long it was without a connection that works, None if that is not over, or had no beginning."""
        return None if self.whole_s is None or self.heard_s is None else self.whole_s - self.heard_s


def flow_losses(history: History, since_s: float, until_s: float) -> tuple[FlowLoss, ...]:
    """Return every time that the held connection broke or stalled between the two moments, or was not there.

    Others acknowledge a connection that carries nothing twice a second at most, so when it was well for the last time
    is taken from the echoes: as long as the same node answered them all, it had the connection too.
    """
    losses: list[FlowLoss] = []
    for event in history.flow:
        ongoing = losses[-1] if losses and losses[-1].whole_s is None else None
        if event.what == "open":
            if ongoing:
                losses[-1] = replace(ongoing, whole_s=event.at_s)
            continue
        broken_s = event.at_s if event.what == "broken" else None
        if ongoing is None:
            losses.append(FlowLoss(_last_well_s(history, event), event.why or event.what, broken_s))
        elif broken_s is not None:
            losses[-1] = replace(ongoing, why=event.why, broken_s=broken_s)
    return tuple(loss for loss in losses if _overlaps(loss, since_s, until_s))


def _last_well_s(history: History, event: FlowEvent) -> float | None:
    if event.heard_s is None:
        return None
    well_s, node = event.heard_s, None
    for echo in history.echoes:
        if not event.heard_s <= echo.sent_s <= event.at_s:
            continue
        if is_lost(echo) or (node and echo.responder != node):
            return well_s
        well_s, node = echo.sent_s, echo.responder
    # The node was there throughout: it is the connection alone that is not well, or it was ended on purpose.
    return event.heard_s if event.what == "stalled" or event.why == "timed out" else event.at_s


def _overlaps(loss: FlowLoss, since_s: float, until_s: float) -> bool:
    began_s = loss.heard_s if loss.heard_s is not None else -math.inf
    return began_s <= until_s and (loss.whole_s is None or loss.whole_s >= since_s)


def longest(losses: Sequence[FlowLoss]) -> FlowLoss | None:
    """Return the worst of them: one that is not over, or the longest."""
    return max(losses, key=lambda loss: math.inf if loss.without_s is None else loss.without_s, default=None)
