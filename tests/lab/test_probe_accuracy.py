"""The prober against outages of known length, and against clients' caches, in namespaces of its own."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from haos.adapters import prober
from haos.adapters.probe_report import ProgramReport
from haos.adapters.probe_run import RemoteProbe
from haos.adapters.prober import RemoteObserver
from haos.core.outage import achieved_interval_s, blind_s, dual_answers, responders, slowest_answer_s, worst_outage
from haos.core.probe import History
from tests.lab.probe_net import VIP, VIP6, ProbeNet, can_make_namespaces

pytestmark = pytest.mark.lab

ROUNDS = 10
INTERVAL_S = 0.01
ALLOWED_S = INTERVAL_S + 0.005
TIMEOUT_S = 10.0
ADDRESS = ipaddress.ip_address(VIP)


@pytest.fixture
def net() -> Iterator[ProbeNet]:
    reason = can_make_namespaces()
    if reason:
        pytest.skip(reason)
    with ProbeNet(nodes=2) as net:
        net.hold(1)
        net.await_answer()
        yield net


@pytest.fixture
def probe(net: ProbeNet) -> Iterator[RemoteProbe]:
    probe = RemoteObserver(net.door()).start_probe(ADDRESS, interval_s=INTERVAL_S)
    assert probe.wait(steady, TIMEOUT_S)
    yield probe
    probe.stop()


def steady(history: History) -> bool:
    """Say whether the last echoes were answered; the very last may be under way."""
    tail = history.echoes[-25:-5]
    return len(tail) == 20 and all(echo.answered_s is not None for echo in tail)


def steady_after(since_s: float) -> Callable[[History], bool]:
    return lambda history: steady(history) and history.echoes[-25].sent_s > since_s


@pytest.mark.parametrize("length_s", [0.055, 0.423, 1.707])
def test_a_known_outage_is_reported_within_one_interval_and_5_ms(
    net: ProbeNet, probe: RemoteProbe, length_s: float
) -> None:
    errors: list[float] = []
    for number in range(ROUNDS):
        began_s, ended_s = net.cut(1, length_s, phase_s=number * INTERVAL_S / ROUNDS)
        assert probe.wait(steady_after(ended_s), TIMEOUT_S)
        history = probe.history()
        outage = worst_outage(history, began_s - 0.05, history.now_s)
        assert outage is not None, f"an outage of {ended_s - began_s} s went unseen"
        errors.append(outage.outage_s - (ended_s - began_s))
    good = [error for error in errors if abs(error) <= ALLOWED_S]
    assert len(good) >= ROUNDS - 1, f"errors in ms: {[round(1000 * error, 1) for error in errors]}"


def test_an_undisturbed_run_shows_no_outage_an_even_interval_and_who_answers(
    net: ProbeNet, probe: RemoteProbe
) -> None:
    since_s = probe.history().now_s
    assert probe.wait(lambda history: history.now_s > since_s + 2.0, TIMEOUT_S)
    history = probe.stop()
    assert history.lost is None
    assert history.method == "icmp-raw+arp"
    assert worst_outage(history, since_s, history.now_s) is None
    assert achieved_interval_s(history) == pytest.approx(INTERVAL_S, rel=0.02)
    steps = (history.echoes[-1].sent_s - history.echoes[0].sent_s) / INTERVAL_S
    assert steps == pytest.approx(round(steps), abs=0.5), "absolute deadlines do not drift"
    assert blind_s(history, since_s, history.now_s) < 0.1
    assert (slowest_answer_s(history, since_s, history.now_s) or 1.0) < 0.1
    assert [mac for _, mac in responders(history, 0.0, history.now_s)] == [net.mac(1)]
    asks = [ask for ask in history.asks if ask.sent_s > since_s and ask.sent_s < history.now_s - 0.1]
    assert 15 <= len(asks) <= 21
    assert all(ask.answers == (net.mac(1),) for ask in asks)


def test_two_nodes_that_hold_the_vip_at_once_are_seen(net: ProbeNet, probe: RemoteProbe) -> None:
    net.hold(2)
    since_s = time.monotonic()
    assert probe.wait(lambda history: bool(dual_answers(history, since_s, history.now_s)), TIMEOUT_S)
    ask = dual_answers(probe.history(), since_s, probe.history().now_s)[0]
    assert set(ask.answers) == {net.mac(1), net.mac(2)}


def test_asking_does_not_heal_the_client_that_is_measured(net: ProbeNet, probe: RemoteProbe) -> None:
    """A VIP that moves silently is dark to who knew it: no answer to a question of ours may change that."""
    net.drop(1)
    net.hold(2)
    moved_s = time.monotonic()
    assert probe.wait(lambda history: history.now_s > moved_s + 1.5, TIMEOUT_S)
    history = probe.history()
    outage = worst_outage(history, moved_s - 0.5, history.now_s)
    assert outage is not None
    assert outage.open
    assert outage.outage_s > 1.4
    assert net.mac(1) in net.observer.do(f"ip neigh show {VIP}")
    net.nodes[2].do(f"arping -U -c 1 -I ens3 {VIP}")
    assert probe.wait(steady_after(moved_s), TIMEOUT_S)
    assert responders(probe.history(), moved_s, time.monotonic())[-1][1] == net.mac(2)


def started(net: ProbeNet, *arguments: str, vip: str = VIP) -> tuple[subprocess.Popen[bytes], RemoteProbe]:
    """Start the program with arguments that override the usual ones."""
    usual = prober.arguments(ipaddress.ip_address(vip), INTERVAL_S, 60.0)
    report = ProgramReport(INTERVAL_S, time.monotonic())
    process = net.door().spawn([sys.executable, "-c", prober.BOOTSTRAP])
    probe = RemoteProbe(process, report)
    prober.feed(process, [*usual, *arguments])
    assert probe.await_start(TIMEOUT_S) is None
    return process, probe


def test_after_a_long_darkness_it_asks_again(net: ProbeNet) -> None:
    _, probe = started(net, "dark=0.5")
    assert probe.wait(steady, TIMEOUT_S)
    net.drop(1)
    net.hold(2)
    moved_s = time.monotonic()
    assert probe.wait(lambda history: any(net.mac(2) in ask.answers for ask in history.asks[-5:]), TIMEOUT_S)
    first = next(ask for ask in probe.stop().asks if net.mac(2) in ask.answers)
    assert first.sent_s > moved_s + 0.3


def test_ipv6_is_probed_and_solicited(net: ProbeNet) -> None:
    net.await_answer(VIP6)
    probe = RemoteObserver(net.door()).start_probe(ipaddress.ip_address(VIP6), interval_s=INTERVAL_S)
    assert probe.wait(lambda history: steady(history) and len(history.asks) > 3, TIMEOUT_S)
    began_s, ended_s = net.cut(1, 0.2)
    assert probe.wait(steady_after(ended_s), TIMEOUT_S)
    history = probe.stop()
    assert history.method == "icmp-raw+nd"
    assert {mac for _, mac in responders(history, 0.0, history.now_s)} == {net.mac(1)}
    assert any(ask.answers == (net.mac(1),) for ask in history.asks)
    outage = worst_outage(history, began_s - 0.05, history.now_s)
    assert outage is not None
    assert abs(outage.outage_s - (ended_s - began_s)) <= ALLOWED_S


def test_without_root_it_uses_datagram_sockets_and_the_neighbour_table(net: ProbeNet) -> None:
    allow = [*net.observer.enter, "sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 0"]
    subprocess.run(allow, check=True)
    observer = RemoteObserver(net.door(root=False))
    probe = observer.start_probe(ADDRESS, interval_s=INTERVAL_S)
    assert probe.wait(steady, TIMEOUT_S)
    history = probe.stop()
    assert history.method == "icmp-dgram"
    assert {mac for _, mac in responders(history, 0.0, history.now_s)} == {net.mac(1)}
    assert not history.asks


def test_without_python_it_uses_ping(net: ProbeNet) -> None:
    probe = RemoteObserver(net.door(python=None)).start_probe(ADDRESS, interval_s=INTERVAL_S)
    assert probe.wait(steady, TIMEOUT_S)
    probe.mark("cut")
    began_s, ended_s = net.cut(1, 0.423)
    count = len(probe.history().echoes)
    assert probe.wait(lambda history: steady(history) and len(history.echoes) > count + 40, TIMEOUT_S)
    history = probe.stop()
    assert history.lost is None
    assert history.method == "ping"
    outage = worst_outage(history, history.mark("cut").at_s - 0.1, history.now_s)
    assert outage is not None
    assert abs(outage.outage_s - (ended_s - began_s)) <= 2 * outage.achieved_interval_s + 0.005


@pytest.mark.parametrize("python", [True, False])
def test_it_ends_on_the_observer_when_haos_is_gone(net: ProbeNet, python: bool) -> None:
    door = net.door(python=sys.executable if python else None)
    probe = RemoteObserver(door).start_probe(ADDRESS, interval_s=INTERVAL_S)
    process = door.spawned[-1]
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(TIMEOUT_S) is not None
    assert not probe.wait(lambda history: False, TIMEOUT_S)
    assert probe.stop().lost is not None


@pytest.mark.parametrize(
    ("argument", "reason"), [("limit=0.5", "the probe reached its time limit"), ("silence=0.5", "silence")]
)
def test_it_ends_by_itself_when_its_time_is_over_or_haos_says_nothing(
    net: ProbeNet, argument: str, reason: str
) -> None:
    process, probe = started(net, argument)
    assert process.wait(TIMEOUT_S) is not None
    assert reason in (probe.stop().lost or "")
