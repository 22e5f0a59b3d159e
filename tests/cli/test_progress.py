"""Steps: live on a terminal, a plain line each elsewhere."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from rich.console import Console

from haos.view.console import Output, console_on
from haos.view.progress import ConsoleProgress


def terminal(width: int = 80, *, quiet: bool = False) -> Output:
    made = Output(quiet=quiet)
    made.err = Console(file=io.StringIO(), force_terminal=True, width=width, soft_wrap=True, legacy_windows=False)
    return made


def told(made: Output) -> str:
    assert isinstance(made.err.file, io.StringIO)
    return made.err.file.getvalue()


@pytest.fixture(autouse=True)
def _capable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


def test_running_steps_are_a_line_each_and_go_when_they_end() -> None:
    made = terminal()
    progress = ConsoleProgress(made)
    with progress.step("look at the nodes"), progress.step("install keepalived on ha_first"):
        running = progress.lines().plain.splitlines()
    assert [re.sub(r"\d+ s$", "N s", line) for line in running] == [
        "     … look at the nodes  N s",
        "     … install keepalived on ha_first  N s",
    ]
    assert progress.lines().plain == ""
    assert "\x1b[" in told(made)


def test_steps_of_several_threads_are_all_shown() -> None:
    made = terminal()
    progress = ConsoleProgress(made)
    together, apart = Barrier(3, timeout=10), Barrier(3, timeout=10)

    def work(name: str) -> None:
        with progress.step(f"install keepalived on {name}"):
            together.wait()
            apart.wait()

    with ThreadPoolExecutor(2) as pool:
        ended = [pool.submit(work, name) for name in ("a", "b")]
        together.wait()
        shown = progress.lines().plain
        apart.wait()
        for each in ended:
            each.result()
    assert "keepalived on a " in shown
    assert "keepalived on b " in shown
    ended_lines = re.findall(r"ok\x1b\[0m install keepalived on [ab]  \x1b\[2m\d+\.\d s\x1b\[0m\n", told(made))
    assert len(ended_lines) == 2


def test_an_ascii_terminal_gets_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    progress = ConsoleProgress(terminal(width=20))
    with progress.step("look at the nodes … ±"):
        assert progress.lines().plain == "    .. look at the "
    assert progress.lines().plain.isascii()


def test_a_running_step_never_takes_two_lines() -> None:
    made = terminal(width=30)
    progress = ConsoleProgress(made)
    with progress.step("x" * 200):
        assert max(map(len, progress.lines().plain.splitlines())) <= 29


@pytest.mark.parametrize("setting", [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_what_the_terminal_cannot_do_is_not_done(monkeypatch: pytest.MonkeyPatch, setting: tuple[str, str]) -> None:
    monkeypatch.setenv(*setting)
    made = terminal()
    with ConsoleProgress(made).step("look"):
        pass
    text = told(made)
    assert "ok look" in text
    if setting[0] == "TERM":
        assert "\x1b" not in text
    else:
        assert "\x1b[3" not in text  # the cursor may move, nothing is coloured


def test_a_pipe_gets_one_plain_line_a_step() -> None:
    made = Output()
    made.err = console_on(io.StringIO())
    progress = ConsoleProgress(made)
    with progress.step("look " + "far " * 40), progress.silence():
        progress.note("note")
    assert told(made).splitlines()[0] == "       note"
    assert told(made).splitlines()[1].startswith("    ok look far far")
    assert len(told(made).splitlines()) == 2
    assert "\x1b" not in told(made)


def test_quiet_says_nothing_on_a_terminal_either() -> None:
    made = terminal(quiet=True)
    with ConsoleProgress(made).step("look"):
        pass
    assert told(made) == ""


def test_a_question_has_the_terminal_to_itself() -> None:
    made = terminal()
    progress = ConsoleProgress(made)
    with progress.step("look at the nodes"):
        with progress.silence():
            assert not progress.is_live
        assert progress.is_live
    assert not progress.is_live
