"""The program that measures on the observer. It is streamed to the Python there, so it imports nothing of haos.

Python 3.6 and Debian's python3-minimal must do (no json, queue, ctypes). Arguments: vip=ADDRESS interval=S ask=S
dark=S limit=S silence=S; and to ask the service too: service="KIND PORT HOST PATH" every=S, flow=PORT. All times are
seconds of the observer's CLOCK_MONOTONIC.

stdin, line by line            stdout, line by line
  mark ID                        haos-probe 1 METHOD | haos-probe failed REASON
  sync ID                        s SEQ T        an echo leaves         x SEQ   it did not leave after all
  stop                           a SEQ T MAC|-  it is answered, at T, from MAC
                                 k N T          the VIP is asked for   b N MAC  this MAC says it has it
                                 t N T          a new connection or request to the service begins
                                 u N T          it is answered          v N REASON  it failed
                                 f T open|stalled|broken HEARD|- REASON
                                                the held connection; HEARD is when it was last known to be well
                                 w REASON       what cannot be asked
                                 m ID T, y ID T mark and sync, when they were heard
                                 n T            all that happened up to T has been reported
                                 z REASON       the end: asked | limit | silence

The echoes go through the kernel, so they see what a client with a neighbour entry sees. The asks (broadcast ARP, or
neighbour solicitation) see what a client without one sees. Their answers refresh the kernel's entry like any other
answer, and would so heal a client that was left with a wrong one. Therefore they are sent only in the instant after
an echo was answered, never while the VIP is dark (until it has been so for `dark` seconds).
"""

import collections
import errno
import gc
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from typing import Any

from haos.adapters.remote.service import Client
from haos.adapters.remote.wire import Asker, Echoer, prepare

FLUSH_S = 0.02
POLL_MS = 20
LINGER_S = 0.2  # so long the last echoes may still be answered after a stop
ORPHAN_S = 2.0  # stdin has ended and stdout is stuck: nobody is there
FRESH_S = 0.005
PRIORITY = 20
SO_TIMESTAMPNS = 35
OPTIONS = ("interval", "ask", "dark", "limit", "silence")

now = time.monotonic


