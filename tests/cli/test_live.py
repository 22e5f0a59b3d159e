"""The live timeline: the last seconds of a measurement, on a terminal alone."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count

import pytest

from haos.core.probe import Ask, Echo, History
from haos.view.cells import cells, letters, runs
from haos.view.live import Band, tail_since
from haos.view.progress import ConsoleProgress
from tests.cli.test_progress import _capable as _capable
from tests.cli.test_progress import terminal, told
from tests.fakes import Quiet

A, B = "fa:16:3e:00:00:0a", "fa:16:3e:00:00:0b"
NAMES = {A: "ha_first", B: "ha_second"}


def history(*stretches: tuple[float, str | None], interval_s: float = 0.01, lost: str | None = None) -> History:
    """Return echoes of (so many seconds, who answered) in turn; None for nobody."""
    echoes: list[Echo] = []
    for seconds, who in stretches:
        for _ in range(round(seconds / interval_s)):
            sent_s = 100.004 + len(echoes) * interval_s
            echoes.append(Echo(sent_s, sent_s + 0.001 if who else None, who))
    return History(interval_s, tuple(echoes), now_s=100.004 + len(echoes) * interval_s, lost=lost)


def shown(seen: History, width: int = 58, *, ascii_only: bool = False) -> list[str]:
    return [line.plain for line in Band(lambda: seen, NAMES).lines(width, ascii_only=ascii_only)]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["ha_first", "ha_second"], "FS"),
        (["web1", "web2", "web3"], "123"),
        (["alpha", "beta"], "AB"),
        (["web", "web2"], "12"),
        (["näh", "nöh"], "12"),
        (["same", "same"], "S"),
        ([], ""),
    ],
)
def test_letters_tell_nodes_apart(names: list[str], expected: str) -> None:
    assert "".join(letters(names).values()) == expected


def test_one_lost_probe_is_not_hidden_by_its_neighbours() -> None:
    seen = history((0.1, A), (0.01, None), (0.09, A))
    assert cells(seen.echoes, 100.0, 0.1, 3, {A: "A", B: "B"}) == ("A", "·", " ")


def test_a_move_is_told_from_two_that_answer_by_turns() -> None:
    seen = history((0.05, A), (0.05, B), (0.02, B), (0.02, A), (0.06, B))
    assert cells(seen.echoes, 100.0, 0.1, 2, {A: "A", B: "B"}) == ("B", "!")


def test_a_question_that_both_answer_stands_until_the_next() -> None:
    seen = history((0.4, A))
    asks = [Ask(100.02, (A,)), Ask(100.12, (A, B)), Ask(100.22, (B, A)), Ask(100.32, (A,))]
    assert cells(seen.echoes, 100.0, 0.1, 4, {A: "A", B: "B"}, asks) == ("A", "!", "!", "A")
    dark = history((0.4, None))
    assert cells(dark.echoes, 100.0, 0.1, 4, {A: "A", B: "B"}, asks) == ("·", "·", "·", "·")


def test_a_late_answer_is_a_lost_probe_here_too() -> None:
    assert cells([Echo(0.0, 0.5, A)], 0.0, 0.1, 1, {A: "A"}) == ("·",)


def test_who_cannot_be_seen_and_who_is_no_node_are_told_apart() -> None:
    echoes = [Echo(0.0, 0.001, None), Echo(0.1, 0.101, "fa:16:3e:00:00:0c")]
    assert cells(echoes, 0.0, 0.1, 2, {A: "A"}) == ("█", "?")


def test_runs_hold_every_cell_once() -> None:
    assert list(runs("AA··A")) == [("A", 2), ("·", 2), ("A", 1)]
    assert list(runs("")) == []


def test_the_band_shows_who_answered_and_what_was_lost() -> None:
    band, caption = shown(history((4, A), (0.5, None), (0.6, B)))
    assert band == "       |" + "F" * 29 + "·" * 10 + "S" * 10 + "|"
    assert caption == "       S = ha_second"


def test_the_band_shows_that_both_answer() -> None:
    seen = history((2, A))
    asks = tuple(Ask(101.0 + number / 10, (A, B)) for number in range(10))
    band, _ = shown(replace(seen, asks=asks))
    assert band.count("!") > 10


def test_while_nobody_answers_the_time_is_counted_beyond_the_band() -> None:
    band, caption = shown(history((1, A), (7, None)))
    assert set(band.strip(" |")) == {"·"}
    assert caption == "       no answer for 7.0 s"


def test_what_may_still_be_answered_is_not_shown_as_lost() -> None:
    band, caption = shown(history((1, A), (0.05, None)))
    assert "·" not in band
    assert caption == "       F = ha_first"


def test_nothing_is_shown_before_the_first_probe() -> None:
    assert shown(History(0.01)) == []


def test_a_lost_observer_is_said() -> None:
    assert shown(history((1, A), lost="connection reset"))[1] == "       the observer was lost"


def test_ascii_terminals_get_ascii() -> None:
    lines = shown(history((1, A), (0.5, None), (0.6, None)), ascii_only=True)
    assert "".join(lines).isascii()
    assert "....." in lines[0]


def test_only_the_tail_of_a_long_history_is_looked_at() -> None:
    seen = history((50, A))
    assert [echo.sent_s for echo in tail_since(seen.echoes, 149.975)] == pytest.approx([149.984, 149.994])
    band, began_s = Band(lambda: seen, NAMES), time.process_time()
    for _ in range(10):
        list(band.lines(80))
    assert (time.process_time() - began_s) / 10 < 0.02


def test_a_measurement_is_live_on_a_terminal_and_gone_when_it_ends() -> None:
    made = terminal()
    progress = ConsoleProgress(made)
    with progress.measuring("stop on ha_first", lambda: history((1, A), (0.5, None), (1, B)), NAMES):
        title, band, caption = progress.lines().plain.splitlines()
        made.err.print(progress.lines())
    assert title.startswith("     … stop on ha_first")
    assert "FF··········SSS" in band
    assert caption.strip() == "S = ha_second"
    assert progress.lines().plain == ""
    assert "ok\x1b[0m stop on ha_first" in told(made)
    assert "\x1b[30;42mF" in told(made)
    assert "\x1b[1;37;41m·" in told(made)


def test_letters_stay_where_colours_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    made = terminal()
    progress = ConsoleProgress(made)
    with progress.measuring("stop", lambda: history((1, A), (0.5, None)), NAMES):
        made.err.print(progress.lines())
    assert "FFFF\x1b[1m····" in told(made)
    assert "\x1b[3" not in told(made)
    assert ";4" not in told(made)


def test_no_line_is_wider_than_the_terminal() -> None:
    progress = ConsoleProgress(terminal(width=30))
    long = {A: "x" * 200, B: "y" * 200}
    with progress.measuring("stop", lambda: history((5, A)), long):
        assert max(map(len, progress.lines().plain.splitlines())) <= 29


def test_a_pipe_is_told_of_the_step_alone_and_nobody_looks() -> None:
    looks = count()

    def look() -> History:
        next(looks)
        return history((1, A))

    made = terminal(quiet=True)
    with ConsoleProgress(made).measuring("stop", look, NAMES):
        pass
    assert next(looks) == 0
    assert told(made) == ""


def test_the_fake_remembers_its_title() -> None:
    quiet = Quiet()
    with quiet.measuring("stop", lambda: History(0.01), {}):
        pass
    assert quiet.titles == ["stop"]
