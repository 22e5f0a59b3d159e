"""Many runs that choose at the same moment part ways; a single rival costs nobody the next lowest."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from haos.core import vip, vrrp
from haos.core.crowd import WIDEST, beyond, gives_room
from haos.core.model import Address, Subnet, virtual_mac
from haos.workflow.create import MAX_CONFLICTS

LAB = Subnet("subnet", "lab", "network", ip_network("10.0.0.0/24"), ip_address("10.0.0.1"))


def rounds_of(runs: int) -> int:
    """Let so many runs choose at once, all that lost once more, until each has a VIP and a VRID of its own."""
    waiting = {f"web{number}a-web{number}b": 0 for number in range(runs)}
    vips: set[Address] = set()
    vrids: set[int] = set()
    rounds = 0
    while waiting:
        rounds += 1
        seen = frozenset(vips), [virtual_mac(vrid, 4) for vrid in vrids]
        for name, conflicts in list(waiting.items()):
            passed = gives_room(name, conflicts)
            chosen = vip.choose(LAB, (), avoid=seen[0], passed=passed), vrrp.choose_vrid(seen[1], 4, passed=passed)
            if chosen[0] in vips or chosen[1] in vrids:
                waiting[name] += 1
            else:
                del waiting[name]
                vips.add(chosen[0])
                vrids.add(chosen[1])
    return rounds


@pytest.mark.parametrize(("runs", "most"), [(1, 1), (2, 2), (20, 7), (150, MAX_CONFLICTS)])
def test_a_crowd_has_chosen_after_a_few_rounds(runs: int, most: int) -> None:
    assert rounds_of(runs) <= most


def test_who_has_lost_once_takes_the_next_and_nobody_is_sent_far() -> None:
    names = [f"pair{number}" for number in range(500)]
    assert {gives_room(name, conflicts) for name in names for conflicts in (0, 1)} == {0}
    assert {gives_room(name, 2) for name in names} == set(range(4))
    assert max(gives_room(name, conflicts) for name in names for conflicts in range(20)) < WIDEST


@pytest.mark.parametrize(("passed", "order"), [(0, "abc"), (1, "bca"), (2, "cab"), (3, "abc"), (9, "abc")])
def test_what_was_passed_over_comes_last(passed: int, order: str) -> None:
    assert "".join(beyond("abc", passed)) == order
