"""Where an observer has no Python, or gives it no right to ICMP: its own ping, which measures more coarsely."""

from __future__ import annotations

import re

from haos.adapters.probe_report import ASKED, ObserverClock
from haos.core.clocks import Moment
from haos.core.model import Address
from haos.core.probe import NO_SERVICE, Echo, History, Mark, Service

FAST_S = 0.01
"""What haos would have."""
SLOW_S = 0.2
"""What older pings allow to users who are not root."""
UNASKED = "the service was not asked: that takes Python 3.6 on the observer, which can only ping"

_LINE = re.compile(r"\[(?P<at>[0-9]{1,12}\.[0-9]{1,9})\] (?P<text>.*icmp_seq=(?P<seq>[0-9]{1,9})(?![0-9]).*)")
_TIME = re.compile(r"time=([0-9]{1,9}(?:\.[0-9]{1,9})?) ms")
_EXIT = re.compile(r"ping-exit ([0-9]{1,9})")
_ENDS = {"143": ASKED, "0": "limit", "1": "limit"}  # 143: by the signal of our own script


TRY = "ping -n -D -O -c 2 -w 2 -i $interval 127.0.0.1 >/dev/null 2>&1"
"""A command that succeeds where ping is there and may probe at this interval."""


def run_script(vip: Address, interval_s: float, limit_s: float) -> str:
    """Return a script that pings until its stdin ends or the limit is reached."""
    # A job in the background has no stdin of its own: hence the copy.
    return (
        "exec 3<&0; export LC_ALL=C; "
        f"ping -n -D -O -i {interval_s:g} -w {limit_s:.0f} {vip} 2>&1 & ping=$!; "
        "(cat <&3; kill $ping) >/dev/null 2>&1 & "
        "wait $ping; echo ping-exit $?"
    )


class PingReport:
    """The report of iputils' `ping -D -O`; its clock is the observer's wall clock, it sees no MAC."""

    def __init__(self, interval_s: float, slack: tuple[float, float, float], service: Service = NO_SERVICE) -> None:
        """`slack` is one look at the observer's clock: (asked here, what it said, heard here)."""
        self.started = False
        self.failure: str | None = None
        self.end: str | None = None
        self._interval_s = interval_s
        self._echoes: dict[int, Echo] = {}
        self._left: dict[int, float] = {}
        self._marks: list[Mark] = []
        self._clock = ObserverClock()
        self._clock.heard(*slack)
        self._notes = (UNASKED,) if service != NO_SERVICE else ()
        self._now_s = 0.0

    def feed(self, line: str, heard_s: float) -> None:
        """See Report."""
        found = _LINE.match(line)
        if found is None:
            if code := _EXIT.match(line):
                self.end = _ENDS.get(code[1], f"ping ended with {code[1]}")
            return
        at_s, seq = float(found["at"]), int(found["seq"])
        self._now_s = max(self._now_s, at_s)
        self.started = True
        if taken := _TIME.search(found["text"]):
            self._echoes[seq] = Echo(at_s - float(taken[1]) / 1000, at_s)
        elif "no answer yet" in found["text"]:
            # Said when the next one leaves.
            self._left[seq + 1] = at_s
            self._echoes.setdefault(seq, Echo(self._left.pop(seq, at_s - self._interval_s)))

    def mark(self, number: int, label: str, called_s: float) -> None:
        """See Report. Nobody there hears of it, so the moment is worked out from the clocks."""
        moment = self._clock.when(called_s)
        self._marks.append(Mark(label, moment.latest_s, 2 * moment.error_s))

    def sync(self, number: int, sent_s: float) -> None:
        """See Report. Ping answers no sync."""

    def when(self, local_s: float) -> Moment:
        """See Report. All that is known is one look at the wall clock before ping began."""
        return self._clock.when(local_s)

    def history(self, lost: str | None) -> History:
        """See Report."""
        echoes = tuple(self._echoes[seq] for seq in sorted(self._echoes))
        marks = tuple(self._marks)
        return History(self._interval_s, echoes, (), marks, self._now_s, lost, "ping", notes=self._notes)
