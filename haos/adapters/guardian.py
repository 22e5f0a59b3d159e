"""The guardian as a process of its own: it outlives haos, and undoes a fault that haos cannot undo any more.

It is told on standard input, which haos holds open: first its order (no secret is in its arguments), at the end
"done". Whatever else closes that pipe, SIGKILL of haos included, is the sign to act. It has a session of its own, so
neither Ctrl-C nor the end of the terminal reaches it, inherits nothing but that pipe and a log, and says "ready" once
it has logged in.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import haos
from haos.adapters.private import open_private, private_folder
from haos.core.intent import Intent
from haos.core.model import Pair
from haos.errors import CloudError

MODULE = "haos.cli.guard"
READY, DONE = b"ready\n", b"done\n"
READY_TIMEOUT_S = 75.0
"""Longer than the login's own deadline."""
END_TIMEOUT_S = 10.0
LONGEST_LINE = 10_000


class ProcessGuardian:
    """Starts a guardian for each fault; `openstack` are the options by which haos itself logged in."""

    def __init__(self, openstack: Sequence[str], log_dir: Path) -> None:
        self._openstack = list(openstack)
        self._log_dir = log_dir

    @contextmanager
    def watch_over(self, pair: Pair, intent: Intent) -> Iterator[None]:
        """Have a guardian while the context lasts. Raises CloudError if it does not get ready."""
        process = self._ready(pair, intent)
        assert process.stdin is not None
        try:
            yield
        except BaseException:
            process.stdin.close()  # it looks for itself whether there is something to undo
            raise
        with contextlib.suppress(OSError):  # it may have been killed
            process.stdin.write(DONE)
        process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_TIMEOUT_S)

    def _ready(self, pair: Pair, intent: Intent) -> subprocess.Popen[bytes]:
        log = self._new_log(intent)
        order = {
            "openstack": self._openstack,
            "reservation_id": pair.reservation_id,
            "tag": intent.tag,
        }
        process = _start(log)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(OSError):  # its end is noticed below
                process.stdin.write(json.dumps(order).encode() + b"\n")
            with process.stdout:
                word = _line(process.stdout, READY_TIMEOUT_S)
        except BaseException:
            process.stdin.close()
            raise
        if word != READY:
            process.stdin.close()
            process.kill()
            process.wait()
            raise _not_ready(intent, word, log)
        return process

    def _new_log(self, intent: Intent) -> Path | None:
        path = self._log_dir / f"guardian-{intent.fault}-{os.getpid()}-{time.monotonic_ns()}.log"
        try:
            private_folder(self._log_dir)
            open_private(path, "x").close()
        except OSError:
            return None
        return path


def _start(log: Path | None) -> subprocess.Popen[bytes]:
    # Found where this haos was found, and never in the working folder, which is kept for a clouds.yaml in it.
    found = [str(Path(haos.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environ = {name: value for name, value in os.environ.items() if name != "HAOS_SUDO_PASSWORD"}
    with open(log or os.devnull, "ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, *([str(log)] if log else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            env={**environ, "PYTHONPATH": os.pathsep.join(filter(None, found))},
            start_new_session=True,
        )


def _line(stream: IO[bytes], timeout_s: float) -> bytes:
    """Read one line; b"" at the deadline, and a part of one where the stream ends."""
    deadline_s, line = time.monotonic() + timeout_s, b""
    while not line.endswith(b"\n") and len(line) < LONGEST_LINE:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or not select.select([stream], [], [], left_s)[0]:
            return b""
        read = os.read(stream.fileno(), LONGEST_LINE)
        if not read:
            break
        line += read
    return line


def _not_ready(intent: Intent, word: bytes, log: Path | None) -> CloudError:
    why = word.decode(errors="replace").strip()
    if why and log is not None:  # it knew why: nothing more is in its log
        log.unlink(missing_ok=True)
    elif not why:
        why = f"it did not get ready; see {log}" if log else "it did not get ready"
    return CloudError(
        f"no guardian for fault {intent.fault}: {why}",
        hint="faults that are made through the API need one; faults on the node have a timer there",
    )
