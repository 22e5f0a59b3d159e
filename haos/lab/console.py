"""The terminal behind an instance's /dev/console, and the log that keeps what was written to it."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
import threading
from pathlib import Path

LOG_BYTES = 256 * 1024  # when it is full, the older half goes
TIOCSPTLCK = 0x40045431
TIOCGPTN = 0x80045430
HUNG_UP_S = 0.05


def append(log: Path, data: bytes, limit: int = LOG_BYTES) -> None:
    """Add to a log that never grows beyond its limit."""
    with log.open("ab") as file:
        file.write(data)
        size = file.tell()
    if size > limit:
        log.write_bytes(log.read_bytes()[-limit // 2 :])


class Console:
    """One boot's terminal: open until `close`, and all that is written to it goes to the log."""

    def __init__(self, terminals: Path, log: Path) -> None:
        self._log = log
        self._ended = threading.Event()
        self._master = os.open(terminals / "ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        fcntl.ioctl(self._master, TIOCSPTLCK, struct.pack("i", 0))
        number = struct.unpack("i", fcntl.ioctl(self._master, TIOCGPTN, struct.pack("i", 0)))[0]
        self.path = terminals / str(number)
        # Held open: a terminal that nobody has open reads as hung up.
        self._slave = os.open(self.path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 132, 0, 0))
        self._pump = threading.Thread(target=self._copy, name="lab-console", daemon=True)
        self._pump.start()

    def close(self) -> None:
        """Let the terminal go once all of it is in the log."""
        self._ended.set()
        os.close(self._slave)
        self._pump.join(timeout=5.0)

    def _copy(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError as error:
                if error.errno != errno.EIO or self._ended.wait(HUNG_UP_S):
                    break
                continue
            append(self._log, data)
        os.close(self._master)
