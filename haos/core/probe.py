"""What the observer saw: the history of one probe run, on the observer's own monotonic clock."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Echo:
    """One ICMP echo to the VIP: when it left and, if it was answered, when and from which MAC."""

    sent_s: float
    answered_s: float | None = None
    responder: str | None = None  # lower-case MAC; None where the observer cannot see it


@dataclass(frozen=True, slots=True)
class Ask:
    """One broadcast ARP request (IPv6: neighbour solicitation) for the VIP, as a client with no memory sends it."""

    sent_s: float
    answers: tuple[str, ...] = ()  # MACs that answered, lower case, in order of arrival


@dataclass(frozen=True)
class Mark:
    """A moment that haos named, stamped when the observer heard of it: at most `error_s` late."""

    label: str
    at_s: float
    error_s: float


@dataclass(frozen=True)
class Try:
    """One attempt on the service behind the VIP, as a new client makes it: a TCP connection, or a whole request."""

    sent_s: float
    answered_s: float | None = None
    failure: str = ""  # why it was not: "refused", "HTTP 503", … ("" while it is under way)


@dataclass(frozen=True)
class FlowEvent:
    """Something happened to the one connection that is held open."""

    at_s: float
    what: str  # "open" | "broken" | "stalled"
    why: str = ""
    heard_s: float | None = None  # when the connection was last known to be well; None where it never was


@dataclass(frozen=True)
class Service:
    """What else is asked of the VIP; each None where it is not."""

    probe: str | None = None  # "tcp:443" or a URL whose host is replaced by the VIP
    flow: int | None = None  # TCP port of a connection that is held open


NO_SERVICE = Service()


@dataclass(frozen=True)
class History:
    """A whole probe run; times ascend."""

    interval_s: float  # asked for
    echoes: tuple[Echo, ...] = ()
    asks: tuple[Ask, ...] = ()
    marks: tuple[Mark, ...] = ()
    now_s: float = 0.0  # how far the observer's own report reaches
    lost: str | None = None  # why the report ended before it was asked to
    method: str = "icmp-raw+arp"  # how it could probe there, "icmp-dgram" | "ping" …
    service: Service = NO_SERVICE
    tries: tuple[Try, ...] = ()
    flow: tuple[FlowEvent, ...] = ()
    notes: tuple[str, ...] = ()  # what was asked for and could not be measured from there, and why

    def since(self, moment_s: float) -> History:
        """Return the same run without what was sent before a moment; marks and notes stay."""
        return replace(
            self,
            echoes=tuple(echo for echo in self.echoes if echo.sent_s >= moment_s),
            asks=tuple(ask for ask in self.asks if ask.sent_s >= moment_s),
            tries=tuple(one for one in self.tries if one.sent_s >= moment_s),
        )

    def mark(self, label: str) -> Mark:
        """Return the last mark of that label; KeyError if there is none."""
        for mark in reversed(self.marks):
            if mark.label == label:
                return mark
        raise KeyError(label)
