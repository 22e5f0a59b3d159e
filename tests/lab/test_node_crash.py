"""keepalived killed again and again on a real instance: it comes back every time, and its VIP is gone meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from haos.adapters.node import Node
from haos.core.model import Pair, Role
from tests.lab.lab_node import PAIR, VMAC, Login, bring_up, mac_of, removal
from tests.lab.main_job import eventually, node_state, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

TIMES = 5
KILL = """
systemctl kill --signal=KILL keepalived.service
start=$(date +%s%N)
until [ -z "$(ip -o address show to {vip})" ]; do
    [ $(($(date +%s%N) - start)) -lt 1000000000 ] || exit 1
done
"""


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
    for turn in range(1, TIMES + 1):
        login.sh(KILL.format(vip=pair.vip))
        assert eventually(lambda: node.sight(pair.name, pair.vip).role is Role.ACTIVE), f"turn {turn}"
    restarts = on(login.lab, login.name, "systemctl show -p NRestarts --value keepalived.service")
    assert int(restarts) == TIMES
    assert on(login.lab, login.name, "systemctl is-active keepalived.service") == "active\n"
