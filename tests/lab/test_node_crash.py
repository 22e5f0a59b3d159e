"""keepalived killed again and again on a real instance: it comes back every time, and its VIP is gone meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from haos.adapters.node import Node
from haos.core.fault import FaultOrder
from haos.core.model import Pair, Role
from haos.workflow.fault import NodeSide
from haos.workflow.faults_node import KILL
from tests.lab.lab_node import PAIR, VMAC, Login, bring_up, mac_of, removal
from tests.lab.main_job import eventually, node_state, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

TIMES = 5
CLEANED_S = 1.0
"""So long a node whose keepalived was killed may go on answering for the VIP."""


@pytest.fixture(params=[PAIR, VMAC], ids=["garp", "vmac"])
def running(lab_name: str, request: pytest.FixtureRequest) -> Iterator[tuple[Login, Node, Pair]]:
    """A node that holds the VIP of a pair; as it was, afterwards."""
    pair = request.param
    login = Login(lab_name, "ha_first")
    before = node_state(lab_name, "ha_first")
    node = Node(login, "ha_first")
    node.install_keepalived()
    try:
        peer = node.facts(mac_of(login)).addresses[0] + 1
        yield login, bring_up(login, node.facts(mac_of(login)), peer, pair), pair
    finally:
        node.remove(removal(pair))
    assert node_state(lab_name, "ha_first") == before


def test_killed_in_a_row_it_comes_back_each_time(running: tuple[Login, Node, Pair]) -> None:
    login, node, pair = running
    make = KILL.make
    assert isinstance(make, NodeSide)
    node.watch(pair.vip, limit_s=120)
    for turn in range(1, TIMES + 1):
        at_s = node.inject(FaultOrder(KILL.name, pair.name, pair.vip, "ens3", make.inject, make.heal, 60))
        assert eventually(lambda: node.sight(pair.name, pair.vip).role is Role.ACTIVE), f"turn {turn}"
        assert node.heal()
        gone, back = (event for event in node.watched().events if event.at_s > at_s)
        assert (gone.held, back.held) == (False, True)
        assert gone.at_s - at_s < CLEANED_S
    node.unwatch()
    restarts = on(login.lab, login.name, "systemctl show -p NRestarts --value keepalived.service")
    assert int(restarts) == TIMES
    assert on(login.lab, login.name, "systemctl is-active keepalived.service") == "active\n"
