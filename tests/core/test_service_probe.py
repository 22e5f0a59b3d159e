"""What clients of the service go through: options, and properties over synthetic histories."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core.probe import Echo, FlowEvent, History, Service, Try
from haos.core.service_probe import (
    CONNECT_INTERVAL_S,
    FlowLoss,
    Question,
    complaint,
    failures,
    flow_losses,
    flow_without_s,
    is_serving,
    is_well,
    longest,
    parse_service,
    question_of,
    service_outage,
    service_outage_s,
    was_asked,
)
from haos.errors import UsageError

OLD, NEW = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"
EPS = 1e-6


@pytest.mark.parametrize(
    ("probe", "question"),
    [
        ("tcp:443", Question("tcp", 443)),
        ("http://www.example.org", Question("http", 80, "www.example.org", "/")),
        ("https://www.example.org:8443/health?full=1#x",
         Question("https", 8443, "www.example.org:8443", "/health?full=1")),
        ("HTTP://10.200.51.9:8080/", Question("http", 8080, "10.200.51.9:8080", "/")),
        ("http://[fd51::9]:8080/a", Question("http", 8080, "[fd51::9]:8080", "/a")),
        ("http://web?q", Question("http", 80, "web", "/?q")),
    ],
)  # fmt: skip
def test_what_is_asked_is_taken_apart(probe: str, question: Question) -> None:
    assert question_of(probe) == question
    assert parse_service(f" {probe} ") == Service(probe)


@pytest.mark.parametrize(
    "probe",
    ["", "443", "tcp:", "tcp:0", "tcp:65536", "tcp:10.0.0.1:80", "udp:53", "ftp://web/", "http://", "http:///x",
     "http://user:secret@web/", "http://web:0/", "http://web:99999/", "http://web/a b", "http://web/\r\nX: y",
     "http://wéb/", "http://.web/", "http://web/" + "a" * 1000],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_with_an_example(probe: str) -> None:
    with pytest.raises(UsageError, match="neither a TCP port nor a URL") as caught:
        parse_service(probe)
    assert "--probe tcp:443" in (caught.value.hint or "")


@pytest.mark.parametrize("flow", ["", "22", "tcp:", "tcp:0", "tcp:70000", "http://web/"])
def test_a_flow_is_a_tcp_port(flow: str) -> None:
    assert parse_service(None, " tcp:22 ") == Service(None, 22)
    with pytest.raises(UsageError, match="names no TCP port") as caught:
        parse_service(None, flow)
    assert caught.value.hint == "--flow tcp:443"


def test_nothing_asked_is_nothing() -> None:
    assert parse_service(None, None) == Service()


def asked(dark: list[tuple[float, float]], *, length_s: float = 6.0, probe: str = "tcp:80") -> History:
    """Return what tries tell of a service that answers nobody from, to."""
    step_s = question_of(probe).interval_s
    times = [index * step_s for index in range(round(length_s / step_s))]
    tries = tuple(
        Try(at, failure="no answer") if any(begin <= at < end for begin, end in dark) else Try(at, at + 0.001)
        for at in times
    )
    return History(0.01, now_s=length_s, service=Service(probe), tries=tries)


@given(st.floats(0.5, 1.5), st.floats(0.0, 3.0), st.sampled_from(["tcp:80", "http://web/"]))
def test_an_outage_of_the_service_is_found_within_one_interval_of_its_own(
    start_s: float, length_s: float, probe: str
) -> None:
    outage = service_outage(asked([(start_s, start_s + length_s)], probe=probe), 0.0, 6.0)
    step_s = question_of(probe).interval_s
    if outage is None:
        assert length_s <= step_s + EPS
        return
    assert abs(outage.outage_s - length_s) <= step_s + EPS
    assert outage.resolution_s == pytest.approx(step_s)
    assert not outage.open


@given(st.integers(1, 30))
def test_what_is_still_under_way_is_neither_answered_nor_lost(count: int) -> None:
    history = asked([], length_s=2.0)
    under_way = tuple(Try(2.0 + index * CONNECT_INTERVAL_S) for index in range(count))
    assert service_outage(History(0.01, service=history.service, tries=history.tries + under_way), 0.0, 9.0) is None
    # Once a later one is answered, those before it are late.
    later = Try(under_way[-1].sent_s + 0.05, under_way[-1].sent_s + 0.051)
    outage = service_outage(
        History(0.01, service=history.service, tries=(*history.tries, *under_way, later)), 0.0, 9.0
    )
    assert outage is not None
    assert outage.lost_probes == count


def test_a_refusal_just_now_counts_at_once() -> None:
    history = asked([(1.98, 9.0)], length_s=2.0 + EPS)
    history = History(0.01, now_s=2.0, service=history.service, tries=(*history.tries, Try(2.0, failure="refused")))
    outage = service_outage(history, 0.0, 2.0)
    assert outage is not None
    assert outage.open
    assert not is_serving(history)


def test_a_slow_answer_is_one_of_http_and_none_of_tcp() -> None:
    slow = tuple(Try(index * 0.2, index * 0.2 + 0.5) for index in range(5))
    assert is_serving(History(0.01, service=Service("http://web/"), tries=slow))
    assert not is_serving(History(0.01, service=Service("tcp:80"), tries=slow))


def test_whether_the_service_was_asked_is_told_apart_from_its_answers() -> None:
    history = asked([], length_s=2.0)
    assert was_asked(history, 0.5, 1.5)
    assert not was_asked(history, 0.5, 3.0)
    assert not was_asked(History(0.01, now_s=2.0, service=Service("tcp:80")), 0.5, 1.5)


def test_reasons_are_named_once_the_most_frequent_first() -> None:
    reasons = ("refused", "no answer", "no answer", "HTTP 503")
    tries = tuple(Try(float(index), failure=reason) for index, reason in enumerate(reasons))
    history = History(0.01, service=Service("http://web/"), tries=tries)
    assert failures(history, 0.0, 9.0) == ("no answer", "refused", "HTTP 503")
    assert failures(history, 3.0, 9.0) == ("HTTP 503",)


@pytest.mark.parametrize(
    ("dark", "max_outage_s", "said"),
    [
        ([], 0.01, None),
        ([(2.0, 2.5)], None, None),
        ([(2.0, 2.5)], 0.6, None),
        ([(2.0, 2.5)], 0.4, "tcp:80 answered nobody for 0.500 s, over the 0.4 s that were asked for"),
        ([(5.5, 9.0)], None, "tcp:80 does not answer: no answer"),
    ],
)
def test_what_is_wrong_with_the_service_is_said(
    dark: list[tuple[float, float]], max_outage_s: float | None, said: str | None
) -> None:
    assert complaint(asked(dark), 1.0, 6.0, max_outage_s) == said


def test_what_could_not_be_asked_is_no_ones_fault() -> None:
    history = History(0.01, now_s=6.0, service=Service("http://web/", 80), notes=("no Python",))
    assert complaint(history, 1.0, 6.0, 0.1) is None
    assert is_well(history)
    assert service_outage_s(history, 1.0, 6.0) is None
    assert flow_without_s(history, 1.0, 6.0) is None


def test_an_observer_that_was_lost_knows_no_figures() -> None:
    assert service_outage_s(asked([]), 1.0, 5.0) == 0.0
    assert service_outage_s(replace(asked([]), lost="gone"), 1.0, 5.0) is None
    assert flow_without_s(held(), 1.0, 4.0) == 0.0
    assert flow_without_s(replace(held(), lost="gone"), 1.0, 4.0) is None


def test_a_service_is_well_once_it_was_asked_since() -> None:
    history = asked([(2.0, 3.0)], length_s=4.0)
    assert is_well(history, 3.0)
    assert not is_well(history, 3.95)
    assert not is_well(asked([(2.0, 4.0)], length_s=4.0))


def test_a_held_connection_is_given_the_time_to_notice() -> None:
    history = held(FlowEvent(2.1, "broken", "reset", 1.6), FlowEvent(2.2, "open"))
    assert is_well(history, 3.0)
    assert not is_well(history, 4.5), "until 5.0 a keepalive may not have asked"
    assert not is_well(held(FlowEvent(2.1, "broken", "reset", 1.6)), 3.0)
    assert complaint(history, 1.0, 5.0) is None
    said = complaint(held(FlowEvent(2.1, "broken", "reset", 1.6)), 1.0, 5.0)
    assert said == "no connection to tcp:22 can be held: reset"


def held(*events: FlowEvent, dark: tuple[float, float] = (9.0, 9.0), moved_s: float = 9.0) -> History:
    times = [index * 0.01 for index in range(500)]
    echoes = tuple(
        Echo(at) if dark[0] <= at < dark[1] else Echo(at, at + 0.001, OLD if at < moved_s else NEW) for at in times
    )
    return History(0.01, echoes, now_s=5.0, service=Service(None, 22), flow=(FlowEvent(0.0, "open"), *events))


def test_a_reset_after_a_takeover_is_counted_from_the_last_answer_of_the_old_node() -> None:
    history = held(FlowEvent(2.1, "broken", "reset", 1.6), FlowEvent(2.101, "open"), dark=(1.995, 2.025), moved_s=2.0)
    (loss,) = flow_losses(history, 1.0, 3.0)
    assert loss == FlowLoss(loss.heard_s, "reset", 2.1, 2.101)
    assert loss.heard_s == pytest.approx(1.99)
    assert loss.without_s == pytest.approx(0.111)


def test_a_move_without_a_lost_echo_is_seen_by_who_answers() -> None:
    (loss,) = flow_losses(held(FlowEvent(2.1, "broken", "reset", 1.6), moved_s=2.0), 1.0, 3.0)
    assert loss.heard_s == pytest.approx(1.99)
    assert loss.whole_s is None
    assert loss.without_s is None


def test_a_connection_that_the_service_ends_was_well_until_then() -> None:
    (loss,) = flow_losses(held(FlowEvent(2.1, "broken", "closed by the service", 1.6)), 1.0, 3.0)
    assert loss.heard_s == 2.1


def test_a_stall_that_only_the_connection_sees_is_counted_from_its_last_sign_of_life() -> None:
    history = held(FlowEvent(2.5, "stalled", "", 1.6), FlowEvent(3.0, "open"))
    (loss,) = flow_losses(history, 1.0, 4.0)
    assert loss == FlowLoss(1.6, "stalled", None, 3.0)


def test_a_stall_that_ends_in_a_reset_is_one_loss() -> None:
    history = held(
        FlowEvent(2.5, "stalled", "", 1.6), FlowEvent(3.2, "broken", "reset", 1.6), FlowEvent(3.21, "open"),
        dark=(1.7, 3.1), moved_s=3.0,
    )  # fmt: skip
    (loss,) = flow_losses(history, 1.0, 4.0)
    assert loss == FlowLoss(loss.heard_s, "reset", 3.2, 3.21)
    assert loss.heard_s == pytest.approx(1.69)


def test_only_losses_of_the_time_that_is_asked_for_are_returned() -> None:
    history = held(
        FlowEvent(1.0, "broken", "reset", 0.9), FlowEvent(1.1, "open"),
        FlowEvent(3.0, "broken", "reset", 2.9), FlowEvent(3.5, "open"),
    )  # fmt: skip
    assert [loss.broken_s for loss in flow_losses(history, 0.0, 5.0)] == [1.0, 3.0]
    assert [loss.broken_s for loss in flow_losses(history, 2.0, 5.0)] == [3.0]
    assert flow_losses(history, 1.5, 2.5) == ()


def test_a_connection_that_never_was_is_a_loss_without_a_length() -> None:
    history = History(0.01, flow=(FlowEvent(1.0, "broken", "refused"),))
    (loss,) = flow_losses(history, 2.0, 3.0)
    assert loss == FlowLoss(None, "refused", 1.0, None)
    assert loss.without_s is None


def test_the_worst_loss_is_the_one_that_is_not_over_or_the_longest() -> None:
    short, long, never = FlowLoss(1.0, "reset", 1.0, 1.1), FlowLoss(2.0, "reset", 2.0, 4.0), FlowLoss(5.0, "reset")
    assert longest([short, long]) == long
    assert longest([short, never, long]) == never
    assert longest([]) is None
