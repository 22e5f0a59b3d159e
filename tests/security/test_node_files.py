"""What lies on a node is root's, and an ordinary user of the node can neither read it nor get in its way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from haos.adapters.node import Node
from haos.core.model import ServiceCheck
from haos.workflow.faults_node import WITHDRAW
from tests.adapters.fault_cases import order
from tests.adapters.node_cases import WEB, bring_up, config_for, removal
from tests.adapters.node_sandbox import Sandbox, require, sandbox

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="a sandbox of another user's has one user alone"),
]
CHECKED = replace(WEB, checks=(ServiceCheck("grep -q secret /dev/null || true"),))
MODES = {
    "/etc/keepalived": "755",
    "/etc/keepalived/keepalived.conf": "640",
    "/etc/keepalived/haos.d": "750",
    "/etc/keepalived/haos.d/web.conf": "640",
    "/etc/keepalived/haos.d/web.check-1": "750",
    "/etc/keepalived/haos.d/release-vips": "750",
    "/etc/keepalived/haos.d/.unit-was": "600",
    "/etc/keepalived/haos.d/.pending": "600",
    "/etc/systemd/system/keepalived.service.d": "755",
    "/etc/systemd/system/keepalived.service.d/haos.conf": "644",
    "/run/haos.lock": "600",
}
LOOK = "find /etc/keepalived /etc/systemd/system/keepalived.service.d /run/haos* -printf '%p %m %U:%G\\n'"
NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all"


@pytest.fixture
def box() -> Iterator[Sandbox]:
    require("keepalived", "setpriv")
    with sandbox() as made:
        made.sh("chmod 1777 /run/lock /tmp")  # as they are on Debian
        yield made


@pytest.fixture
def node(box: Sandbox) -> Node:
    return Node(box, "ha_first")


def as_nobody(box: Sandbox, command: str) -> str:
    """Return what the command printed; whether it succeeded is of no account."""
    return box.sh(f"{NOBODY} sh -c {command!r} 2>&1 || :")


def lying(box: Sandbox) -> dict[str, str]:
    lines = [line.split() for line in box.sh(LOOK).splitlines()]
    assert {owner for _, _, owner in lines} == {"0:0"}
    return {path: mode for path, mode, _ in lines}


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_modes_are_the_same_whatever_the_umask_of_the_login_is(box: Sandbox, node: Node, umask: str) -> None:
    run = box.run
    box.run = lambda script, **how: run(f"umask {umask}\n{script}", **how)  # type: ignore[method-assign]
    node.configure(config_for(node, CHECKED))
    assert lying(box) == MODES


def test_an_ordinary_user_reads_nothing_of_a_pair_and_cannot_hold_the_lock(box: Sandbox, node: Node) -> None:
    bring_up(node, box, CHECKED)
    box.sh("touch /etc/keepalived/haos.d/.pending")
    for path, mode in MODES.items():
        said = as_nobody(box, f"cat {path} >/dev/null; echo x >>{path}")
        assert "denied" in said or mode in ("755", "644"), path
    assert "denied" in as_nobody(box, "flock -n /run/haos.lock true; ls /etc/keepalived/haos.d")
    node.inject(order(WITHDRAW, CHECKED))
    assert box.sh("stat -c '%a %u' /run/haos") == "700 0\n"
    assert "denied" in as_nobody(box, "ls /run/haos")
    assert node.heal()


TRAPS = """
mkfifo /run/lock/haos.lock /run/lock/haos.masked
for name in keepalived.json keepalived.data keepalived_parent.data haos; do ln -s /etc/victim /tmp/$name; done
"""


def test_what_an_ordinary_user_lays_in_the_way_is_of_no_effect(box: Sandbox, node: Node) -> None:
    box.sh("echo untouched >/etc/victim")
    assert "denied" not in as_nobody(box, TRAPS.strip().replace("\n", ";"))
    bring_up(node, box, CHECKED)
    node.inject(order(WITHDRAW, CHECKED))
    assert node.heal()
    box.until(lambda: node.sight(CHECKED.name, CHECKED.vip).holds_vip, "the pair is back")
    node.remove(removal(CHECKED))
    assert box.sh("cat /etc/victim; stat -c '%a %u' /etc/victim") == "untouched\n644 0\n"


def test_a_configuration_that_haos_makes_has_script_security(box: Sandbox, node: Node) -> None:
    node.configure(config_for(node, CHECKED))
    main = box.read("/etc/keepalived/keepalived.conf").decode()
    assert "enable_script_security" in main.split()
    assert box.sh("keepalived --config-test -f /etc/keepalived/keepalived.conf 2>&1 || :") == ""
