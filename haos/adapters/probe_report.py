"""What the observer reports, line by line, put together to a History that can be asked for at any time."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from haos.core.clocks import Moment, Offset, narrowed, offset_of
from haos.core.probe import NO_SERVICE, Ask, Echo, FlowEvent, History, Mark, Service, Try
from haos.core.texts import seconds_of

ASKED = "asked"
"""The only good end of a run: it was told to stop."""
DRIFT = 5e-4
"""How much two monotonic clocks may go apart, in seconds a second: as fast as kernels let NTP slew them."""


class Report(Protocol):
    """Reads one kind of report; not thread-safe."""

    started: bool  # an echo has left
    failure: str | None  # why it cannot even begin
    end: str | None  # ASKED or why it ended else, once it said so

    def feed(self, line: str, heard_s: float) -> None:
        """Take in a line that was heard at this moment of the local monotonic clock; noise is passed over."""

    def mark(self, number: int, label: str, called_s: float) -> None:
        """Expect a mark that was sent to the observer at this moment of the local clock."""

    def sync(self, number: int, sent_s: float) -> None:
        """Expect the answer to a sync that was sent at this moment of the local clock."""

    def when(self, local_s: float) -> Moment:
        """Return that moment of the local clock on the observer's."""

    def history(self, lost: str | None) -> History:
        """Return what has been reported so far."""


class ObserverClock:
    """Maps the local clock to the observer's, within bounds that every round trip narrows."""

    def __init__(self) -> None:
        self._trips: deque[tuple[float, Offset]] = deque(maxlen=1000)  # (when here, what it tells)

    def heard(self, sent_s: float, observer_s: float, heard_s: float) -> None:
        """Learn from a stamp that was asked for here, made there, and heard here afterwards."""
        self._trips.append((heard_s, offset_of(sent_s, observer_s, heard_s)))

    def when(self, local_s: float) -> Moment:
        """Return that moment of the local clock there: a round trip says the less, the longer ago it was."""
        return narrowed(_aged(offset, abs(local_s - at_s)) for at_s, offset in self._trips).moment(local_s)


def _aged(offset: Offset, age_s: float) -> Offset:
    return Offset(offset.low_s - DRIFT * age_s, offset.high_s + DRIFT * age_s)


class ProgramReport:
    """The report of our own program, `haos.adapters.remote.probe`."""

    def __init__(self, interval_s: float, began_s: float, service: Service = NO_SERVICE) -> None:
        """`began_s` is a moment of the local clock at which the program had not begun yet."""
        self.started = False
        self.failure: str | None = None
        self.end: str | None = None
        self._interval_s = interval_s
        self._began_s = began_s
        self._service = service
        self._method: str | None = None
        self._echoes: dict[int, Echo] = {}
        self._asks: dict[int, Ask] = {}
        self._tries: dict[int, Try] = {}
        self._flow: list[FlowEvent] = []
        self._notes: list[str] = []
        self._marks: list[Mark] = []
        self._expected: dict[int, tuple[str | None, float]] = {}  # number -> (label of a mark, when it was sent)
        self._clock = ObserverClock()
        self._now_s = 0.0

    def feed(self, line: str, heard_s: float) -> None:
        """See Report."""
        words = line.split()
        if self._method is None:
            self._greet(words)
            return
        try:
            self._take(words, heard_s)
        except (ValueError, IndexError, KeyError):
            return  # half a line, as a connection that breaks leaves it

    def _greet(self, words: list[str]) -> None:
        if words[:2] == ["haos-probe", "1"] and len(words) == 3:
            self._method = words[2]
        elif words[:2] == ["haos-probe", "failed"]:
            self.failure = " ".join(words[2:])

    def _take(self, words: list[str], heard_s: float) -> None:
        match words[0]:
            case "s":
                self._echoes[int(words[1])] = Echo(seconds_of(words[2]))
            case "a":
                self._answer(int(words[1]), seconds_of(words[2]), words[3])
            case "x":
                del self._echoes[int(words[1])]
            case "k":
                self._asks[int(words[1])] = Ask(seconds_of(words[2]))
            case "b":
                self._claim(int(words[1]), words[2])
            case "t" | "u" | "v":
                self._take_try(words[0], int(words[1]), words[2:])
            case "f":
                well_s = None if words[3] == "-" else seconds_of(words[3])
                self._flow.append(FlowEvent(seconds_of(words[1]), words[2], " ".join(words[4:]), well_s))
            case "w":
                self._notes.append(" ".join(words[1:]))
            case "m" | "y":
                self._synced(int(words[1]), seconds_of(words[2]), heard_s)
            case "n":
                self._take_now(seconds_of(words[1]), heard_s)
            case "z":
                self.end = words[1]

    def _take_now(self, at_s: float, heard_s: float) -> None:
        self._now_s = at_s
        if not self.started:  # the first round trip, however coarse: any time can be mapped from here on
            self._clock.heard(self._began_s, at_s, heard_s)
            self.started = bool(self._echoes)

    def _answer(self, number: int, at_s: float, responder: str) -> None:
        echo = self._echoes[number]
        if echo.answered_s is None:
            self._echoes[number] = Echo(echo.sent_s, at_s, responder if responder != "-" else None)

    def _take_try(self, kind: str, number: int, rest: list[str]) -> None:
        if kind == "t":
            self._tries[number] = Try(seconds_of(rest[0]))
        else:
            answered_s, failure = (seconds_of(rest[0]), "") if kind == "u" else (None, " ".join(rest))
            self._tries[number] = Try(self._tries[number].sent_s, answered_s, failure)

    def _claim(self, number: int, mac: str) -> None:
        ask = self._asks[number]
        if mac not in ask.answers:
            self._asks[number] = Ask(ask.sent_s, (*ask.answers, mac))

    def _synced(self, number: int, at_s: float, heard_s: float) -> None:
        label, sent_s = self._expected.pop(number)
        self._clock.heard(sent_s, at_s, heard_s)
        if label is not None:
            self._marks.append(Mark(label, at_s, at_s - self._clock.when(sent_s).earliest_s))

    def mark(self, number: int, label: str, called_s: float) -> None:
        """See Report."""
        self._expected[number] = (label, called_s)

    def sync(self, number: int, sent_s: float) -> None:
        """See Report."""
        self._expected[number] = (None, sent_s)

    def when(self, local_s: float) -> Moment:
        """See Report."""
        return self._clock.when(local_s)

    def history(self, lost: str | None) -> History:
        """See Report."""
        return History(
            self._interval_s,
            tuple(self._echoes.values()),
            tuple(self._asks.values()),
            tuple(self._marks),
            self._now_s,
            lost,
            self._method or "none",
            self._service,
            tuple(self._tries.values()),
            tuple(self._flow),
            tuple(self._notes),
        )
