"""The failover test on real instances: every fault, what is left after it, and what happens when something dies."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from haos.workflow.faults import FAULTS
from tests.lab.main_job import CREATE, NODES, begun, eventually, haos, neutron_state, node_state, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(480)]

SPLITS = [name for name, fault in FAULTS.items() if fault.splits]
HEALED_S = 45.0
"""The node's own timer is announced within 30 s where the preempt delay is 1 s; a loaded machine is slower."""


@pytest.fixture(scope="module")
def pair_lab(own_lab: str) -> Iterator[str]:
    """A lab with a pair that comes back after 1 s and has a service check."""
    haos(own_lab, *CREATE, "--preempt-delay", "1", "--check", "true", "--no-verify")
    yield own_lab
    haos(own_lab, "teardown", "--purge", code=None)


def state(lab: str) -> object:
    """Return all that a failover test could leave behind."""
    network = "ip route; ip -6 route | grep -v expires; sudo tc qdisc show; sudo nft list ruleset"
    more = f"{network}; systemctl list-units --all 'haos*' --no-legend"
    return neutron_state(lab), [(node_state(lab, node), on(lab, node, more)) for node in NODES]


def settled(lab: str) -> bool:
    return haos(lab, "status", code=None).returncode == 0


def hangs(lab: str) -> bool:
    look = "grep '^State:.T' /proc/$(systemctl show -p MainPID --value keepalived)/status"
    return "stopped" in on(lab, NODES[0], look, ok=False)


def report_of(ended: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(ended.stdout)


def test_every_fault_is_measured_and_nothing_is_left(pair_lab: str) -> None:
    assert eventually(lambda: settled(pair_lab), 30)
    before = state(pair_lab)
    ended = haos(pair_lab, "failover-test", "--fault", "all", "--max-dual-active", "60s", "-f", "json", timeout_s=420)
    report = report_of(ended)
    assert report["verdict"] == "PASS", report["reason"]
    legs = {leg["fault"]: leg for leg in report["legs"] if leg["leg"] != "failback"}
    assert list(legs) == list(FAULTS)
    for name, leg in legs.items():
        assert (leg["from"], leg["to"]) == NODES, name
        if name in SPLITS:
            assert leg["dual_answers_s"] > 0.5, name
    assert settled(pair_lab)
    assert state(pair_lab) == before


def test_a_split_fails_unless_it_is_asked_to_be_borne(pair_lab: str) -> None:
    ended = haos(pair_lab, "failover-test", "--fault", "hang", code=4)
    assert "two nodes answered for the VIP at once" in ended.stdout
    assert settled(pair_lab)


def test_an_observer_that_dies_makes_it_unknown_and_the_node_is_restored(pair_lab: str) -> None:
    with begun(pair_lab, "failover-test", "--fault", "hang", "--fault", "withdraw") as run:
        assert eventually(lambda: hangs(pair_lab), 60)
        on(pair_lab, "observer", "sudo pkill -KILL -f '^sshd: .*@notty'", ok=False)
        out, err = run.communicate(timeout=120)
    assert run.returncode == 4, err
    assert "UNKNOWN" in out
    assert "the observer was lost" in out
    assert eventually(lambda: settled(pair_lab), 30)


def test_haos_killed_in_the_middle_leaves_it_to_the_nodes_timer(pair_lab: str) -> None:
    before = state(pair_lab)
    with begun(pair_lab, "failover-test", "--fault", "hang") as run:
        assert eventually(lambda: hangs(pair_lab), 60)
        run.kill()
    assert hangs(pair_lab)
    assert eventually(lambda: not hangs(pair_lab), HEALED_S)
    assert eventually(lambda: settled(pair_lab), 30)
    haos(pair_lab, "failover-test", "--restore")
    assert state(pair_lab) == before


def test_a_signal_ends_the_fault_before_haos_ends(pair_lab: str) -> None:
    before = state(pair_lab)
    with begun(pair_lab, "failover-test", "--fault", "hang", "--rounds", "3") as run:  # it is not over too soon
        assert eventually(lambda: hangs(pair_lab), 60)
        run.send_signal(signal.SIGHUP)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert not hangs(pair_lab)
    assert eventually(lambda: settled(pair_lab), 30)
    assert state(pair_lab) == before
