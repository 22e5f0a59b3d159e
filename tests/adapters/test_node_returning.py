"""A pair that leaves a node to come back in another mode: its files wait, withdrawn, and no other is disturbed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haos.adapters.node import Node
from haos.core.keepalived import MAIN_PATH
from haos.core.model import Mode, Pair, Role, ServiceCheck
from haos.core.nodeconf import kept_checks
from tests.adapters.node_cases import DB, FOREIGN, WEB, bring_up, config_for, daemon, removal
from tests.adapters.node_sandbox import MAC, Sandbox

pytestmark = pytest.mark.real
VMAC = replace(WEB, mode=Mode.VMAC)
CHECKED = replace(WEB, checks=(ServiceCheck("true"),))


def leave(node: Node) -> None:
    node.remove(replace(removal(), returning=True))


def test_alone_its_daemon_stops_and_its_files_wait(node: Node, box: Sandbox) -> None:
    bring_up(node, box, CHECKED)
    before = node.facts(MAC)
    leave(node)
    leave(node)  # as after a kill
    after = node.facts(MAC)
    assert after.pair_files == before.pair_files
    assert after.withdrawn == {"web"}
    assert after.check_files == before.check_files
    assert kept_checks("web", {"ha_first": after}) == {"ha_first": CHECKED.checks}
    assert not after.daemon_active
    assert WEB.vip not in after.addresses
    assert (after.main_config, after.drop_in, after.release_script) == (
        before.main_config,
        before.drop_in,
        before.release_script,
    )
    bring_up(node, box, VMAC)
    assert box.sh("ls -A /etc/keepalived/haos.d").split() == [
        ".sysctls-before-vmac",
        ".unit-was",
        "release-vips",
        "web.conf",
    ]
    node.remove(removal(VMAC))
    assert MAIN_PATH not in box.sh("find /etc/keepalived")


@pytest.mark.parametrize("foreign", [False, True])
@pytest.mark.parametrize("pair", [CHECKED, replace(CHECKED, mode=Mode.VMAC)], ids=["garp", "vmac"])
def test_what_was_left_half_way_is_taken_away_by_a_removal(
    node: Node, box: Sandbox, pair: Pair, foreign: bool
) -> None:
    if foreign:
        box.write(MAIN_PATH, f"global_defs {{\n enable_script_security\n script_user root\n}}\n{FOREIGN}")
        box.sh("systemctl start keepalived.service")
        box.until(lambda: box.holds("10.200.51.77"), "the foreign VIP")
    traces = "ip -o link show type macvlan; cat /proc/sys/net/ipv4/conf/ens3/arp_*; nft list tables"
    before, trace = box.snapshot(), box.sh(traces)
    bring_up(node, box, pair)
    leave(node)
    assert not box.holds(str(pair.vip))
    assert box.sh(traces) == trace, "link, sysctls and table do not wait for the new mode"
    node.remove(removal(pair))
    assert box.snapshot() == before


def test_beside_others_they_go_on(node: Node, box: Sandbox) -> None:
    box.write(MAIN_PATH, FOREIGN)
    bring_up(node, box)
    bring_up(node, box, DB)
    running = daemon(box)
    leave(node)
    assert daemon(box) == running
    assert node.sight(DB.name, DB.vip).role is Role.ACTIVE
    node.configure(config_for(node, VMAC))
    node.activate()
    box.until(lambda: node.sight(WEB.name, WEB.vip).role is Role.ACTIVE, "web Active again")
    assert daemon(box) == running
