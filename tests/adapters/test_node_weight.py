"""A pair's weight, really heeded: by inotify, by a reload where that fails, and through every other step."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.adapters.node import Node
from haos.core.model import Mode, Role
from haos.core.node import Sight
from haos.errors import StepError
from tests.adapters.fault_cases import withdraw
from tests.adapters.node_cases import DB, FOREIGN, WEB, bring_up, config_for, daemon, removal
from tests.adapters.node_sandbox import MAC, Sandbox

pytestmark = pytest.mark.real
WEIGHT = "/etc/keepalived/haos.d/web.weight"
DUMP = (
    "rm -f /tmp/keepalived.json; kill -$(keepalived --signum=JSON) $(cat /run/fake/pid); "
    "until tail -c 2 /tmp/keepalived.json 2>/dev/null | grep -q ']'; do sleep 0.05; done; cat /tmp/keepalived.json"
)


def effective(box: Sandbox, pair: str = "web") -> int:
    entries = json.loads(box.sh(DUMP))
    return next(int(one["data"]["effective_priority"]) for one in entries if one["data"]["iname"] == f"haos_{pair}")


def test_a_weight_counts_at_once_and_leaves_nothing(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    bring_up(node, box, DB)
    before, pids = box.snapshot(), daemon(box)
    node.weigh("web", 253)
    assert (effective(box), effective(box, DB.name)) == (254, 240)
    assert node.facts(MAC).weights == {"web": 253}
    node.weigh("web", -1)
    assert effective(box) == 239
    node.weigh("web", 0)
    assert effective(box) == 240
    assert node.facts(MAC).weights == {}
    node.weigh("web", 0)
    assert box.snapshot() == before
    assert daemon(box) == pids
    assert node.sight("web", WEB.vip) == Sight(Role.ACTIVE, True, True, 240)


def test_a_configuration_keeps_the_weight_and_a_removal_takes_it(box: Sandbox, node: Node) -> None:
    before = box.snapshot()
    bring_up(node, box)
    node.weigh("web", 10)
    members = tuple(replace(member, priority=member.priority - 50) for member in WEB.members)
    assert node.configure(config_for(node, replace(WEB, members=members)))
    node.activate()
    assert effective(box) == 200
    withdraw(node)
    node.weigh("web", 0)
    assert node.heal()
    assert effective(box) == 190
    node.weigh("web", 10)
    assert f"removed {WEIGHT}" in node.remove(removal()).done
    assert box.snapshot() == before


def test_a_weight_outlives_the_daemon(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    node.weigh("web", 5)
    box.sh("systemctl restart keepalived.service")
    box.until(lambda: node.sight("web", WEB.vip).role is Role.ACTIVE, "Active again")
    assert effective(box) == 245


def test_where_inotify_is_used_up_a_reload_makes_it_count(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    bring_up(node, box, DB)
    held = box.sh("ls -l /proc/$(cat /run/vrrp.pid)/fd | grep -c inotify").strip()
    assert held == "1", "one inotify instance is what the weights of all pairs cost"
    # As a watch that there was no room for: the folder is another one by now.
    box.sh("cd /etc/keepalived && mv haos.d gone && cp -a gone haos.d")
    node.weigh("web", 7)
    assert effective(box) == 247


@pytest.mark.parametrize("mode", list(Mode))
def test_in_every_mode_and_for_ipv6(box: Sandbox, node: Node, mode: Mode) -> None:
    six = replace(WEB, name="six", vip=ip_address("2001:db8:51::9"), mode=mode)
    node.configure(config_for(node, six, ip_address("2001:db8:51::32"), ip_address("2001:db8:51::33")))
    node.activate()
    box.until(lambda: node.sight("six", six.vip).role is Role.ACTIVE, "Active")
    node.weigh("six", 8)
    assert effective(box, "six") == 248


def test_next_to_a_foreign_configuration(box: Sandbox, node: Node) -> None:
    box.write("/etc/keepalived/keepalived.conf", FOREIGN)
    bring_up(node, box)
    node.weigh("web", 8)
    assert effective(box) == 248
    node.weigh("web", 0)


def test_what_cannot_be_weighed_is_refused(box: Sandbox, node: Node) -> None:
    with pytest.raises(StepError, match="is not on this node"):
        node.weigh("web", 5)
    bring_up(node, box)
    box.sh("sed -i '/^vrrp_track_file/,/^}/d; /    track_file/,/    }/d' /etc/keepalived/haos.d/web.conf")
    with pytest.raises(StepError, match="of an older haos, and knows no weight"):
        node.weigh("web", 5)
    node.configure(config_for(node))
    box.sh("systemctl stop keepalived.service")
    with pytest.raises(StepError, match="keepalived does not run"):
        node.weigh("web", 5)
    assert "web.weight" not in box.sh("ls -a /etc/keepalived/haos.d")
