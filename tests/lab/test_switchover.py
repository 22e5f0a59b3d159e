"""A planned move on real instances: there and back, killed half-way, and with --nopreempt."""

from __future__ import annotations

import json
import re

import pytest

from tests.lab.main_job import CREATE, NODES, begun, haos, neutron_state, node_state, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
PAIR = "ha_first-ha_second"


def switched(lab: str, *argv: str) -> str:
    """Move the VIP and return where to; what is lost lies within what was promised, and nothing is left behind."""
    seen = json.loads(haos(lab, "switchover", *argv, "-f", "json").stdout)
    assert seen["Verdict"] == "PASS", seen
    assert seen["Lost Probes"] <= 2, seen  # none on a machine that has nothing else to do: bench.switchover
    for node in NODES:
        left = on(lab, node, "sudo ls -A /etc/keepalived/haos.d; ls -A /run/haos 2>/dev/null || true").split()
        assert set(left) == {f"{PAIR}.conf", "release-vips", ".unit-was"}, left
    return str(seen["To"])


def killed(lab: str, step: str) -> None:
    """Begin a switchover, and kill haos as soon as a step is done."""
    with begun(lab, "switchover") as process:
        assert process.stderr is not None
        assert any(step in line for line in process.stderr)
        process.kill()


def test_there_and_back_killed_and_without_preemption(own_lab: str) -> None:
    for node in NODES:
        on(own_lab, node, "sudo apt-get update -qq && sudo apt-get install -y -qq keepalived >/dev/null 2>&1")
    before = neutron_state(own_lab), [node_state(own_lab, node) for node in NODES]
    haos(own_lab, *CREATE, "--preempt-delay", "1", "--no-verify")
    assert switched(own_lab) == "ha_second"
    haos(own_lab, "failover-test", "--fault", "withdraw")
    seen = haos(own_lab, "status").stdout
    assert re.search(r"ha_second +\| Active +\| yes +\| +240 ", seen), "it takes the VIP back"

    killed(own_lab, "ok raise ha_first")
    assert "a switchover was broken off, or is under way" in haos(own_lab, "status").stdout
    assert switched(own_lab, "--back") == "ha_first", "it goes on"

    haos(own_lab, *CREATE, "--nopreempt", "--no-verify")
    assert switched(own_lab) == "ha_second"
    haos(own_lab, "teardown")
    assert (neutron_state(own_lab), [node_state(own_lab, node) for node in NODES]) == before
