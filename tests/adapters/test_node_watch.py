"""The node's own log of when the VIP came and went, on a sandboxed node."""

from __future__ import annotations

import pytest

from haos.adapters.node import Node
from haos.errors import StepError
from tests.adapters.fault_cases import by_sh, order
from tests.adapters.node_cases import WEB
from tests.adapters.node_sandbox import Sandbox

pytestmark = pytest.mark.real

COME = f"ip address add {WEB.vip}/32 dev ens3"
GO = f"ip address del {WEB.vip}/32 dev ens3"


def log_is(node: Node, count: int) -> bool:
    return len(node.watched().events) == count


def test_the_vip_comes_and_goes(box: Sandbox, node: Node) -> None:
    before_s = node.wall_s()
    node.watch(WEB.vip, limit_s=60.0)
    times = []
    for command in (COME, "ip address add 10.200.51.77/32 dev ens3", GO):
        early_s = node.wall_s()
        box.sh(command)
        times.append((early_s, node.wall_s()))
    box.until(lambda: log_is(node, 2), "both are written down")
    log = node.watched()
    assert log.whole
    assert not log.held_at_start
    assert before_s < log.began_s < log.now_s
    assert [event.held for event in log.events] == [True, False]
    for event, (early_s, late_s) in zip(log.events, (times[0], times[2]), strict=True):
        assert early_s <= event.at_s <= late_s
    node.unwatch()
    node.unwatch()
    assert "haos" not in box.sh("ls /run; ls /run/fake | grep unit || :")


def test_what_is_there_already_is_said(box: Sandbox, node: Node) -> None:
    box.sh(COME)
    node.watch(WEB.vip, limit_s=60.0)
    assert node.watched().held_at_start
    box.sh(GO)
    box.until(lambda: log_is(node, 1), "it is written down")


def test_a_virtual_router_that_vanishes_takes_the_vip_along(box: Sandbox, node: Node) -> None:
    box.sh(f"ip link add vrrp.7 link ens3 type macvlan; ip address add {WEB.vip}/32 dev vrrp.7")
    node.watch(WEB.vip, limit_s=60.0)
    box.sh("ip link del vrrp.7")
    box.until(lambda: log_is(node, 1), "it is written down")
    assert not node.watched().events[0].held


def test_one_watch_at_a_time(node: Node) -> None:
    node.watch(WEB.vip, limit_s=60.0)
    with pytest.raises(StepError, match="another failover test is at work on ha_first"):
        node.watch(WEB.vip, limit_s=60.0)
    node.unwatch()
    node.watch(WEB.vip, limit_s=60.0)
    assert node.watched().whole


def test_it_ends_by_itself_and_leaves_nothing(box: Sandbox, node: Node) -> None:
    node.watch(WEB.vip, limit_s=0.5)
    box.until(lambda: "haos" not in box.sh("ls /run; ls /run/fake | grep unit || :"), "the watch is over")
    log = node.watched()
    assert (log.whole, log.events) == (False, ())


def test_a_log_that_broke_off_is_not_whole(box: Sandbox, node: Node) -> None:
    node.watch(WEB.vip, limit_s=60.0)
    box.sh("kill -9 $(cat /run/haos/watch.pid)")
    box.until(lambda: not node.watched().whole, "that the log broke off is seen")
    node.unwatch()
    assert "haos" not in box.sh("ls /run").split()


def test_the_times_of_a_fault_are_kept_while_somebody_watches(box: Sandbox, node: Node) -> None:
    node.watch(WEB.vip, limit_s=60.0)
    at_s = node.inject(order(by_sh(":"), WEB))
    assert node.watched().injected_s == pytest.approx(at_s)
    assert node.watched().healed_s is None
    assert node.heal()
    log = node.watched()
    assert log.injected_s is not None
    assert log.healed_s is not None
    assert log.injected_s <= log.healed_s <= node.wall_s()
    node.inject(order(by_sh(":"), WEB))
    assert node.watched().healed_s is None
    node.unwatch()
    assert node.heal()
    assert "haos" not in box.sh("ls /run").split()
