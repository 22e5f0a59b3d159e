"""Processes: known by pid and start, ended whatever they do about SIGTERM, found again where nobody recorded them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.openstack.bed import process
from tests.openstack.bed.model import CONTROL, BedError
from tests.openstack.bed.process import Daemon, Identity, Processes

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Processes]:
    """The bed's processes without its namespaces, which want root."""
    monkeypatch.setattr(Daemon, "command", lambda daemon: list(daemon.argv))
    made = Processes(tmp_path / "log", tmp_path, os.environ["PATH"], tmp_path / "records")
    yield made
    made.stop(made.names(), grace_s=0.0)


def test_a_daemon_becomes_its_program_in_its_namespace() -> None:
    assert Daemon("x", ("program", "-a"), "there").command() == ["ip", "netns", "exec", "there", "program", "-a"]


def test_stat_is_read_whatever_the_program_is_called() -> None:
    text = "41 (a) R (b) {} 1 41 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9876 1 2\n"
    assert process.parse_stat(41, text.format("S")) == Identity(41, 9876)
    assert process.parse_stat(41, text.format("Z")) is None


@pytest.mark.parametrize("text", ["", "41", "41 x", "41 2 3"])
def test_a_record_that_was_cut_short_names_nobody(text: str) -> None:
    assert Identity.parse(text) is None
    assert Identity.parse(Identity(41, 2).render()) == Identity(41, 2)


def test_a_later_process_with_the_pid_is_another() -> None:
    own = Identity.of(os.getpid())
    assert own is not None
    assert own.runs()
    assert not Identity(own.pid, own.start_ticks + 1).runs()


def test_what_runs_is_not_started_twice_and_a_deaf_one_is_ended(processes: Processes) -> None:
    daemon = Daemon("deaf", (sys.executable, "-c", STUBBORN))
    processes.start(daemon)
    processes.wait("it is deaf", lambda: "deaf" in processes.tail("deaf"), 10.0, daemon="deaf")
    first = processes.identity("deaf")
    processes.start(daemon)
    assert processes.identity("deaf") == first
    processes.stop(["deaf"], grace_s=0.2)
    assert not processes.runs("deaf")
    assert processes.names() == []


def test_waiting_ends_with_the_daemon_and_shows_its_last_words(processes: Processes) -> None:
    processes.start(Daemon("short", (sys.executable, "-c", "raise SystemExit('no such port')")))
    with pytest.raises(BedError, match=r"short died\n  no such port"):
        processes.wait("it answers", lambda: False, 10.0, daemon="short")


def test_waiting_has_a_deadline(processes: Processes) -> None:
    with pytest.raises(BedError, match=r"it answers: not within 0\.1 s"):
        processes.wait("it answers", lambda: False, 0.1)


def test_a_program_that_fails_is_named_with_its_last_words(processes: Processes) -> None:
    with pytest.raises(BedError, match="failed\n  broken"):
        processes.run([sys.executable, "-c", "raise SystemExit('broken')"], log="tool")


def test_no_secret_of_the_caller_gets_into_the_bed(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PASSWORD", "mine")
    assert "OS_PASSWORD" not in processes.environment()
    assert processes.environment({"A": "1"})[process.MARK] == CONTROL


def test_what_a_killed_daemon_leaves_is_found_by_its_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CONTROL", f"test-{os.getpid()}")  # not a bed that is up beside this test
    env = os.environ | {process.MARK: f"test-{os.getpid()}"}
    forking = (
        "from subprocess import DEVNULL, Popen;"
        "print(Popen(['sleep', '60'], start_new_session=True, stdout=DEVNULL, stderr=DEVNULL).pid)"
    )
    parent = subprocess.run([sys.executable, "-c", forking], env=env, capture_output=True, text=True, check=True)
    orphan = Identity.of(int(parent.stdout))
    assert orphan is not None
    found = process.left_over([])
    assert found == [orphan]
    process.end(found, grace_s=5.0)
    deadline = time.monotonic() + 5.0
    while process.left_over([]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.left_over([]) == []
