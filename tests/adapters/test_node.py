"""The node scripts, really run: with a real keepalived, on a node in namespaces of its own."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.adapters.node import Node
from haos.core.keepalived import (
    HAOS_FOLDER,
    RELEASE_PATH,
    instance_name,
)
from haos.core.model import Role
from haos.core.node import Sight
from haos.core.nodeconf import config_current, ill_kept
from haos.errors import StepError
from tests.adapters.fault_cases import withdraw
from tests.adapters.node_cases import (
    DB,
    SOURCE,
    WEB,
    bring_up,
    config_for,
    daemon,
    removal,
)
from tests.adapters.node_sandbox import MAC, Sandbox

pytestmark = pytest.mark.real


def test_whole_life_of_the_only_pair(box: Sandbox, node: Node) -> None:
    before = box.snapshot()
    facts = node.facts(MAC)
    assert (facts.interface, facts.main_config, facts.daemon_active, facts.systemd) == ("ens3", None, False, True)
    assert SOURCE in facts.addresses
    config = config_for(node)

    assert node.configure(config)
    assert not node.configure(config)
    assert not node.facts(MAC).daemon_active, "configure starts nothing"
    assert config_current(config, node.facts(MAC))
    node.activate()
    box.until(lambda: node.sight("web", WEB.vip) == Sight(Role.ACTIVE, True, True, 240), "Active")

    pids = daemon(box)
    withdraw(node)
    assert node.sight("web", WEB.vip) == Sight(Role.STOPPED, False, True)
    assert node.facts(MAC).withdrawn == {"web"}
    assert node.heal()
    box.until(lambda: node.sight("web", WEB.vip).role is Role.ACTIVE, "Active again")
    assert daemon(box) == pids, "the daemon and its VRRP process outlive a withdrawal of their only instance"

    box.sh("systemctl stop keepalived.service")
    assert node.sight("web", WEB.vip) == Sight(Role.STOPPED, False, False)
    node.activate()
    box.until(lambda: node.sight("web", WEB.vip).role is Role.ACTIVE, "Active after a start")

    removed = node.remove(removal())
    assert "removed /etc/keepalived/haos.d/web.conf" in removed.done
    assert "removed /etc/keepalived/keepalived.conf" in removed.done
    assert removed.left == ()
    assert box.snapshot() == before
    assert node.remove(removal()).done == ()


def test_files_carry_their_modes_and_no_temporary_ones_stay(box: Sandbox, node: Node) -> None:
    node.configure(config_for(node))
    listing = box.sh("find /etc/keepalived -printf '%p %m %U\n' | sort")
    assert listing.splitlines() == [
        "/etc/keepalived 755 0",
        "/etc/keepalived/haos.d 750 0",
        "/etc/keepalived/haos.d/.pending 600 0",
        "/etc/keepalived/haos.d/.unit-was 600 0",
        "/etc/keepalived/haos.d/release-vips 750 0",
        "/etc/keepalived/haos.d/web.conf 640 0",
        "/etc/keepalived/keepalived.conf 640 0",
    ]


def test_modes_and_owners_that_somebody_changed_are_seen_and_put_back(box: Sandbox, node: Node) -> None:
    config = config_for(node)
    bring_up(node, box)
    before = box.snapshot()
    folder, pair = HAOS_FOLDER, f"{HAOS_FOLDER}/web.conf"
    box.sh(f"chmod 666 {pair} && chown 1000:1000 {RELEASE_PATH} && chmod 777 {folder}")
    assert set(ill_kept(config, node.facts(MAC))) == {folder, pair, RELEASE_PATH}
    bring_up(node, box)
    assert config_current(config, node.facts(MAC))
    assert box.snapshot() == before


def test_reconfiguring_a_withdrawn_pair_brings_it_back(box: Sandbox, node: Node) -> None:
    config = config_for(node)
    node.configure(config)
    box.sh("cd /etc/keepalived/haos.d && mv web.conf web.conf.withdrawn")
    assert node.configure(config)
    assert config_current(config, node.facts(MAC))


def test_two_pairs_live_and_go_one_by_one(box: Sandbox, node: Node) -> None:
    before = box.snapshot()
    bring_up(node, box)
    bring_up(node, box, DB)
    withdraw(node)
    assert node.sight("web", WEB.vip) == Sight(Role.STOPPED, False, True)
    assert node.sight(DB.name, DB.vip) == Sight(Role.ACTIVE, True, True, 240)
    assert set(node.facts(MAC).pair_files) == {"web", DB.name}
    assert node.remove(removal()).done == ("removed /etc/keepalived/haos.d/web.conf",)
    assert node.sight(DB.name, DB.vip) == Sight(Role.ACTIVE, True, True, 240)
    node.remove(removal(DB))
    assert box.snapshot() == before


def test_ipv6_pair(box: Sandbox, node: Node) -> None:
    pair = replace(WEB, name="six", vip=ip_address("2001:db8:51::9"))
    config = config_for(node, pair, ip_address("2001:db8:51::32"), ip_address("2001:db8:51::33"))
    assert node.configure(config)
    node.activate()
    box.until(lambda: node.sight("six", pair.vip) == Sight(Role.ACTIVE, True, True, 240), "Active")
    box.sh("kill -9 $(cat /run/vrrp.pid) $(cat /run/fake/pid); ip address show dev ens3 | grep -q '51::9/128'")
    box.sh(f"sh {RELEASE_PATH}")
    assert not box.holds(str(pair.vip))


def test_vip_of_a_killed_daemon_is_released(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    box.sh("kill -9 $(cat /run/vrrp.pid) $(cat /run/fake/pid)")
    assert node.sight("web", WEB.vip) == Sight(Role.STOPPED, True, False)
    box.sh("systemctl stop keepalived.service")  # runs the drop-in's ExecStopPost
    assert node.sight("web", WEB.vip) == Sight(Role.STOPPED, False, False)
    assert box.holds(str(SOURCE))


def test_removal_takes_a_left_over_vip_but_no_address_of_others(box: Sandbox, node: Node) -> None:
    node.configure(config_for(node))
    box.sh("ip address add 10.200.51.9/32 dev ens3; ip address add 10.200.51.9/24 dev far")
    removed = node.remove(removal())
    assert "removed the left-over VIP 10.200.51.9 from ens3" in removed.done
    assert "10.200.51.9/24" in box.sh("ip -br address show far")
    assert "10.200.51.9" not in box.sh("ip -br address show ens3")


def test_hung_daemon_is_unknown(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    box.sh("kill -STOP $(cat /run/vrrp.pid) $(cat /run/fake/pid)")
    assert node.sight("web", WEB.vip) == Sight(Role.UNKNOWN, True, True)


def test_instance_without_its_interface_is_in_fault(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    box.sh("ip link set ens3 down")
    box.until(lambda: node.sight("web", WEB.vip).role is Role.FAULT, "Fault")


def test_pair_that_is_not_there_is_said(node: Node) -> None:
    with pytest.raises(StepError, match="pair web is not on this node"):
        withdraw(node)
    assert not node.heal()


def test_nothing_to_run_is_not_started(box: Sandbox, node: Node) -> None:
    """A keepalived with no instance never reports to systemd that it is ready."""
    node.configure(config_for(node))
    withdraw(node)
    with pytest.raises(StepError, match="nothing to run"):
        node.activate()
    assert not node.facts(MAC).daemon_active


def test_instance_names_are_what_keepalived_logs(box: Sandbox, node: Node) -> None:
    bring_up(node, box, DB)
    assert f"({instance_name(DB.name)}) Entering MASTER STATE" in box.sh("cat /run/fake/keepalived.log")


def test_enabled_unit_is_not_enabled_again(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    assert "enable" not in box.sh("cat /run/fake/systemctl.log").split()
