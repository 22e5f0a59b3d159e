"""What the observer sees at a moment, and the verdict on it."""

from __future__ import annotations

import pytest

from haos.core.outage import Verdict
from haos.core.probe import Ask, Echo, History
from haos.core.sighting import Observation, judge_observation, observe, seen_enough, stale_entry

A, B = "fa:16:3e:00:00:0a", "fa:16:3e:00:00:0b"
NAMES = {A: "ha_first", B: "ha_second"}


def run(*answered: str | None, asks: tuple[tuple[str, ...], ...] = ()) -> History:
    echoes = tuple(Echo(n / 100, n / 100 + 0.002 if who else None, who) for n, who in enumerate(answered))
    now_s = len(echoes) / 100 + 0.15
    asked = tuple(Ask(now_s - 0.15 - (len(asks) - n) / 10, each) for n, each in enumerate(asks))
    return History(0.01, echoes, asked, now_s=now_s)


def test_who_answers_and_how_fast() -> None:
    seen = observe("observer", run(*[A] * 100, asks=((A,), (A,))), B)
    assert (seen.answered, seen.echo_from, seen.arp_from, seen.asked) == (True, A, (A,), True)
    assert seen.round_trip_s == pytest.approx(0.002)
    assert stale_entry(seen, NAMES) == "ha_second"
    assert stale_entry(observe("observer", run(A), A), NAMES) is None


def test_a_probe_that_was_lost_is_no_outage() -> None:
    assert observe("observer", run(*[A] * 100, None, A, None)).answered
    assert not observe("observer", run(*[A] * 100, *[None] * 40)).answered
    assert not observe("observer", History(0.01)).answered


def test_what_left_later_is_not_looked_at() -> None:
    history = run(*[A] * 50, *[B] * 50)
    assert observe("observer", history).echo_from == B
    assert observe("observer", history, until_s=0.4).echo_from == A


def test_enough_is_seen_once_both_questions_are_answered() -> None:
    assert seen_enough(run(*[A] * 30, asks=((A,), (A,))))
    assert not seen_enough(run(*[A] * 30, asks=((),)))
    assert not seen_enough(run(*[A] * 10, asks=((A,), (A,))))
    assert seen_enough(History(0.2, run(*[A] * 30).echoes, now_s=1.0, method="ping"))


GOOD = Observation("observer", "icmp-raw+arp", answered=True, echo_from=A, asked=True, arp_from=(A,))


@pytest.mark.parametrize(
    ("seen", "verdict", "reason"),
    [
        (GOOD, Verdict.PASS, "VIP answers from ha_first"),
        (Observation("observer", "ping", answered=True), Verdict.PASS, "VIP answers from ha_first"),
        (Observation("observer", lost="gone"), Verdict.UNKNOWN, "gone"),
        (Observation("observer"), Verdict.FAIL, "VIP does not answer observer, though ha_first holds it"),
        (
            Observation("observer", answered=True, echo_from=B),
            Verdict.FAIL,
            "VIP is answered by ha_second, not by ha_first",
        ),
        (
            Observation("observer", answered=True, echo_from=A, asked=True, arp_from=(B,)),
            Verdict.FAIL,
            "VIP is answered by ha_second, not by ha_first",
        ),
        (
            Observation("observer", answered=True, echo_from=A, asked=True, arp_from=(A, B)),
            Verdict.FAIL,
            "asked who has VIP, ha_first and ha_second answer",
        ),
        (
            Observation("observer", answered=True, echo_from=A, asked=True),
            Verdict.FAIL,
            "asked who has VIP, nobody answers: a client without a neighbour entry is lost",
        ),
    ],
)
def test_the_verdict(seen: Observation, verdict: Verdict, reason: str) -> None:
    assert judge_observation(seen, "VIP", "ha_first", NAMES) == (verdict, reason)
