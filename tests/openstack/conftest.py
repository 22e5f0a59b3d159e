"""A real cloud for the end-to-end tests: servers of an ordinary member, with the lab's instances as their guests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.openstack.bed.model import Bed
from tests.openstack.running import Person, equip
from tests.openstack.site import Site, names_on_one_hypervisor

APART = ("real_first", "real_second")
OBSERVER = "observer"


@pytest.fixture(scope="session")
def bed() -> Bed:
    """The bed that the environment names; without one the tests are skipped, in CI that is a failure."""
    found = Bed.here()
    if found is None:
        reason = "no bed of real OpenStack is named by HAOS_OPENSTACK (python -m tests.openstack run)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def site(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three nodes, two of them on hypervisors of their own, and an observer; all of it goes with the session."""
    with ExitStack() as stack:
        made = Site(bed, "ha_lab_real", tmp_path_factory.mktemp("site"), stack)
        made.boot(*APART, "real_third", OBSERVER, apart=APART)
        yield made


@pytest.fixture(scope="session")
def person(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """An ordinary member of the project, who has not met the servers yet."""
    return Person(site, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def apart(site: Site) -> tuple[str, str]:
    """Two nodes on two hypervisors."""
    assert site.servers[APART[0]].host != site.servers[APART[1]].host
    return APART


@pytest.fixture(scope="session")
def together(site: Site) -> tuple[str, str]:
    """Two nodes on one hypervisor."""
    return names_on_one_hypervisor([each for each in site.servers.values() if each.name != OBSERVER])


@pytest.fixture(scope="session")
def equipped(site: Site) -> None:
    """Nodes that have keepalived beforehand: for tests that are about what comes after."""
    for name in site.servers:
        if name != OBSERVER:
            equip(site, name)
