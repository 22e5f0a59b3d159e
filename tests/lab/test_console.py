"""The console log: what is written to the terminal, and no more than fits."""

from __future__ import annotations

import os
from pathlib import Path

from haos.lab.console import Console, append

PTS = Path("/dev/pts")


def test_log_keeps_its_newer_half(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in range(30):
        append(log, b"%09d\n" % number, limit=200)
    text = log.read_bytes()
    assert len(text) <= 200
    assert text.endswith(b"%09d\n" % 29)
    assert text == b"".join(b"%09d\n" % number for number in range(30))[-len(text) :]


def test_all_that_is_written_to_the_terminal_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    console = Console(PTS, log)
    written = os.open(console.path, os.O_WRONLY | os.O_NOCTTY)
    os.write(written, b"one\ntwo\n")
    os.close(written)
    console.close()
    assert log.read_bytes() == b"one\r\ntwo\r\n"
