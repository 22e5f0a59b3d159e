"""The main job on a real cloud, with two hypervisors: create, look, fail over, move, create again, tear down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.openstack.running import Person, Run, create, differences, name_of, on, state
from tests.openstack.site import Site

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600)]

FAULTS = ("withdraw", "stop", "kill", "partition", "port-down")


@dataclass(frozen=True)
class Made:
    site: Site
    person: Person
    nodes: tuple[str, str]
    created: Run
    before: object

    @property
    def pair(self) -> str:
        return name_of(self.nodes)


@pytest.fixture(scope="module")
def made(site: Site, person: Person, apart: tuple[str, str]) -> Iterator[Made]:
    """A pair, made once for the tests of this file; every one leaves it as it found it."""
    before = state(site, *apart)
    created = person.haos(*create(site, apart))
    yield Made(site, person, apart, created, before)
    person.haos("teardown", name_of(apart), "--purge", code=None)  # the last test has, if it was reached


def test_auto_ends_in_garp_and_the_trial_passes(made: Made) -> None:
    assert "mode garp" in made.created.stdout
    assert len(re.findall(r"-> \w+: .*  PASS", made.created.stdout)) == 2
    assert made.site.servers[made.nodes[0]].mac in made.created.stdout


def test_the_vip_lies_outside_the_pool_and_answers_the_observer(made: Made) -> None:
    vip = made.created.vip
    assert 2 <= int(vip.rpartition(".")[2]) <= 31
    assert " 0% packet loss" in on(made.site, "observer", f"ping -c 3 -i 0.2 {vip}")


def test_create_takes_at_most_24_requests(made: Made) -> None:
    assert len(made.created.requests) <= 24, "\n".join(made.created.requests)


def test_create_again_changes_nothing_with_at_most_12_requests(made: Made) -> None:
    before = state(made.site, *made.nodes)
    again = made.person.haos(*create(made.site, made.nodes))
    assert "Nothing to change." in again.stdout
    assert len(again.requests) <= 12, "\n".join(again.requests)
    assert [one for one in again.requests if not one.startswith("GET")] == ["POST /v3/auth/tokens"]
    assert differences(before, state(made.site, *made.nodes)) == []


def test_status_is_healthy(made: Made) -> None:
    shown = made.person.haos("status", made.pair).stdout
    assert ": healthy" in shown
    assert re.search(rf"{made.nodes[0]}\s*\|\s*Active\s*\|\s*yes", shown)
    assert re.search(rf"{made.nodes[1]}\s*\|\s*Backup\s*\|\s*no", shown)


def test_every_fault_is_survived_within_the_bound_that_was_predicted(made: Made) -> None:
    before = state(made.site, *made.nodes)
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    tested = made.person.haos("failover-test", made.pair, *faults, "-f", "json")
    report = json.loads(tested.stdout)
    there, back = made.nodes, made.nodes[::-1]
    moves = [(leg["fault"], leg["from"], leg["to"]) for leg in report["legs"]]
    assert moves == [(fault, *way) for fault in FAULTS for way in (there, back)]
    for leg in report["legs"]:
        assert leg["verdict"] == "PASS", leg["reason"]
        assert not leg["open"]
    # What was set down and up again in Neutron has its state again, too.
    assert differences(before, state(made.site, *made.nodes)) == []


def test_the_vip_is_moved_for_planned_work_and_back(made: Made) -> None:
    for argv, to in (((), made.nodes[1]), (("--back",), made.nodes[0])):
        seen = json.loads(made.person.haos("switchover", made.pair, *argv, "-f", "json").stdout)
        assert (seen["To"], seen["Verdict"]) == (to, "PASS"), seen


def test_teardown_leaves_nothing(made: Made) -> None:
    made.person.haos("teardown", made.pair, "--purge")
    assert differences(made.before, state(made.site, *made.nodes)) == []
