"""vmac mode on a node: what keepalived changes beside its own link is put back, also after kills; nothing answers."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.adapters.node import Node
from haos.core.model import Mode, Role
from haos.core.node import Sight
from tests.adapters.fault_cases import withdraw
from tests.adapters.node_cases import DB, FOREIGN, WEB, bring_up, config_for, removal
from tests.adapters.node_sandbox import MAC, Sandbox

pytestmark = pytest.mark.real

VMAC = replace(WEB, name="router", vip=ip_address("10.200.51.11"), vrid=9, mode=Mode.VMAC)
KEYS = ("ens3.arp_ignore", "ens3.arp_filter", "all.rp_filter")


def sysctls(box: Sandbox) -> list[int]:
    return [int(box.sh(f"cat /proc/sys/net/ipv4/conf/{key.replace('.', '/')}")) for key in KEYS]


def trace(box: Sandbox) -> tuple[str, list[int], str]:
    return box.snapshot(), sysctls(box), box.sh("ip -o link show type macvlan; nft list tables")


def kill(box: Sandbox) -> None:
    """Kill every keepalived process, the parent too; nothing cleans up."""
    box.sh("kill -9 $(cat /run/vrrp.pid) $(cat /run/fake/pid)")


@pytest.fixture(autouse=True)
def strict(box: Sandbox) -> None:
    """Have a reverse path filter, as distributions do."""
    box.sh("echo 2 >/proc/sys/net/ipv4/conf/all/rp_filter")


def test_whole_life(box: Sandbox, node: Node) -> None:
    before = trace(box)
    bring_up(node, box, VMAC)
    assert sysctls(box) == [1, 1, 0], "or there is nothing to put back any more"
    assert "00:00:5e:00:01:09" in box.sh("ip -o link show vrrp.9")
    assert node.sight("router", VMAC.vip) == Sight(Role.ACTIVE, True, True, 240)
    withdraw(node, VMAC)
    assert not box.holds(str(VMAC.vip))
    assert box.sh("ip -o link show type macvlan") == ""
    assert node.heal()
    box.until(lambda: node.sight("router", VMAC.vip).role is Role.ACTIVE, "Active again")
    box.sh("systemctl stop keepalived.service")
    node.activate()
    box.until(lambda: node.sight("router", VMAC.vip).role is Role.ACTIVE, "Active after a start")
    removed = node.remove(removal(VMAC))
    assert "set net/ipv4/conf/ens3/arp_ignore back to 0" in removed.done
    assert trace(box) == before


def test_after_a_kill_everything_is_put_back(box: Sandbox, node: Node) -> None:
    before = trace(box)
    bring_up(node, box, VMAC)
    kill(box)
    assert box.holds(str(VMAC.vip)), "or nothing is left over"
    done = node.remove(removal(VMAC)).done
    assert "set net/ipv4/conf/all/rp_filter back to 2" in done
    assert trace(box) == before


def test_what_was_changed_is_saved_only_once(box: Sandbox, node: Node) -> None:
    before = trace(box)
    bring_up(node, box, VMAC)
    kill(box)
    six = replace(VMAC, name="another", vrid=10, vip=ip_address("10.200.51.12"))
    node.configure(config_for(node, six))
    node.activate()
    box.until(lambda: node.sight("another", six.vip).role is Role.ACTIVE, "Active")
    node.remove(removal(VMAC))
    assert sysctls(box) == [1, 1, 0], "the other router needs them"
    assert node.sight("another", six.vip) == Sight(Role.ACTIVE, True, True, 240)
    node.remove(removal(six))
    assert trace(box) == before


def test_what_somebody_else_set_meanwhile_stays(box: Sandbox, node: Node) -> None:
    bring_up(node, box, VMAC)
    kill(box)  # one that runs sets them again at once
    box.sh("echo 2 >/proc/sys/net/ipv4/conf/ens3/arp_ignore")
    node.remove(removal(VMAC))
    assert sysctls(box) == [2, 0, 2]


def test_sysctls_that_a_foreign_router_needs_stay(box: Sandbox, node: Node) -> None:
    bring_up(node, box, VMAC)
    box.sh("ip link add vrrp.51 link ens3 type macvlan mode private")
    removed = node.remove(removal(VMAC))
    assert sysctls(box)[:2] == [1, 1]
    assert "net/ipv4/conf/ens3/arp_ignore as it is: vrrp.51 needs it" in removed.left
    assert node.facts(MAC).pair_files == {}
    assert "haos.d" not in box.sh("ls /etc/keepalived")


@pytest.mark.parametrize("modes", [(Mode.GARP, Mode.VMAC), (Mode.VMAC, Mode.GARP)])
def test_mode_is_switched_beside_neighbours(box: Sandbox, node: Node, modes: tuple[Mode, Mode]) -> None:
    """By removal and configuration anew; haos's other pair and a foreign instance never notice."""
    box.write("/etc/keepalived/keepalived.conf", FOREIGN)
    before = trace(box)
    bring_up(node, box, DB)
    bring_up(node, box, replace(VMAC, mode=modes[0]))
    box.until(lambda: box.holds("10.200.51.77"), "the foreign VIP")
    transitions = box.sh("grep -cE '(VI_1|haos_db).*STATE' /run/fake/keepalived.log")
    node.remove(replace(removal(VMAC), returning=True))
    assert not box.holds(str(VMAC.vip))
    bring_up(node, box, replace(VMAC, mode=modes[1]))
    device = "vrrp.9" if modes[1] is Mode.VMAC else "ens3"
    assert f"{VMAC.vip}/32" in box.sh(f"ip -o address show dev {device}")
    assert box.sh("grep -cE '(VI_1|haos_db).*STATE' /run/fake/keepalived.log") == transitions
    for pair in (VMAC, DB):
        node.remove(removal(pair))
    assert trace(box)[1:] == before[1:]


def test_ipv6_router(box: Sandbox, node: Node) -> None:
    before = trace(box)
    pair = replace(VMAC, vip=ip_address("2001:db8:51::9"))
    config = config_for(node, pair, ip_address("2001:db8:51::32"), ip_address("2001:db8:51::33"))
    node.configure(config)
    node.activate()
    box.until(lambda: node.sight("router", pair.vip) == Sight(Role.ACTIVE, True, True, 240), "Active")
    assert "00:00:5e:00:02:09" in box.sh("ip -o link show vrrp6.9")
    kill(box)
    node.remove(removal(pair))
    assert trace(box) == before
