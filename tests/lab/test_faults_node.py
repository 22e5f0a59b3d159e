"""Faults on a real instance: each ends by the node's own timer, with nobody there to end it, and leaves no trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from haos.adapters.node import Node
from haos.core.fault import FaultOrder, NodeLog
from haos.core.model import Address, Role
from haos.errors import RemoteError
from haos.workflow.fault import Fault, NodeSide
from haos.workflow.faults_net import LINK_DOWN, PARTITION, VRRP_BLOCK
from haos.workflow.faults_node import CHECK_FAIL, HANG, KILL, REBOOT, STOP, WITHDRAW
from tests.lab.lab_node import Login
from tests.lab.main_job import CREATE, NODES, eventually, haos, node_state

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

NAME = "ha_first-ha_second"
HEAL_AFTER_S, DELAY_S = 2.5, 0.3
TIMER_LATE_S = 2.0
"""So much later than ordered a timer may be on a machine with other things to do."""
KILL_CLEANED_S = 1.0
KEEPS_THE_VIP = (HANG, PARTITION, VRRP_BLOCK)
EXTRAS = """
ip route add 192.168.7.0/24 via 10.200.51.1 metric 7 mtu 1400
ip route add 192.168.8.0/24 via 192.168.7.1 table 100 onlink dev ens3
ip -6 address add 2001:db8:51::32/64 dev ens3 nodad
ip -6 route add default via 2001:db8:51::1 dev ens3
ip -6 route add 2001:db8:7::/48 via fe80::1 dev ens3
ip neighbour add 10.200.51.200 lladdr fa:16:3e:00:02:00 nud permanent dev ens3
"""
STATE = """
for family in 4 6; do ip -$family route show table all | sort; done; ip neighbour show nud permanent
tc qdisc show dev ens3; tc filter show dev ens3 ingress; tc filter show dev ens3 egress; nft list ruleset
grep -o ' /etc/keepalived[^ ]*' /proc/self/mountinfo || :
systemctl list-units --all --no-legend 'haos-*'; systemctl --failed --no-legend; ls /run/haos 2>&1 || :
"""


@dataclass(frozen=True)
class Member:
    """A node of the pair."""

    login: Login
    node: Node
    vip: Address

    def is_active(self) -> bool:
        return self.node.sight(NAME, self.vip).role is Role.ACTIVE

    def state(self) -> list[str]:
        """Return all that a fault may have changed here."""
        lines = [*node_state(self.login.lab, self.login.name).splitlines(), *self.login.sh(STATE).splitlines()]
        return [line for line in lines if line != "run/haos.lock"]  # it goes with a restart, or the last pair

    def inject(self, fault: Fault) -> float:
        """Make a fault; nobody ends it but the node."""
        make = fault.make
        assert isinstance(make, NodeSide)
        delay_s = DELAY_S if fault.cuts else 0.0
        order = FaultOrder(fault.name, NAME, self.vip, "ens3", make.inject, make.heal, HEAL_AFTER_S, delay_s)
        return self.node.inject(order)

    def log_once_healed(self) -> NodeLog:
        """Return the node's log after the node has ended the fault."""
        logs: list[NodeLog] = []

        def healed() -> bool:
            try:
                logs.append(self.node.watched())
            except RemoteError:
                return False
            return logs[-1].healed_s is not None

        assert eventually(healed, 60)
        return logs[-1]


@pytest.fixture(scope="module")
def pair(lab_name: str) -> Iterator[tuple[Member, Member]]:
    """A pair with a service check, made once; the first node has routes and addresses to lose."""
    before = {name: node_state(lab_name, name) for name in NODES}
    made = haos(lab_name, *CREATE, "--preempt-delay", "1", "--check", "true", "--yes").stdout
    found = re.search(rf"VIP (\S+) of pair {NAME} answers from ha_first", made)
    assert found, made
    logins = [Login(lab_name, name) for name in NODES]
    first, second = (Member(login, Node(login, login.name), ip_address(found[1])) for login in logins)
    first.login.sh(EXTRAS)
    yield first, second
    first.login.sh(re.sub(r"\badd\b", "del", EXTRAS))
    haos(lab_name, "teardown", "--purge", "--yes")
    assert {name: node_state(lab_name, name) for name in NODES} == before


@pytest.mark.parametrize(
    "fault",
    [WITHDRAW, STOP, KILL, HANG, PARTITION, LINK_DOWN, VRRP_BLOCK, CHECK_FAIL],
    ids=lambda fault: fault.name,
)
def test_the_node_ends_a_fault_by_itself(pair: tuple[Member, Member], fault: Fault) -> None:
    first, second = pair
    assert eventually(first.is_active)
    before = first.state()
    for member in pair:
        member.node.watch(member.vip, limit_s=120)
    try:
        at_s = first.inject(fault)
        log = first.log_once_healed()
        assert log.injected_s is not None
        assert log.healed_s is not None
        assert log.injected_s == pytest.approx(at_s, abs=TIMER_LATE_S)
        assert 0 < log.healed_s - log.injected_s < HEAL_AFTER_S + TIMER_LATE_S
        assert eventually(first.is_active), "the VIP comes back"
        there = second.node.watched()
        assert [event.held for event in there.events] == [True, False], "the other node had it meanwhile"
        moves = [event for event in first.node.watched().events if event.at_s > log.injected_s]
        assert [event.held for event in moves] == ([] if fault in KEEPS_THE_VIP else [False, True])
        if fault is KILL:
            assert moves[0].at_s - log.injected_s < KILL_CLEANED_S
    finally:
        for member in pair:
            member.node.unwatch()
    assert eventually(lambda: first.state() == before) or first.state() == before


def test_an_end_that_fails_is_tried_again(pair: tuple[Member, Member]) -> None:
    first, _ = pair
    before = first.state()
    stubborn = NodeSide(
        "touch /run/haos/came", "[ -e /tmp/may-end ] || die 'not yet'; rm /tmp/may-end /run/haos/came"
    )
    first.inject(Fault("stubborn", "a fault of the test's own", lambda *_: 1.0, stubborn))
    assert eventually(lambda: "not yet" in first.login.sh("journalctl -q -u haos-heal.service -o cat --no-pager"))
    first.login.sh("touch /tmp/may-end")
    assert eventually(lambda: first.state() == before) or first.state() == before


def test_a_node_that_restarts_is_back_in_seconds_with_nothing_left(pair: tuple[Member, Member]) -> None:
    _, second = pair
    before = second.state()
    boot = second.login.sh("cat /proc/sys/kernel/random/boot_id")
    second.node.watch(second.vip, limit_s=120)
    second.inject(REBOOT)

    def is_back() -> bool:
        done = second.login.run("cat /proc/sys/kernel/random/boot_id", timeout_s=30)
        return done.returncode == 0 and done.stdout not in ("", boot)

    assert eventually(is_back, 30)
    assert not second.node.watched().whole
    assert not second.node.heal()
    assert eventually(lambda: second.node.sight(NAME, second.vip).role is Role.BACKUP)
    assert eventually(lambda: second.state() == before) or second.state() == before
