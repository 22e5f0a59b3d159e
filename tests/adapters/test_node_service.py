"""Service checks on a node: in place before keepalived is asked, run as they are, gone with their pair."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from haos.adapters.node import Node
from haos.core.model import Role, ServiceCheck
from haos.core.nodeconf import config_current
from haos.errors import StepError
from tests.adapters.node_cases import WEB, bring_up, config_for, removal, spoilt
from tests.adapters.node_sandbox import MAC, Sandbox

pytestmark = pytest.mark.real

CHECKED = replace(WEB, checks=(ServiceCheck("test -e /run/fake/well"), ServiceCheck("true")))
ALIKE = replace(
    WEB, name="web.check-1", vrid=8, vip=ip_address("10.200.51.10"), checks=(ServiceCheck("test -e /run/fake/well"),)
)


def checks(box: Sandbox) -> list[str]:
    return box.sh("ls /etc/keepalived/haos.d").split()


def test_check_decides_who_may_be_active(box: Sandbox, node: Node) -> None:
    before = box.snapshot()
    box.sh("touch /run/fake/well")
    bring_up(node, box, CHECKED)
    config = config_for(node, CHECKED)
    assert config_current(config, node.facts(MAC))
    assert not node.configure(config)
    assert box.sh("stat -c '%a %U' /etc/keepalived/haos.d/web.check-1") == "750 root\n"
    box.sh("rm /run/fake/well")
    box.until(lambda: node.sight("web", WEB.vip).role is Role.FAULT, "Fault without the service")
    assert not box.holds(str(WEB.vip))
    box.sh("touch /run/fake/well")
    box.until(lambda: node.sight("web", WEB.vip).role is Role.ACTIVE, "Active with it")
    node.remove(removal())
    assert box.snapshot() == before


def test_check_that_is_wanted_no_more_goes_after_the_reload(box: Sandbox, node: Node) -> None:
    box.sh("touch /run/fake/well")
    bring_up(node, box, CHECKED)
    fewer = replace(CHECKED, checks=CHECKED.checks[:1])
    node.configure(config_for(node, fewer))
    assert "web.check-2" in checks(box), "keepalived still runs it"
    node.activate()
    assert [name for name in checks(box) if "check" in name] == ["web.check-1"]


def test_pairs_with_alike_names_keep_their_own(box: Sandbox, node: Node) -> None:
    box.sh("touch /run/fake/well")
    bring_up(node, box, CHECKED)
    bring_up(node, box, ALIKE)
    facts = node.facts(MAC)
    assert set(facts.check_files) == {"web.check-1", "web.check-2", "web.check-1.check-1"}
    assert set(facts.pair_files) == {"web", "web.check-1"}
    node.remove(removal())
    assert set(node.facts(MAC).check_files) == {"web.check-1.check-1"}
    assert node.sight(ALIKE.name, ALIKE.vip).role is Role.ACTIVE


def test_check_is_tested_with_the_configuration(box: Sandbox, node: Node) -> None:
    """keepalived's own test must see the script before it is in its place; one that is not there is refused."""
    before = box.snapshot()
    config = config_for(node, CHECKED)
    missing = spoilt(config, "/haos.d/web.check-1", "/haos.d/web.check-9")
    with pytest.raises(StepError, match=r"refuses the configuration: .*track script haos_web_1"):
        node.configure(missing)
    box.sh("rm -f /run/haos.lock")
    assert box.snapshot() == before
    assert node.configure(config)
