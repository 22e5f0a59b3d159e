"""The nodes on two hypervisors, where the tunnel lies between a virtual MAC and its port."""

from __future__ import annotations

import pytest

from tests.openstack.running import Person, create, differences, name_of, state
from tests.openstack.site import Site

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600), pytest.mark.usefixtures("equipped")]


def test_vmac_fails_between_two_hypervisors_and_is_undone(site: Site, person: Person, apart: tuple[str, str]) -> None:
    before = state(site, *apart)
    failed = person.haos(*create(site, apart, "--mode", "vmac"), code=4)
    assert "the pair was undone" in failed.stderr
    assert differences(before, state(site, *apart)) == []


def test_garp_passes_at_a_faster_profile_too(site: Site, person: Person, apart: tuple[str, str]) -> None:
    before = state(site, *apart)
    with person.pair(apart, "--profile", "fast", "--preempt-delay", "1"):
        person.haos("failover-test", name_of(apart), "--fault", "stop", "--fault", "partition")
    assert differences(before, state(site, *apart)) == []
