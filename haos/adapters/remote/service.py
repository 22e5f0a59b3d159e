"""The service behind the VIP, asked as its clients ask: by new connections, and by one that is held open.

All of it is one thread, so that the timing of the echoes is left alone. Streamed to the observer along with probe.py:
see there for what may be used here.
"""

import collections
import select
import socket
import struct
import time

from haos.adapters.remote.dial import NO_ANSWER, Dial, Request, Waiting, reason
from haos.adapters.remote.wire import Target

POLL_S = 0.02
DIAL_S = 0.05
NUDGE_S = 0.1
QUIET_S = 0.8  # stalled: so long without an acknowledgement, of which Linux sends two a second for nudges
QUIET_UNNUDGED_S = 1.7  # where only TCP's keepalive asks, once a second
GIVE_UP_S = 10
TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_INFO, TCP_USER_TIMEOUT, TCP_REPAIR = 4, 5, 6, 11, 18, 19
LAST_ACK_AT = 56  # struct tcp_info: milliseconds since the last acknowledgement

now = time.monotonic


class Tries:
    """New connections or requests at absolute deadlines of their own, whatever became of the ones before."""

    def __init__(
        self,
        target: Target,
        request: Request,
        every_s: float,
        start_s: float,
        waiting: Waiting,
        lines: "collections.deque[str]",
    ) -> None:
        self.target = target
        self.request = request
        self.every_s = every_s
        self.start_s = self.due_s = start_s
        self.waiting = waiting
        self.lines = lines
        self.count = 0
        self.under_way: dict[int, Dial] = {}

    def tick(self) -> None:
        """End what has taken too long; begin the next if it is time."""
        for number, dial in list(self.under_way.items()):
            if now() >= dial.until_s:
                self.end(number, NO_ANSWER)
        if now() >= self.due_s:
            self.begin()
            self.due_s = self.start_s + (int((now() - self.start_s) / self.every_s) + 1) * self.every_s

    def begin(self) -> None:
        """Make one more try."""
        self.count += 1
        self.lines.append(f"t {self.count} {now():.6f}")
        try:
            dial = Dial(self.target, self.request.port, self.request)
        except OSError as error:
            self.lines.append(f"v {self.count} {reason(error)}")
            return
        self.under_way[self.count] = dial
        self.look(self.count)

    def look(self, number: int) -> None:
        """End a try that is over, wait for one that is not."""
        dial = self.under_way[number]
        if dial.over:
            self.end(number, dial.failure)
        else:
            self.waiting.watch(dial.socket.fileno(), dial.wants, lambda: self.step(number))

    def step(self, number: int) -> None:
        """Go on with a try."""
        self.under_way[number].step()
        self.look(number)

    def end(self, number: int, failure: str) -> None:
        """Say what became of a try."""
        self.lines.append(f"v {number} {failure}" if failure else f"u {number} {now():.6f}")
        dial = self.under_way.pop(number)
        self.waiting.forget(dial.socket.fileno())
        dial.close()


