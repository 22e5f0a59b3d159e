"""`haos replace-node`: the whole of what it prints."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Haos
from tests.fakes import World, node
from tests.records import recorded
from tests.workflow.exchange import NEW, STATES, made, priorities, silent

PLAN = """\
Pair web: ha_new takes the place of ha_first, priority 240; VIP 10.200.51.2, VRID 1, mode garp
ha_new joins first, then ha_first leaves: there is a Backup all the time.
  ~ port           haos-vip-web: the record
  ~ security group haos-web: protocol 112 between 10.200.51.32 and 10.200.51.33 and 10.200.51.38, nothing else
  ~ port           ha_new: + address pair 10.200.51.2, + the security group
  ~ file           ha_second: /etc/keepalived/haos.d/web.conf
  ~ file           ha_first: /etc/keepalived/haos.d/web.conf
  ~ service        ha_first: keepalived reloaded
  ~ service        ha_second: keepalived reloaded
  + package        ha_new: keepalived
  + file           ha_new: /etc/keepalived/haos.d/release-vips
  + file           ha_new: /etc/systemd/system/keepalived.service.d/haos.conf
  + file           ha_new: /etc/keepalived/haos.d/web.conf
  + file           ha_new: /etc/keepalived/keepalived.conf
  ~ service        ha_new: keepalived enabled and started
  ~ VIP            ha_first hands it over to ha_new, raised by a weight and without a reload
  - file           ha_first: /etc/keepalived/haos.d/web.conf, and what all pairs share
  ~ service        ha_first: keepalived stopped
  ~ port           ha_first: - address pair 10.200.51.2, - the security group
  ~ weight         none again: every node counts as its priority says
  ~ port           haos-vip-web: the record
  ~ file           ha_second: /etc/keepalived/haos.d/web.conf
  ~ file           ha_new: /etc/keepalived/haos.d/web.conf
  ~ service        ha_new: keepalived reloaded
  ~ service        ha_second: keepalived reloaded
  ~ security group haos-web: protocol 112 between 10.200.51.38 and 10.200.51.33, nothing else
Plan: 5 to add, 18 to change, 1 to remove.
Predicted outage, at most:
  clean stop         0.030 s  (skew (256-230)/256 x 0.3 s)
  crash or partition 0.930 s  (3 x 0.3 s + skew (256-230)/256 x 0.3 s)
  failback           0.000 s  (the preferred node takes over only once it speaks)
"""
RESULT = """\
switchover ha_first -> ha_new: no probe lost  PASS
withdraw  ha_new -> ha_second: outage 0.020 s ± 0.010 s (bound 0.030 s + 0.1 s margin)  PASS
failback  ha_second -> ha_new: no probe lost (bound 0.020 s)  PASS
ha_new has taken the place of ha_first in pair web; VIP 10.200.51.2 answers from ha_new (fa:16:3e:00:00:26).
"""
FORCED = """\
Pair web: ha_new takes the place of ha_first, priority 240; VIP 10.200.51.2, VRID 1, mode garp
ha_first leaves first: ha_first is out of reach.
  ~ port           ha_first: - address pair 10.200.51.2, - the security group
  ~ port           haos-vip-web: the record
  ~ security group haos-web: protocol 112 between 10.200.51.32 and 10.200.51.33 and 10.200.51.38, nothing else
  ~ port           ha_new: + address pair 10.200.51.2, + the security group
  ~ file           ha_second: /etc/keepalived/haos.d/web.conf
  ~ service        ha_second: keepalived reloaded
  ~ security group haos-web: protocol 112 between 10.200.51.38 and 10.200.51.33, nothing else
  + package        ha_new: keepalived
  + file           ha_new: /etc/keepalived/haos.d/release-vips
  + file           ha_new: /etc/systemd/system/keepalived.service.d/haos.conf
  + file           ha_new: /etc/keepalived/haos.d/web.conf
  + file           ha_new: /etc/keepalived/keepalived.conf
  ~ service        ha_new: keepalived enabled and started
Plan: 5 to add, 8 to change, 0 to remove.
  ! ha_first does not answer on port 22; files of pair web, and keepalived if it runs, stay on ha_first
