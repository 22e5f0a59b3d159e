"""The service behind the VIP and a connection held open, as the observer's program sees them when the VIP moves."""

from __future__ import annotations

import ipaddress
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from haos.adapters.probe_run import RemoteProbe
from haos.adapters.prober import RemoteObserver
from haos.core.outage import achieved_interval_s, blind_s, worst_outage
from haos.core.probe import History, Service
from haos.core.service_probe import failures, flow_losses, is_serving, service_outage, was_asked
from tests.lab.probe_net import PORT, VIP, ProbeNet, can_make_namespaces

pytestmark = pytest.mark.lab

INTERVAL_S = 0.01
TIMEOUT_S = 10.0
ADDRESS = ipaddress.ip_address(VIP)


@pytest.fixture
def net() -> Iterator[ProbeNet]:
    reason = can_make_namespaces()
    if reason:
        pytest.skip(reason)
    with ProbeNet(nodes=2) as net:
        for number in net.nodes:
            net.serve(number)
        net.hold(1)
        net.await_answer()
        yield net


def start(net: ProbeNet, probe: str, *, root: bool = True) -> RemoteProbe:
    service = Service(probe, PORT)
    running = RemoteObserver(net.door(root=root)).start_probe(ADDRESS, interval_s=INTERVAL_S, service=service)
    assert running.wait(lambda history: is_serving(history) and has_flow(history), TIMEOUT_S)
    return running


def has_flow(history: History) -> bool:
    return bool(history.flow) and history.flow[-1].what == "open"


def well_after(since_s: float) -> Callable[[History], bool]:
    """Return a condition: since then everything has been well long enough for any trouble to be seen."""
    return lambda history: is_serving(history) and has_flow(history) and history.now_s > since_s + 1.0


@pytest.mark.parametrize("probe", [f"tcp:{PORT}", f"http://web.example.org:{PORT}/"])
def test_a_move_resets_the_held_connection_and_hardly_shows_to_new_clients(net: ProbeNet, probe: str) -> None:
    running = start(net, probe)
    since_s = running.history().now_s
    net.drop(1)
    net.hold(2)
    net.nodes[2].do(f"arping -U -c 1 -I ens3 {VIP}")
    assert running.wait(well_after(time.monotonic()), TIMEOUT_S)
    history = running.stop()
    assert history.service == Service(probe, PORT)
    assert history.notes == ()
    echoes = worst_outage(history, since_s, history.now_s)
    dark_s = echoes.raw_gap_s if echoes else 0.0
    outage = service_outage(history, since_s, history.now_s)
    assert outage is None or outage.outage_s < 1.0
    (loss,) = flow_losses(history, since_s, history.now_s)
    assert loss.why == "reset"
    assert loss.without_s is not None
    assert dark_s - INTERVAL_S <= loss.without_s <= dark_s + 0.3, "noticed within a nudge or two"


def test_a_darkness_is_measured_for_new_clients_and_stalls_the_held_connection(net: ProbeNet) -> None:
    running = start(net, f"tcp:{PORT}")
    began_s, ended_s = net.cut(1, 1.3)
    assert running.wait(well_after(ended_s), TIMEOUT_S)
    history = running.stop()
    outage = service_outage(history, began_s - 0.1, ended_s + 0.5)
    assert outage is not None
    assert abs(outage.outage_s - (ended_s - began_s)) <= 2 * outage.achieved_interval_s
    assert failures(history, began_s, ended_s) == ("no answer",)
    (loss,) = flow_losses(history, began_s - 0.1, ended_s + 0.5)
    assert (loss.why, loss.broken_s) == ("stalled", None)
    assert loss.without_s is not None
    assert ended_s - began_s - 2 * INTERVAL_S <= loss.without_s <= ended_s - began_s + 0.6


def test_asking_the_service_leaves_the_echoes_alone(net: ProbeNet) -> None:
    running = start(net, f"tcp:{PORT}")
    errors = []
    for number in range(5):
        began_s, ended_s = net.cut(1, 0.055, phase_s=number * INTERVAL_S / 5)
        assert running.wait(well_after(ended_s), TIMEOUT_S)
        history = running.history()
        outage = worst_outage(history, began_s - 0.05, history.now_s)
        assert outage is not None
        errors.append(abs(outage.outage_s - (ended_s - began_s)))
    assert sorted(errors)[-2] <= INTERVAL_S + 0.005
    history = running.stop()
    assert achieved_interval_s(history) == pytest.approx(INTERVAL_S, rel=0.02)
    assert blind_s(history, history.echoes[0].sent_s, history.now_s) < 0.1
    assert was_asked(history, history.echoes[0].sent_s, history.now_s)


def test_without_root_the_held_connection_is_kept_alive_by_tcp_alone(net: ProbeNet) -> None:
    allow = [*net.observer.enter, "sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 0"]
    subprocess.run(allow, check=True)
    running = start(net, f"tcp:{PORT}", root=False)
    since_s = running.history().now_s
    assert running.wait(lambda history: history.now_s > since_s + 2.5, TIMEOUT_S)
    assert flow_losses(running.history(), since_s, since_s + 2.5) == (), "acknowledged once a second"
    net.drop(1)
    net.hold(2)
    net.nodes[2].do(f"arping -U -c 1 -I ens3 {VIP}")
    moved_s = time.monotonic()
    assert running.wait(well_after(moved_s + 1.0), TIMEOUT_S)
    history = running.stop()
    assert history.method == "icmp-dgram"
    (loss,) = flow_losses(history, since_s, history.now_s)
    assert loss.why == "reset"
    assert loss.broken_s is not None
    assert loss.broken_s < moved_s + 1.3


def test_an_observer_that_can_only_ping_measures_on_and_says_what_it_cannot(net: ProbeNet) -> None:
    observer = RemoteObserver(net.door(python=None))
    running = observer.start_probe(ADDRESS, interval_s=INTERVAL_S, service=Service(f"tcp:{PORT}"))
    assert running.wait(lambda history: len(history.echoes) > 5, TIMEOUT_S)
    history = running.stop()
    assert history.lost is None
    (note,) = history.notes
    assert "takes Python 3.6" in note
    assert not was_asked(history, history.echoes[0].sent_s, history.now_s)