class Run:
    """One measurement: a thread that sends, one that receives, one that listens to haos; the main one reports."""

    def __init__(self, options: "dict[str, float]", echoer: Echoer, asker: "Asker | None") -> None:
        self.options = options
        self.echoer = echoer
        self.asker = asker
        self.lines: collections.deque[str] = collections.deque()
        self.wake = threading.Event()
        self.ending = ""  # why, once it is so
        self.began_s = self.heard_s = self.seen_s = self.asked_s = now()
        self.answered_s: float | None = None
        self.sent = self.last_answered = self.asks = 0

    def send(self) -> None:
        """Send at absolute deadlines. One that was slept through is left out: a burst would measure nothing."""
        interval, start, slot = self.options["interval"], self.began_s, 0
        while True:
            delay_s = start + slot * interval - now()
            if delay_s > 0:
                time.sleep(delay_s)
            if self.ending:
                return
            self.sent += 1
            self.lines.append(f"s {self.sent} {now():.6f}")
            if not self.echoer.send(self.sent):
                self.lines.append(f"x {self.sent}")
            slot = max(slot + 1, int((now() - start) / interval) + 1)

    def receive(self) -> None:
        """Take answers, with the kernel's stamp; ask when it is time."""
        sockets = [self.echoer.receiver] + ([self.asker.receiver] if self.asker else [])
        poll = select.poll()
        for sock in sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            poll.register(sock, select.POLLIN)
        while True:
            seen_s = now()
            ready = poll.poll(POLL_MS)
            for sock in sockets:
                if any(fd == sock.fileno() for fd, _ in ready):
                    self.drain(sock)
            self.seen_s = seen_s
            if self.answered_s is None or now() - self.answered_s > self.options["dark"]:
                self.ask_if_due()

    def drain(self, sock: socket.socket) -> None:
        """Read until nothing is left."""
        while True:
            try:
                data, extra, _, sender = sock.recvmsg(2048, 64)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return
                continue  # an ICMP error for an echo of ours: it stays unanswered
            if sock is self.echoer.receiver:
                self.take_answer(data, stamp(extra), sender)
            else:
                mac = self.asker.parse(data, sender) if self.asker else ""
                if mac and self.asks:
                    self.lines.append(f"b {self.asks} {mac}")

    def take_answer(self, data: bytes, at_s: float, sender: "tuple[Any, ...]") -> None:
        """Report an answered echo."""
        seq, mac = self.echoer.parse(data, sender)
        if seq < 0:
            return
        self.lines.append(f"a {seq} {at_s:.6f} {mac}")
        self.answered_s = at_s
        self.last_answered = max(self.last_answered, seq)
        if now() - at_s < FRESH_S:
            self.ask_if_due()

    def ask_if_due(self) -> None:
        """Ask, if the last time is long enough ago."""
        if self.asker and now() - self.asked_s >= self.options["ask"]:
            self.asks += 1
            self.asked_s = now()
            self.lines.append(f"k {self.asks} {self.asked_s:.6f}")
            self.asker.send()

    def listen(self) -> None:
        """Obey stdin until it ends."""
        for line in iter(sys.stdin.buffer.readline, b""):
            self.heard_s = now()
            words = line.decode("ascii", "replace").split()
            if words[:1] == ["stop"]:
                self.ending = "asked"
            elif len(words) == 2 and words[0] in ("mark", "sync"):
                kind = "m" if words[0] == "mark" else "y"
                self.lines.append(f"{kind} {words[1]} {self.heard_s:.6f}")
            self.wake.set()
        self.ending = self.ending or "orphaned"
        time.sleep(ORPHAN_S)
        os._exit(1)

    def report(self) -> str:
        """Write what happened, batched; return why it ended."""
        while not self.ending:
            self.flush()
            self.wake.wait(FLUSH_S)
            self.wake.clear()
            if now() - self.began_s > self.options["limit"]:
                self.ending = "limit"
            elif now() - self.heard_s > self.options["silence"]:
                self.ending = "silence"
        last_s = now()
        while self.seen_s < last_s or (self.last_answered < self.sent and now() < last_s + LINGER_S):
            time.sleep(0.005)
        self.flush()
        return self.ending

    def flush(self) -> None:
        """Write the lines so far, and how far they reach."""
        seen_s = self.seen_s
        lines = [self.lines.popleft() for _ in range(len(self.lines))]
        write(*lines, f"n {seen_s:.6f}")


def stamp(extra: "list[tuple[int, int, bytes]]") -> float:
    """Map the kernel's receive stamp (wall clock) to the monotonic clock, by its age."""
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= 16:
            seconds, nanoseconds = struct.unpack("@ll", data[:16])
            age_s: float = time.time() - seconds - nanoseconds * 1e-9
            if 0 <= age_s < 1.0:
                return now() - age_s
    return now()


def write(*lines: str) -> None:
    """Write lines to haos and flush; whoever reads no more ends us."""
    try:
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
    except OSError:
        os._exit(1)


def favour() -> None:
    """Ask to be scheduled before others, and let no garbage collection get between."""
    gc.disable()
    sys.setswitchinterval(0.0005)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(PRIORITY))
    except OSError:
        try:
            os.nice(-10)
        except OSError:
            return


def main(arguments: "list[str]") -> None:
    """Measure until told to stop."""
    words = dict(argument.split("=", 1) for argument in arguments)
    options = {name: float(words[name]) for name in OPTIONS}
    signal.alarm(int(options["limit"]) + 10)  # the last resort: the kernel ends us
    try:
        target, echoer, asker = prepare(words["vip"])
    except OSError as error:
        write(f"haos-probe failed {error}")
        return
    method = echoer.method + (("+nd" if target.v6 else "+arp") if asker else "")
    write("haos-probe 1 " + method)
    favour()
    run = Run(options, echoer, asker)
    # Half an interval off, so that echoes and tries do not want the processor at the same moments.
    client = Client(words, target, run.began_s + options["interval"] / 2, run.lines)
    for work in (run.receive, run.send, run.listen, client.work):
        threading.Thread(target=work, daemon=True).start()
    write("z " + run.report())
    # Not sys.exit: a thread that is blocked in reading stdin would hold the interpreter up.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
