"""A floating IP that leads to the VIP: from outside, over the router, it follows the VIP from node to node."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from tests.lab.main_job import eventually
from tests.openstack.running import Person, Run, differences, name_of, state
from tests.openstack.site import Site

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(600), pytest.mark.usefixtures("equipped")]

INTERVAL_S = 0.1
LONGEST_S = 3.0
"""More than any bound of these faults and what a router needs to follow; one that does not is silent for longer."""


@contextmanager
def pinged(address: str) -> Iterator[list[float]]:
    """Ping an address from outside meanwhile; on leaving, the list holds the times of the answers."""
    argv = ["ping", "-D", "-n", "-i", str(INTERVAL_S), address]
    answers: list[float] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield answers
        finally:
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=10)
            answers += [float(found) for found in re.findall(r"^\[([\d.]+)\] \d+ bytes from", said, re.MULTILINE)]


def is_answered(address: str) -> bool:
    return (
        subprocess.run(
            ["ping", "-c", "3", "-i", "0.2", "-W", "1", address], capture_output=True, check=False
        ).returncode
        == 0
    )


def associated(run: Run) -> str:
    """Return the floating IP that haos said leads to the VIP."""
    found = re.search(r"^Floating IP (\S+) is associated with", run.stdout, re.MULTILINE)
    assert found, run.stdout
    return found[1]


def test_one_that_haos_makes_follows_the_vip_and_goes_with_the_pair(
    site: Site, person: Person, apart: tuple[str, str]
) -> None:
    before = state(site, *apart)
    with person.pair(apart, "--floating-ip") as made:
        address = associated(made)
        assert len(made.requests) <= 24, "\n".join(made.requests)
        assert eventually(lambda: is_answered(address)), "the floating IP leads to the VIP"
        with pinged(address) as answers:
            person.haos("failover-test", name_of(apart), "--fault", "stop", "--fault", "kill", "--fault", "partition")
            person.haos("switchover", name_of(apart))
        assert len(answers) > 50
        gaps = [after - earlier for earlier, after in pairwise(answers)]
        assert max(gaps) < LONGEST_S, sorted(gaps)[-5:]
        assert is_answered(address), "it leads to the other node now"
        assert address in person.haos("status", name_of(apart)).stdout
    assert differences(before, state(site, *apart)) == []


def test_one_of_the_projects_own_is_taken_and_given_back(
    site: Site, person: Person, together: tuple[str, str]
) -> None:
    net = site.member.network
    own = net.create_ip(floating_network_id=site.external.id, description="kept for the shop")
    try:
        with person.pair(together, "--floating-ip", own.floating_ip_address) as made:
            assert associated(made) == own.floating_ip_address
            assert eventually(lambda: is_answered(own.floating_ip_address))
        left = net.get_ip(own.id)
        assert (left.port_id, left.description) == (None, "kept for the shop")
    finally:
        net.delete_ip(own.id)