"""
EXCHANGE = ("replace-node", "web", "--old", "ha_first", "--new", NEW)


@pytest.fixture
def world() -> World:
    """A pair of two, and an instance that is none of it."""
    return made()


def test_it_says_what_it_does_and_how_it_ended_and_then_that_there_is_nothing_to_do(haos: Haos, world: World) -> None:
    ended = haos(*EXCHANGE)
    assert (ended.code, ended.out) == (0, PLAN + RESULT)
    assert list(priorities(world)) == [NEW, "ha_second"]
    again = haos(*EXCHANGE)
    assert again.code == 0
    assert again.out == (
        "Pair web: ha_new has its place; VIP 10.200.51.2, VRID 1, mode garp\n"
        "Nothing to change.\n"
        "ha_new has its place in pair web; VIP 10.200.51.2 answers from ha_new (fa:16:3e:00:00:26).\n"
    )


@pytest.mark.parametrize(("more", "code"), [((), 0), (("--exit-code",), 3)])
def test_a_dry_run_changes_nothing(haos: Haos, world: World, more: tuple[str, ...], code: int) -> None:
    ended = haos(*EXCHANGE, "--dry-run", *more)
    assert (ended.code, ended.out) == (code, PLAN)
    assert world.effects.names == []


def test_with_v_every_request_and_every_diff_is_shown(haos: Haos, world: World) -> None:
    ended = haos(*EXCHANGE, "--dry-run", "-v")
    reservation = recorded(world).reservation_id
    first, second = [line for line in ended.out.splitlines() if f"PUT /v2.0/ports/{reservation}" in line]
    assert first.endswith("If-Match: revision_number=2")
    assert second.endswith(reservation), "the revision after the first one is Neutron's to say"
    assert "+        10.200.51.38" in ended.out
    assert "-        10.200.51.32" in ended.out


@pytest.mark.parametrize("state", STATES)
def test_the_explanation_is_a_script_that_does_it_by_hand(haos: Haos, world: World, state: str) -> None:
    STATES[state](world)
    before = world.snapshot()
    old = recorded(world).members[0].port_id
    ended = haos("replace-node", "web", "--old", old, "--new", NEW, "--force", "--explain")
    lines = ended.out.splitlines()
    assert lines[0] == "#!/bin/sh"
    descriptions = [line for line in lines if line.startswith("openstack port set --description")]
    assert len(descriptions) == (2 if state in ("active", "backup") else 1)
    assert ("ssh 10.200.51.38 'echo 253 | sudo tee /etc/keepalived/haos.d/web.weight'" in lines) == (
        state == "active"
    )
    assert ("ssh 10.200.51.32 'sudo sh' <<'END'" in lines) == (state in ("active", "backup", "stopped"))
    assert world.snapshot() == before


def test_an_old_node_that_does_not_answer_is_refused_and_with_force_what_stays_on_it_is_said(
    haos: Haos, world: World
) -> None:
    silent(world)
    refused = haos(*EXCHANGE)
    assert refused.code == 1
    assert refused.err.splitlines()[-2:] == [
        "haos: ha_first does not answer on port 22; a keepalived there could still claim 10.200.51.2",
        "  hint: let it answer, or delete it; or --force leaves what is on it, and lists it",
    ]
    forced = haos(*EXCHANGE, "--force", "--no-verify")
    assert forced.code == 0
    assert forced.out.startswith(FORCED)
    assert forced.out.endswith(
        "  ! ha_first does not answer on port 22; files of pair web, and keepalived if it runs, stay on ha_first\n"
        "ha_new has taken the place of ha_first in pair web. Not verified, as you asked.\n"
    )


def test_a_pair_that_fails_its_proof_is_undone(haos: Haos, world: World) -> None:
    world.takeover_s = 2.0
    before = world.snapshot()
    ended = haos(*EXCHANGE)
    assert ended.code == 4
    assert ended.err.splitlines()[-2].endswith("; what this run changed was undone")
    assert ended.err.splitlines()[-1] == "  hint: haos status web"
    assert world.snapshot() == before


def test_nobody_observes_and_that_is_unknown_unless_it_is_wanted(haos: Haos, world: World) -> None:
    del world.instances[node(world, "observer").instance.id]
    ended = haos(*EXCHANGE)
    assert ended.code == 4
    assert "UNKNOWN: take-over seen by the nodes themselves; outage unknown, since nobody observed." in ended.out
    assert haos(*EXCHANGE, "--no-observer").code == 0


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--exit-code",), "--exit-code goes with --dry-run"),
        (("--observer", "x", "--no-observer"), "--observer and --no-observer contradict each other"),
    ],
)
def test_what_contradicts_itself_is_refused(haos: Haos, more: tuple[str, ...], reason: str) -> None:
    ended = haos(*EXCHANGE, *more)
    assert ended.code == 2
    assert reason in ended.err


def test_a_person_is_asked(haos: Haos, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("haos.cli.asking.on_terminal", lambda: True)
    monkeypatch.setattr("haos.cli.asking.ask", lambda _: False)
    refused = haos(*EXCHANGE)
    assert refused.code == 1
    assert "you said no; nothing was changed" in refused.err
    assert world.effects.names == []
    assert haos(*EXCHANGE, "--yes", "--no-verify").code == 0
