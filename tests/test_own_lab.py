"""A lab of a command's own goes down with it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

TIMEOUT_S = 30

COMMAND = """
import threading
from concurrent.futures import ThreadPoolExecutor
from haos.lab import control
from tests.own_lab import own_lab

down = threading.Event()

def told(word):
    print(word, flush=True)

def up(name, fabric):
    told(f"up {name} {fabric}")
    if HANGS:
        down.wait(60)

control.up = up
control.down = lambda name: (told(f"down {name}"), down.set())
with own_lab("races-1", fabric="ovs"), ThreadPoolExecutor(1) as pool:
    pool.submit(down.wait, 60)
    told("at work")
    if ENDS:
        down.set()
    try:
        down.wait(60)
    except SystemExit:
        raise ConnectionRefusedError from None
"""


def started(*, ends: bool = False, hangs: bool = False) -> subprocess.Popen[str]:
    text = f"ENDS, HANGS = {ends}, {hangs}\n{COMMAND}"
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_takes_the_lab_down_before_anybody_is_waited_for(number: signal.Signals) -> None:
    with started() as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["up races-1 ovs\n", "at work\n"]
        process.send_signal(number)
        said, _ = process.communicate(timeout=TIMEOUT_S)
    assert set(said.splitlines()) == {"down races-1"}
    assert process.returncode == 128 + number


def test_a_signal_while_it_comes_up_takes_it_down() -> None:
    with started(hangs=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up races-1 ovs\n"
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=TIMEOUT_S)
    assert said == "down races-1\n"
    assert process.returncode == 128 + signal.SIGTERM


def test_an_end_takes_it_down_once() -> None:
    with started(ends=True) as process:
        said, _ = process.communicate(timeout=TIMEOUT_S)
    assert said.splitlines() == ["up races-1 ovs", "at work", "down races-1"]
    assert process.returncode == 0