class Flow:
    """One connection that is held open: when it broke, why, and when there was one again."""

    def __init__(self, target: Target, port: int, waiting: Waiting, lines: "collections.deque[str]") -> None:
        self.target = target
        self.port = port
        self.waiting = waiting
        self.lines = lines
        self.dials: list[Dial] = []
        self.held: socket.socket | None = None
        self.stalled = False
        self.said = ""  # what was said last
        self.due_s = now()
        self.quiet_s = QUIET_S

    def tick(self) -> None:
        """Look after the connection that is held, or try to get one."""
        for dial in [dial for dial in self.dials if now() >= dial.until_s]:
            self.drop(dial, NO_ANSWER)
        if now() < self.due_s:
            return
        if self.held is not None:
            self.due_s = now() + NUDGE_S
            self.look_after(self.held)
        else:
            self.due_s = now() + DIAL_S
            self.dial()

    def say(self, what: str, at_s: float, heard_s: "float | None" = None, why: str = "") -> None:
        """Report an event; `heard_s` is when the connection was last known to be well."""
        self.said = what
        heard = "-" if heard_s is None else f"{heard_s:.6f}"
        self.lines.append(f"f {at_s:.6f} {what} {heard} {why}")

    def dial(self) -> None:
        """Try once more to get a connection; the ones before may still be on their way."""
        try:
            dial = Dial(self.target, self.port)
        except OSError as error:
            self.say_broken(reason(error))
            return
        self.dials.append(dial)
        self.look(dial)

    def look(self, dial: Dial) -> None:
        """Keep a connection that has come about, wait for one that has not."""
        if not dial.over:
            self.waiting.watch(dial.socket.fileno(), dial.wants, lambda: self.step(dial))
        elif dial.failure:
            self.drop(dial, dial.failure)
        else:
            self.keep(dial)

    def step(self, dial: Dial) -> None:
        """Go on with a connection that is on its way."""
        dial.step()
        self.look(dial)

    def drop(self, dial: Dial, why: str) -> None:
        """Give one up that did not come about."""
        self.dials.remove(dial)
        self.waiting.forget(dial.socket.fileno())
        dial.close()
        self.say_broken(why)

    def say_broken(self, why: str) -> None:
        """Say once that there is none, where there was none from the beginning."""
        if not self.said:
            self.say("broken", now(), None, why)

    def keep(self, dial: Dial) -> None:
        """Hold this connection."""
        self.dials.remove(dial)
        for other in self.dials:
            self.waiting.forget(other.socket.fileno())
            other.close()
        self.dials = []
        self.held, self.stalled = dial.socket, False
        options = {TCP_KEEPIDLE: 1, TCP_KEEPINTVL: 1, TCP_KEEPCNT: GIVE_UP_S, TCP_USER_TIMEOUT: 1000 * GIVE_UP_S}
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in options.items():
            self.held.setsockopt(socket.IPPROTO_TCP, option, value)
        self.waiting.watch(self.held.fileno(), select.POLLIN, self.read)
        self.say("open", now())

    def read(self) -> None:
        """Take what the service says without being asked, and notice the end."""
        assert self.held is not None
        try:
            said = self.held.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError as error:
            self.broke(reason(error))
            return
        if not said:
            self.broke("closed by the service")

    def broke(self, why: str) -> None:
        """Report the end of the connection, and get a new one at once."""
        assert self.held is not None
        self.say("broken", now(), heard_s(self.held), why)
        self.waiting.forget(self.held.fileno())
        self.held.close()
        self.held = None
        self.due_s = now()

    def look_after(self, held: socket.socket) -> None:
        """See whether the other end still acknowledges, and ask it again."""
        last_s = heard_s(held)
        silent = now() - last_s > self.quiet_s
        if silent and not self.stalled:
            self.say("stalled", now(), last_s)
        elif self.stalled and not silent:
            self.say("open", last_s)
        self.stalled = silent
        try:
            # The end of repair mode sends what a keepalive is, at once; it takes a right to administer the network.
            held.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            held.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
        except OSError:
            self.quiet_s = QUIET_UNNUDGED_S


def heard_s(held: socket.socket) -> float:
    """Return when the other end acknowledged something last."""
    info = held.getsockopt(socket.IPPROTO_TCP, TCP_INFO, LAST_ACK_AT + 4)
    age_s: float = struct.unpack_from("=I", info, LAST_ACK_AT)[0] / 1000
    return now() - age_s


class Client:
    """Asks the service as long as the program lives."""

    def __init__(
        self, words: "dict[str, str]", target: Target, start_s: float, lines: "collections.deque[str]"
    ) -> None:
        """`words` are the program's arguments service, every, flow, as far as given."""
        self.lines = lines
        self.waiting = Waiting()
        self.parts: list[Tries | Flow] = []
        if "service" in words:
            try:
                request = Request(words["service"])
            except OSError as error:
                lines.append(f"w the service was not asked: {error}")
            else:
                every_s = float(words["every"])
                self.parts.append(Tries(target, request, every_s, start_s, self.waiting, lines))
        if "flow" in words:
            self.parts.append(Flow(target, int(words["flow"]), self.waiting, lines))

    def work(self) -> None:
        """Ask; a thread's whole life. What goes wrong here must be seen, and end nothing else."""
        try:
            while self.parts:
                self.turn()
        except Exception as error:
            self.lines.append(f"w the service was asked no longer: {type(error).__name__} {error}")

    def turn(self) -> None:
        """Wait for what comes first, and do what is due."""
        self.waiting.wait(min(POLL_S, min(part.due_s for part in self.parts) - now()))
        for part in self.parts:
            part.tick()
