"""Faults on a sandboxed node with a real keepalived: each is made, ends, and leaves the node as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from haos.adapters import node_faults
from haos.adapters.node import Node
from haos.core.model import Role
from haos.core.node import Sight
from haos.errors import StepError
from haos.workflow.fault import Fault, NodeSide
from haos.workflow.faults_net import LINK_DOWN, PARTITION, VRRP_BLOCK
from haos.workflow.faults_node import CHECK_FAIL, HANG, KILL, STOP, WITHDRAW
from tests.adapters.fault_cases import CHECKED, EXTRAS, as_before, by_sh, frames, is_armed, order, trace, well
from tests.adapters.node_cases import bring_up, config_for, removal
from tests.adapters.node_sandbox import Sandbox

pytestmark = pytest.mark.real

VIP = str(CHECKED.vip)
NO_TC = "#!/bin/sh\nexit 1\n"


@pytest.fixture
def active(box: Sandbox, node: Node) -> Node:
    """A node that is Active, with all sorts of routes."""
    box.sh(EXTRAS)
    bring_up(node, box, CHECKED)
    box.until(lambda: "tentative" not in box.sh("ip address show dev ens3"), "nobody else has the node's addresses")
    return node


def sees(sight: Sight) -> Callable[[Sandbox, Node], bool]:
    return lambda box, node: node.sight(CHECKED.name, CHECKED.vip) == sight


def is_dark(box: Sandbox, node: Node) -> bool:
    return frames(box) == {"in4": [], "in6": [], "out4": [], "arp": False}


def loses_its_vrrp(box: Sandbox, node: Node) -> bool:
    return frames(box) == {"in4": [8], "in6": [8], "out4": [], "arp": True}


def is_down(box: Sandbox, node: Node) -> bool:
    return "state DOWN" in box.sh("ip link show dev ens3") and not box.holds(VIP)


EFFECTS = {
    WITHDRAW: sees(Sight(Role.STOPPED, False, True)),
    STOP: sees(Sight(Role.STOPPED, False, False)),
    KILL: sees(Sight(Role.STOPPED, True, False)),  # systemd, which cleans up and starts it again, is not here
    HANG: sees(Sight(Role.UNKNOWN, True, True)),
    PARTITION: is_dark,
    VRRP_BLOCK: loses_its_vrrp,
    LINK_DOWN: is_down,
    CHECK_FAIL: sees(Sight(Role.FAULT, False, True, 240)),
}


@pytest.mark.parametrize("fault", EFFECTS, ids=lambda fault: fault.name)
def test_a_fault_comes_and_goes_without_a_trace(box: Sandbox, active: Node, fault: Fault) -> None:
    assert frames(box) == {"in4": [7, 8], "in6": [7, 8], "out4": [7], "arp": True}
    before = trace(box)
    at_s = active.inject(order(fault))
    assert 0 <= active.wall_s() - at_s < 10
    box.until(lambda: EFFECTS[fault](box, active), f"{fault.name} takes effect")
    assert is_armed(box)
    with pytest.raises(StepError, match=f"the fault {fault.name} is under way on this node already"):
        active.inject(order(STOP))
    assert active.heal()
    assert not active.heal()
    assert not is_armed(box)
    well(box, active)
    as_before(box, before)
    assert frames(box)["in4"] == [7, 8]


@pytest.mark.parametrize("fault", [HANG, LINK_DOWN, CHECK_FAIL], ids=lambda fault: fault.name)
def test_the_node_ends_it_by_itself(box: Sandbox, active: Node, fault: Fault) -> None:
    before = trace(box)
    active.inject(order(fault, heal_after_s=4.0))
    box.until(lambda: EFFECTS[fault](box, active), f"{fault.name} takes effect")
    box.until(lambda: "haos" not in box.sh("ls /run").split(), "the timer's run is over")
    well(box, active)
    as_before(box, before)
    assert not active.heal()


@pytest.mark.parametrize("fault", [PARTITION, VRRP_BLOCK], ids=lambda fault: fault.name)
def test_frames_are_dropped_by_nft_where_tc_cannot(box: Sandbox, active: Node, fault: Fault) -> None:
    before = trace(box)
    box.write("/run/bin/tc", NO_TC)
    box.sh("chmod +x /run/bin/tc")
    active.inject(order(fault))
    assert "haos_fault" in box.sh("nft list tables")
    assert EFFECTS[fault](box, active)
    assert active.heal()
    box.sh("rm /run/bin/tc")
    as_before(box, before)


def test_filters_of_others_are_left_alone(box: Sandbox, active: Node) -> None:
    box.sh("tc qdisc add dev ens3 clsact")
    box.sh("tc filter add dev ens3 ingress pref 48 bpf da bytecode '1,6 0 0 4294967295,'")
    before = trace(box)
    active.inject(order(PARTITION))
    assert is_dark(box, active)
    assert active.heal()
    as_before(box, before)


def test_a_filter_that_others_added_meanwhile_stays(box: Sandbox, active: Node) -> None:
    active.inject(order(PARTITION))
    box.sh("tc filter add dev ens3 ingress pref 49 bpf da bytecode '1,6 0 0 4294967295,'")
    assert active.heal()
    left = box.sh("tc filter show dev ens3 ingress")
    assert "pref 49" in left
    assert "pref 48" not in left


def test_where_nothing_can_drop_frames_it_is_said(box: Sandbox, active: Node) -> None:
    before = trace(box)
    for tool in ("tc", "nft"):
        box.write(f"/run/bin/{tool}", NO_TC)
        box.sh(f"chmod +x /run/bin/{tool}")
    with pytest.raises(StepError, match="neither tc nor nft can drop frames both ways here: install tc"):
        active.inject(order(PARTITION))
    box.sh("rm /run/bin/tc /run/bin/nft")
    as_before(box, before)
    assert not is_armed(box)


def test_the_vip_is_not_brought_back_with_the_link(box: Sandbox, active: Node) -> None:
    active.inject(order(LINK_DOWN))
    box.until(lambda: not box.holds(VIP), "keepalived gives the VIP up")
    box.sh("systemctl stop keepalived.service")
    assert active.heal()
    assert not box.holds(VIP)
    assert "2001:db8:51::32/64" in box.sh("ip -6 address show dev ens3")


def test_an_address_that_was_lost_meanwhile_is_put_back(box: Sandbox, active: Node) -> None:
    """As a network manager does that sees the link go."""
    box.sh("ip address add 10.200.61.5/24 brd + dev ens3 label ens3:x valid_lft 3600 preferred_lft 1800")
    before = box.sh("ip -4 -o address show dev ens3 | sed 's/valid_lft.*//'")
    active.inject(order(LINK_DOWN))
    box.until(lambda: not box.holds(VIP), "keepalived gives the VIP up")
    box.sh("ip address del 10.200.61.5/24 dev ens3")
    assert active.heal()
    well(box, active)
    assert sorted(box.sh("ip -4 -o address show dev ens3 | sed 's/valid_lft.*//'").split()) == sorted(before.split())


@pytest.mark.parametrize(
    "route",
    [
        "192.168.9.0/24 table 77 nexthop via 10.200.51.1 dev ens3 weight 1 nexthop via 10.200.51.2 dev ens3 weight 1",
        "192.168.9.0/24 table 77 nhid 5",
        "2001:db8:9::/48 table 77 nexthop via 2001:db8:51::1 dev ens3 nexthop via 2001:db8:51::2 dev ens3",
    ],
)
def test_a_link_does_not_go_down_over_a_route_that_could_not_be_put_back(
    box: Sandbox, active: Node, route: str
) -> None:
    box.sh(f"ip nexthop add id 5 via 10.200.51.1 dev ens3; ip route add {route}")
    before = trace(box)
    shown = f"ens3 stays up: once down, it would lose this route for good: {route.split(' ')[0]} .*(nexthop|nhid)"
    with pytest.raises(StepError, match=shown):
        active.inject(order(LINK_DOWN, delay_s=0.5))
    as_before(box, before)
    assert not is_armed(box)


def test_a_check_that_is_not_there_cannot_fail(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    before = trace(box)
    with pytest.raises(StepError, match="pair web has no service check on this node"):
        node.inject(order(CHECK_FAIL))
    as_before(box, before)
    assert not is_armed(box)


def test_without_a_timer_there_is_no_fault(box: Sandbox, active: Node) -> None:
    box.sh("touch /run/fake/run-fails")
    before = trace(box)
    with pytest.raises(StepError, match="no timer could be set on this node to end the fault, so it was not made"):
        active.inject(order(STOP))
    as_before(box, before)


def test_a_fault_that_fails_is_undone_at_once(box: Sandbox, active: Node) -> None:
    broken = by_sh("touch /run/fake/half; die 'it went wrong'", "rm -f /run/fake/half")
    before = trace(box)
    with pytest.raises(StepError, match="it went wrong"):
        active.inject(order(broken))
    as_before(box, before)
    assert not is_armed(box)


STUBBORN = "echo try >>/run/fake/tries; test -e /run/fake/mended || die 'no way back'"


def tries(box: Sandbox) -> int:
    return box.sh("cat /run/fake/tries 2>/dev/null || :").count("try")


def test_an_end_that_fails_is_tried_again_later_and_later_and_not_for_ever(
    box: Sandbox, active: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_faults, "HEAL_PAUSE_S", 1)
    monkeypatch.setattr(node_faults, "HEAL_LIMIT_S", 3)
    before = trace(box)
    active.inject(order(by_sh(":", STUBBORN), heal_after_s=0.5))
    box.until(lambda: "given up after 3 s" in box.sh("cat /run/fake/units.log 2>/dev/null || :"), "it ends")
    box.until(lambda: not is_armed(box), "its unit is gone")
    assert tries(box) == 3
    said = box.sh("cat /run/fake/units.log")
    assert said.count("haos: no way back") == 3
    assert [line.split()[-2] for line in said.splitlines() if "tried again" in line] == ["1", "2"]
    assert "haos failover-test --restore" in said
    with pytest.raises(StepError, match="could not be undone"):
        active.heal()
    box.sh("touch /run/fake/mended")
    assert active.heal()
    as_before(box, before)


def test_an_end_that_fails_at_first_comes_with_a_later_try(
    box: Sandbox, active: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_faults, "HEAL_PAUSE_S", 1)
    before = trace(box)
    active.inject(order(by_sh(":", STUBBORN), heal_after_s=0.5))
    box.until(lambda: tries(box) > 0, "it is tried")
    box.sh("touch /run/fake/mended")
    box.until(lambda: "haos" not in box.sh("ls /run").split(), "the timer's run is over")
    as_before(box, before)
    assert not active.heal()


def test_a_fault_that_was_never_guarded_gives_way_to_the_next(box: Sandbox, active: Node) -> None:
    """Killed between the two, a run leaves the end of a fault and no timer for it."""
    active.inject(order(by_sh(":", "touch /run/fake/ended")))
    box.sh("systemctl stop haos-heal.timer")
    active.inject(order(STOP))
    box.sh("test -e /run/fake/ended")
    assert active.heal()
    well(box, active)


def restarted(box: Sandbox) -> None:
    """Leave of a fault what a restart of the node leaves: nothing of /run, and so no timer."""
    box.sh("systemctl stop haos-heal.timer; rm -r /run/haos; systemctl restart keepalived.service || :")


def test_a_withdrawal_that_a_restart_made_last_is_ended(box: Sandbox, active: Node) -> None:
    before = trace(box)
    active.inject(order(WITHDRAW))
    restarted(box)
    assert active.heal()
    well(box, active)
    as_before(box, before)
    assert not active.heal()


@pytest.mark.parametrize("faulty", [False, True])
def test_a_pair_that_is_withdrawn_for_another_reason_stays_so(box: Sandbox, active: Node, faulty: bool) -> None:
    if faulty:
        active.inject(order(WITHDRAW))
        restarted(box)
    active.remove(replace(removal(CHECKED), returning=True))
    before = trace(box)
    assert not active.heal()
    active.inject(order(by_sh(":", "reinstate_pair")))
    assert active.heal()
    as_before(box, before)


def test_a_pair_that_was_set_up_anew_keeps_no_mark_of_a_withdrawal(box: Sandbox, active: Node) -> None:
    active.inject(order(WITHDRAW))
    restarted(box)
    bring_up(active, box, CHECKED)
    assert "fault" not in box.sh("ls -A /etc/keepalived/haos.d")


@pytest.mark.parametrize("fault", [KILL, HANG], ids=lambda fault: fault.name)
def test_a_process_that_has_just_ended_is_not_missed(box: Sandbox, active: Node, fault: Fault) -> None:
    """As a check's script does, between the look at the daemon's processes and the signal."""
    assert isinstance(fault.make, NodeSide)
    hasty = "daemon_pids() { echo 4194300; pid=$(main_pid); cat /proc/$pid/task/$pid/children; echo; echo $pid; }"
    active.inject(order(by_sh(f"{hasty}\n{fault.make.inject}", fault.make.heal)))
    assert EFFECTS[fault](box, active)
    assert active.heal()
    well(box, active)


@pytest.mark.parametrize("fault", [KILL, HANG], ids=lambda fault: fault.name)
def test_a_daemon_that_no_signal_reaches_is_no_fault(box: Sandbox, active: Node, fault: Fault) -> None:
    assert isinstance(fault.make, NodeSide)
    with pytest.raises(StepError, match="keepalived does not"):
        active.inject(order(by_sh(f'send() {{ :; }}\nwait_until() {{ shift; "$@"; }}\n{fault.make.inject}')))
    assert not is_armed(box)


def has_come(box: Sandbox) -> bool:
    return "came" in box.sh("ls /run/fake").split()


def test_a_fault_that_comes_later_lets_the_order_return_first(box: Sandbox, active: Node) -> None:
    at_s = active.inject(order(by_sh("touch /run/fake/came", "rm -f /run/fake/came"), delay_s=1.0))
    assert at_s > active.wall_s()
    assert not has_come(box)
    box.until(lambda: has_come(box), "the fault comes")
    assert active.watched().injected_s == pytest.approx(at_s, abs=0.3)
    assert active.heal()
    assert not has_come(box)


def test_a_fault_that_is_ended_before_it_came_never_comes(box: Sandbox, active: Node) -> None:
    before = trace(box)
    active.inject(order(by_sh("touch /run/fake/came"), delay_s=30.0))
    assert active.heal()
    as_before(box, before)
    assert "inactive" in box.sh("systemctl is-active haos-fault.service || :")


def test_setting_the_node_up_anew_ends_a_fault(box: Sandbox, active: Node) -> None:
    active.inject(order(STOP))
    active.configure(config_for(active, CHECKED))
    assert not active.heal()
    well(box, active)


def test_removing_the_pair_ends_a_fault(box: Sandbox, active: Node) -> None:
    active.inject(order(WITHDRAW))
    active.remove(removal(CHECKED))
    assert not is_armed(box)
    assert "haos" not in box.sh("ls /run").split()
    assert not box.holds(VIP)
