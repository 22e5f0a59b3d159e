"""A probe run under way: a thread reads the observer's report, the others wait for what it says."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable

from haos.adapters.probe_report import ASKED, Report
from haos.core.clocks import Moment
from haos.core.probe import History

SYNC_S = 1.0
SILENT_S = 5.0
"""A report comes every 20 ms: after so long without one, the observer counts as lost (until it is back)."""
STOP_TIMEOUT_S = 5.0
_COMPLAINT_BYTES = 2000


class RemoteProbe:
    """Implements `Probe`; threads may share it."""

    def __init__(self, process: subprocess.Popen[bytes], report: Report) -> None:
        self._process = process
        self._report = report
        self._news = threading.Condition()
        self._pen = threading.Lock()
        self._numbers = itertools.count(1)
        self._heard_s = time.monotonic()
        self._synced_s = self._heard_s - SYNC_S
        self._version = 0
        self._over = False
        self._stopping = self._asked = False
        self._complaint = b""
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._read_complaint)]
        for thread in self._threads:
            thread.start()

    def await_start(self, timeout_s: float) -> str | None:
        """Wait until the first probe has left; return None, or why there is none."""
        with self._news:
            self._news.wait_for(lambda: self._report.started or self._report.failure or self._over, timeout_s)
            if self._report.started:
                return None
            if self._report.failure:
                return self._report.failure
        return self._lost() or f"it did not begin within {timeout_s:g} s"

    def mark(self, label: str) -> None:
        """Name this moment in the history; it appears there once the observer has heard of it."""
        number = next(self._numbers)
        with self._news:
            self._report.mark(number, label, time.monotonic())
        self._tell(f"mark {number}")

    def when(self, local_s: float) -> Moment:
        """Return that time of the local monotonic clock on the observer's."""
        with self._news:
            return self._report.when(local_s)

    def history(self) -> History:
        """Return what has been reported so far."""
        lost = self._lost()
        with self._news:
            return self._report.history(lost)

    def wait(self, condition: Callable[[History], bool], timeout_s: float) -> bool:
        """Wait until the growing history satisfies the condition; False at the deadline or when the probe is lost.

        The condition is asked once for each batch of lines, so at most 50 times a second.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            with self._news:
                seen = self._version
            history = self.history()
            if condition(history):
                return True
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or history.lost is not None or self._over:
                return False
            self._await_news(seen, min(left_s, SILENT_S))

    def _await_news(self, seen: int, timeout_s: float) -> None:
        with self._news:
            self._news.wait_for(lambda: self._version != seen or self._over, timeout_s)

    def stop(self) -> History:
        """End the run within seconds and return the whole history; safe to repeat."""
        if not self._stopping:
            self._stopping = True
            self._asked = not self._over
            self._tell("stop")
            with contextlib.suppress(OSError):
                assert self._process.stdin is not None
                self._process.stdin.close()
            self._threads[0].join(STOP_TIMEOUT_S)
            self._end_process()
        return self.history()

    def _end_process(self) -> None:
        try:
            self._process.wait(0.5 if self._over else 0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(STOP_TIMEOUT_S)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _lost(self) -> str | None:
        with self._news:
            over, end, heard_s = self._over, self._report.end, self._heard_s
        if not over:
            silent_s = time.monotonic() - heard_s
            return f"no report for {silent_s:.0f} s" if silent_s > SILENT_S else None
        if end == ASKED and self._asked:
            return None
        if end == "limit":
            return "the probe reached its time limit"
        if end is not None:
            return f"the probe ended: {end}"
        self._threads[1].join(1.0)  # what ssh complains of comes last
        complaint = self._complaint.decode(errors="replace").strip().rpartition("\n")[2]
        printable = "".join(char for char in complaint if char.isprintable())
        return f"the connection to the observer broke{': ' if printable else ''}{printable}"

    def _tell(self, line: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        # Where nobody listens any more the reader finds out.
        with self._pen, contextlib.suppress(OSError, ValueError):
            stdin.write(f"{line}\n".encode())
            stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while chunk := os.read(self._process.stdout.fileno(), 1 << 16):
            heard_s = time.monotonic()
            *lines, rest = (rest + chunk).split(b"\n")
            with self._news:
                for line in lines:
                    self._report.feed(line.decode("utf-8", "replace"), heard_s)
                self._heard_s = heard_s
                self._version += 1
                self._news.notify_all()
            # Not before it has begun: until then its stdin is for its source alone.
            if self._report.started and heard_s - self._synced_s >= SYNC_S and not self._stopping:
                self._sync(heard_s)
        with self._news:
            self._over = True
            self._news.notify_all()

    def _sync(self, heard_s: float) -> None:
        self._synced_s = heard_s
        number = next(self._numbers)
        with self._news:
            self._report.sync(number, time.monotonic())
        self._tell(f"sync {number}")

    def _read_complaint(self) -> None:
        assert self._process.stderr is not None
        while chunk := os.read(self._process.stderr.fileno(), 4096):
            self._complaint = (self._complaint + chunk)[-_COMPLAINT_BYTES:]
