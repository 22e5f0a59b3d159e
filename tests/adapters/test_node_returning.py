"""A pair that leaves a node only to come back in another mode: what pairs share stays, and no other is disturbed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haos.adapters.node import Node
from haos.core.keepalived import MAIN_PATH
from haos.core.model import Mode, Role
from tests.adapters.node_cases import DB, FOREIGN, WEB, bring_up, config_for, daemon, removal
from tests.adapters.node_sandbox import MAC, Sandbox

pytestmark = pytest.mark.real
VMAC = replace(WEB, mode=Mode.VMAC)


def leave(node: Node) -> None:
    node.remove(replace(removal(), returning=True))


def test_alone_its_daemon_stops_and_all_that_is_shared_stays(node: Node, box: Sandbox) -> None:
    bring_up(node, box)
    before = node.facts(MAC)
    leave(node)
    after = node.facts(MAC)
    assert after.pair_files == {}
    assert not after.daemon_active
    assert WEB.vip not in after.addresses
    assert (after.main_config, after.drop_in, after.release_script) == (
        before.main_config,
        before.drop_in,
        before.release_script,
    )
    assert box.sh("ls -A /etc/keepalived/haos.d").split() == [".unit-was", "release-vips"]
    bring_up(node, box, VMAC)
    node.remove(removal(VMAC))
    assert MAIN_PATH not in box.sh("find /etc/keepalived")


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
