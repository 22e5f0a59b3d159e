"""What is told of a probe run that goes on: each move and outage once, whenever it is looked at."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core.events import Event
from haos.core.probe import Ask, Echo, History
from haos.core.wire import Wire, follow

A, B = "fa:16:3e:00:00:0a", "fa:16:3e:00:00:0b"
NAMES = {A: "ha_first", B: "ha_second"}
STEP_S = 0.01


def run(*stretches: tuple[float, str | None]) -> History:
    """Return echoes of (so many seconds, who answered) in turn; None for nobody."""
    echoes: list[Echo] = []
    for seconds, who in stretches:
        for _ in range(round(seconds / STEP_S)):
            sent_s = 100.0 + len(echoes) * STEP_S
            echoes.append(Echo(sent_s, sent_s + 0.001 if who else None, who))
    return History(STEP_S, tuple(echoes), now_s=100.0 + len(echoes) * STEP_S + 0.2)


def up_to(history: History, until_s: float) -> History:
    """Return the history as it was at a moment: what was under way then had no answer yet."""
    echoes = tuple(
        echo if echo.answered_s is not None and echo.answered_s <= until_s else Echo(echo.sent_s)
        for echo in history.echoes
        if echo.sent_s <= until_s
    )
    asks = tuple(ask for ask in history.asks if ask.sent_s <= until_s)
    return History(STEP_S, echoes, asks, now_s=until_s)


def told(history: History, *looks_s: float, wire: Wire | None = None) -> list[Event]:
    wire = wire or Wire()
    events: list[Event] = []
    for at_s in (*looks_s, history.now_s):
        wire, new = follow(wire, up_to(history, at_s), NAMES)
        events += new
    return events


@pytest.mark.parametrize(
    ("stretches", "texts"),
    [
        ([(1.0, A)], []),
        ([(1.0, A), (0.81, None), (1.0, B)], ["VIP moved ha_first -> ha_second, gone for 0.81 s"]),
        ([(1.0, A), (1.0, B)], ["VIP moved ha_first -> ha_second, no probe lost"]),
        ([(1.0, A), (0.4, None), (1.0, A)], ["VIP did not answer for 0.40 s"]),
        ([(1.0, A), (0.03, None), (1.0, A)], []),
        ([(1.0, A), (2.0, None)], ["VIP does not answer"]),
        ([(1.0, A), (2.0, None), (1.0, A)], ["VIP does not answer", "VIP answers again from ha_first after 2.00 s"]),
        ([(2.0, None), (1.0, B)], ["VIP does not answer", "VIP answers again from ha_second"]),
        ([(1.0, A), (1.0, "fa:16:3e:00:00:0c")], ["VIP moved ha_first -> fa:16:3e:00:00:0c, no probe lost"]),
    ],
)
def test_what_is_told(stretches: list[tuple[float, str | None]], texts: list[str]) -> None:
    assert [event.text for event in told(run(*stretches))] == texts


@given(st.lists(st.floats(100.0, 106.0), max_size=12))
def test_it_is_the_same_however_often_it_is_looked_at(looks: list[float]) -> None:
    history = run((1.0, A), (0.3, None), (1.0, B), (2.0, None), (1.0, A), (0.2, None), (0.5, A))
    assert told(history, *sorted(looks)) == told(history)


def test_a_dark_vip_is_told_before_it_is_back() -> None:
    history = run((1.0, A), (3.0, None), (1.0, B))
    _, events = follow(Wire(), up_to(history, 102.5), NAMES)
    assert [event.kind for event in events] == ["dark"]
    assert events[0].at_s == pytest.approx(101.0)


def test_a_move_that_nobody_watched() -> None:
    [event] = told(run((1.0, B)), wire=Wire("ha_first"))
    assert event.text == "VIP moved ha_first -> ha_second, not known how long it was gone"
    assert event.gone_s is None


def test_an_observer_that_does_not_see_who_answers() -> None:
    echoes = tuple(Echo(n * STEP_S, None if 100 <= n < 150 else n * STEP_S + 0.001) for n in range(300))
    _, events = follow(Wire(), History(STEP_S, echoes, now_s=3.5), NAMES)
    assert [event.text for event in events] == ["VIP did not answer for 0.50 s"]


def asked(*answers: tuple[str, ...]) -> History:
    asks = tuple(Ask(n / 10, each) for n, each in enumerate(answers, 1))
    return History(STEP_S, (), asks, now_s=len(asks) / 10 + 0.2)


def test_two_nodes_that_answer_are_told_and_so_is_the_end() -> None:
    history = asked((A,), *[(A, B)] * 10, *[(B,)] * 20)
    _, events = follow(Wire(), history, NAMES)
    assert [event.text for event in events] == [
        "ha_first and ha_second both answer for the VIP",
        "only ha_second answers for the VIP again",
    ]
    assert [event.at_s for event in events] == pytest.approx([0.4, 2.1])


def test_one_question_that_both_answer_as_the_vip_moves_is_no_dual_active() -> None:
    wire, events = follow(Wire(), asked((A,), (A, B), (B,), (B,)), NAMES)
    assert events == ()
    assert wire.quiet


def by_turns(asks: dict[range, tuple[str, ...]], *stretches: tuple[float, str | None]) -> History:
    """Return echoes as `run` does, and a question every 0.1 s: `asks` says by number who answers."""
    history = run(*stretches)
    told_by = {round((echo.sent_s - 100.0) * 100): echo.responder for echo in history.echoes}
    found = []
    for number in range(len(told_by) // 10):
        usual = told_by[number * 10]
        both = next((who for numbers, who in asks.items() if number in numbers), (usual,) if usual else ())
        found.append(Ask(100.0 + number / 10, both))
    return History(STEP_S, history.echoes, tuple(found), now_s=history.now_s)


FLAPPING = [(0.13, A), (0.13, B)] * 10


@pytest.mark.parametrize(("last", "moves"), [(A, []), (B, ["VIP moved ha_first -> ha_second while both answered"])])
def test_while_two_nodes_answer_no_move_is_told_but_the_one_in_which_it_ends(last: str, moves: list[str]) -> None:
    history = by_turns({range(10, 37): (A, B)}, (1.05, A), *FLAPPING, (2.0, last))
    events = told(history)
    assert [event.text for event in events] == [
        "ha_first and ha_second both answer for the VIP",
        f"only {NAMES[last]} answers for the VIP again",
        *moves,
    ]
    assert [event.text for event in told(history, *(100.0 + n / 7 for n in range(40)))] == [
        event.text for event in events
    ]


def test_an_outage_while_two_nodes_answer_is_told() -> None:
    history = by_turns({range(10, 30): (A, B)}, (1.5, A), (0.2, None), (1.0, B), (2.0, A))
    assert [event.kind for event in told(history)] == ["both", "outage", "one"]


def test_a_move_of_which_one_question_got_two_answers_is_told_once_as_it_was() -> None:
    history = by_turns({range(12, 13): (A, B)}, (1.0, A), (0.2, None), (1.0, B), (0.5, A))
    texts = ["VIP moved ha_first -> ha_second, gone for 0.20 s", "VIP moved ha_second -> ha_first, no probe lost"]
    assert [event.text for event in told(history)] == texts
    assert [event.text for event in told(history, *(100.0 + n / 7 for n in range(20)))] == texts
