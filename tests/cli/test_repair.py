"""What `haos repair` prints: the plan, what cannot be repaired, the result; for people and for programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from haos.core.model import InstanceAction
from tests.cli.conftest import Haos
from tests.fakes import FakeCloud, World, change_port, port_of
from tests.workflow.test_status import nodes

PAIR = "ha_first-ha_second"


@pytest.fixture
def drifted(world: World, haos: Haos) -> World:
    """A pair whose Backup has lost its address pair and whose keepalived would not start at boot."""
    assert haos("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second").code == 0
    _, second = nodes(world)
    change_port(world, second, pairs=())
    second.enabled = False
    return world


PLAN = f"""\
Pair {PAIR}: VIP 10.200.51.2 on ha_lab
! ha_second: its port lacks the address pair 10.200.51.2
! ha_second: keepalived would not start when the node boots
  ~ port           ha_second: + address pair 10.200.51.2
  ~ service        ha_second: keepalived enabled and reloaded
Plan: 0 to add, 2 to change, 0 to remove.
"""


def test_a_drift_is_shown_mended_and_seen_to_be_over(haos: Haos, drifted: World) -> None:
    ended = haos("repair", "-q")
    assert ended.code == 0
    assert ended.out == PLAN + (
        f"Pair {PAIR} is as its record says; 2 changes made. VIP 10.200.51.2 answers from ha_first.\n"
    )
    again = haos("repair", PAIR, "-q")
    assert again.code == 0
    assert again.out == (
        f"Pair {PAIR}: VIP 10.200.51.2 on ha_lab\n"
        "Nothing to repair.\n"
        f"Pair {PAIR} is as its record says; nothing had to be repaired. VIP 10.200.51.2 answers from ha_first.\n"
    )


def test_dry_run_changes_nothing(haos: Haos, drifted: World) -> None:
    before = drifted.snapshot()
    ended = haos("repair", "--dry-run", "-q")
    assert (ended.code, ended.out) == (0, PLAN)
    assert haos("repair", "--dry-run", "--exit-code", "-q").code == 3
    assert drifted.snapshot() == before
    wide = haos("repair", "--dry-run", "-v", "-q").out
    assert f"PUT /v2.0/ports/{port_of(drifted, nodes(drifted)[1]).id}" in wide


def test_what_cannot_be_repaired_comes_last_with_the_command_that_helps(haos: Haos, drifted: World) -> None:
    first, second = nodes(drifted)
    FakeCloud(drifted).instance_action(first.instance.id, InstanceAction.STOP)
    ended = haos("repair", "-q")
    assert ended.code == 5
    beyond = (
        "Not for haos to repair:\n"
        "! ha_first: its instance is SHUTOFF\n"
        f"    openstack server start {first.instance.id}\n"
    )
    assert ended.out.endswith(beyond + "FAIL: ha_first: its instance is SHUTOFF; 2 changes made.\n")
    assert ended.out.count(beyond) == 2, "before and after"
    assert second.enabled


def test_programs_get_one_object(haos: Haos, drifted: World) -> None:
    ended = haos("repair", "-f", "json")
    assert ended.code == 0
    found = json.loads(ended.out)
    assert found["Repaired"] == [
        "~ port ha_second: + address pair 10.200.51.2",
        "~ service ha_second: keepalived enabled and reloaded",
    ]
    rest = {key: value for key, value in found.items() if key != "Repaired"}
    assert rest == {"Pair": PAIR, "VIP": "10.200.51.2", "Failed": [], "Not Repaired": [], "Healthy": True,
                    "Active": "ha_first", "Verdict": "PASS", "Reason": None}  # fmt: skip
    assert "Plan: 0 to add" in ended.err, "the plan is for people"
    assert haos("repair", "-f", "value", "-c", "Healthy", "-q").out == "True\n"


def test_by_hand(haos: Haos, drifted: World) -> None:
    before = drifted.snapshot()
    _, second = nodes(drifted)
    second.weights[PAIR] = 14
    drifted.rebuilt[nodes(drifted)[0].instance.id] = ("ED25519 SHA256:new",)
    ended = haos("repair", "--explain")
    port = port_of(drifted, second)
    assert ended.code == 0
    assert "openstack console log show" in ended.out
    assert (
        f"openstack port set --allowed-address ip-address=10.200.51.2,mac-address={second.mac} {port.id}" in ended.out
    )
    assert f"rm -f /etc/keepalived/haos.d/{PAIR}.weight" in ended.out
    second.weights.clear()
    assert drifted.snapshot() == before


def test_a_rebuilt_node_is_named_with_its_fingerprint(haos: Haos, drifted: World) -> None:
    _, second = nodes(drifted)
    second.files.clear()
    second.running.clear()
    second.package, second.daemon = None, False
    drifted.rebuilt[second.instance.id] = ("ED25519 SHA256:new",)
    ended = haos("repair", "-q")
    assert ended.code == 0, ended.err
    first, _, then = ended.out.partition("Then the pair is looked at again.\n")
    assert first.index("+ address pair") < first.index("~ host key"), "a node that comes back may speak at once"
    assert (
        "  ~ host key       ha_second: ED25519 SHA256:new, which its console log shows, in haos's own cache\n"
        in first
    )
    assert "+ package        ha_second: keepalived" in then


@pytest.mark.parametrize("wrong", [("--exit-code",), ("--no-verify", "--verify-failover")])
def test_options_that_contradict(haos: Haos, wrong: tuple[str, ...]) -> None:
    assert haos("repair", *wrong).code == 2


def test_a_step_that_fails_is_listed(haos: Haos, drifted: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from haos.errors import RemoteError

    def strike(_: int, name: str, when: str) -> None:
        if name == "activate ha_second":
            raise RemoteError("systemd does not answer", hint="log in to it by hand")

    drifted.effects.strike = strike
    ended = haos("repair", "-q")
    assert ended.code == 6
    assert (
        "! not done: ha_second: keepalived enabled and reloaded\n"
        "    systemd does not answer\n    log in to it by hand\n" in ended.out
    )
    found = json.loads(haos("repair", "-q", "-f", "json").out)
    assert found["Failed"] == [
        {"step": "~ service ha_second: keepalived enabled and reloaded", "reason": "systemd does not answer"}
    ]


def test_nothing_but_its_own_is_touched_without_a_pair(haos: Haos) -> None:
    ended = haos("repair", "web")
    assert ended.code == 1
    assert "no pair named 'web'" in ended.err


def test_a_finding_on_a_node_keeps_haos_off_it(haos: Haos, drifted: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fakes import FakeNode

    facts = FakeNode.facts

    def full(self: FakeNode, mac: str) -> object:
        return replace(facts(self, mac), free_mb=1) if self.instance.name == "ha_second" else facts(self, mac)

    monkeypatch.setattr(FakeNode, "facts", full)
    ended = haos("repair", "-q")
    assert ended.code == 5
    assert "! ha_second: ha_second has 1 MB left where /etc lies" in ended.out
    assert not nodes(drifted)[1].enabled


@pytest.mark.parametrize("words", [("repair",), ("switchover",), ("failover-test", "--fault", "stop")])
def test_a_column_that_nobody_has_is_refused_before_anything_is_done(
    haos: Haos, drifted: World, words: tuple[str, ...]
) -> None:
    before = drifted.snapshot()
    ended = haos(*words, "-f", "json", "-c", "Colour")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("haos: no such column: Colour\n")
    assert drifted.snapshot() == before
