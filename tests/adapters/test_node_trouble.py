"""Steps that are killed, find no room, no lock, no daemon: nothing half-done stays."""

from __future__ import annotations

import pytest

from haos.adapters import node as node_module
from haos.adapters import node_steps
from haos.adapters.node import Node
from haos.adapters.node_steps import step_script
from haos.core.keepalived import (
    MAIN_PATH,
)
from haos.core.nodeconf import config_current
from haos.errors import StepError
from tests.adapters.fault_cases import withdraw
from tests.adapters.node_cases import (
    FOREIGN,
    WEB,
    config_for,
    removal,
)
from tests.adapters.node_sandbox import MAC, Sandbox

pytestmark = pytest.mark.real


KILL = """#!/bin/sh
# The {name} that stands in for a power cut: the n-th call kills the step that made it.
count=$(($(cat /run/fake/count 2>/dev/null || echo 0) + 1))
echo "$count" >/run/fake/count
[ "$count" -ne "$(cat /run/fake/kill-at)" ] || kill -9 "$PPID"
exec {path} "$@"
"""


@pytest.mark.parametrize(("tool", "path"), [("mv", "/bin/mv"), ("rm", "/bin/rm"), ("sync", "/bin/sync")])
@pytest.mark.parametrize("foreign", [False, True])
def test_killed_anywhere_the_same_step_completes_and_removal_leaves_no_trace(
    box: Sandbox, node: Node, tool: str, path: str, foreign: bool
) -> None:
    if foreign:
        box.write(MAIN_PATH, FOREIGN)
    before = box.snapshot()
    config = config_for(node)
    steps = {
        "configure": node_module._parameters(config),
        "remove": {"PAIR": "web", "VIP": str(WEB.vip), "PURGE": "no", "RETURNING": "no"},
    }
    for name, parameters in steps.items():
        for nth in range(1, 30):
            box.sh(f"echo {nth} >/run/fake/kill-at; rm -f /run/fake/count")
            if name == "remove":
                node.configure(config)
            box.write(f"/run/bin/{tool}", KILL.format(name=tool, path=path))
            box.sh(f"chmod +x /run/bin/{tool}; /bin/rm -f /run/fake/count")
            killed = box.run(step_script(name, parameters), timeout_s=30).returncode != 0
            box.sh(f"/bin/rm -f /run/bin/{tool}")
            if name == "configure":
                node.configure(config)
                assert config_current(config, node.facts(MAC))
            node.remove(removal())
            assert box.snapshot() == before, f"{name} killed at {tool} no. {nth}"
            if not killed:
                break
        else:
            pytest.fail("the kill never ended")


def test_full_disk_changes_nothing(box: Sandbox, node: Node) -> None:
    box.sh("mkdir -p /etc/keepalived; mount -t tmpfs -o size=4k tmpfs /etc/keepalived")
    with pytest.raises(StepError, match=r"disk full|cannot"):
        node.configure(config_for(node))
    assert (
        box.sh("find /etc/keepalived -type f; ls /etc/systemd/system/keepalived.service.d 2>&1 || :").count("\n") <= 1
    )


def test_a_second_haos_waits_and_then_says_why(box: Sandbox, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_steps, "LOCK_TIMEOUT_S", 1)
    box.sh("setsid sh -c 'exec 8>/run/haos.lock; flock 8; exec sleep 60' >/dev/null 2>&1 & :")
    box.until(lambda: "held" in box.sh("flock -n /run/haos.lock : || echo held"), "the lock is held")
    with pytest.raises(StepError, match="another haos is at work on this node"):
        withdraw(node)


def test_daemon_that_does_not_start_is_an_error(box: Sandbox, node: Node) -> None:
    node.configure(config_for(node))
    box.sh("touch /run/fake/start-fails")
    with pytest.raises(StepError, match="keepalived did not start"):
        node.activate()


def test_scripts_take_hostile_values_as_text(box: Sandbox) -> None:
    evil = "a b;$(touch /tmp/x)'\"`touch /tmp/x`\n\u00fc"
    result = box.run(step_script("weigh", {"PAIR": evil, "WEIGHT": "1"}), timeout_s=30)
    assert f"pair {evil} is not on this node" in result.stderr
    assert "x" not in box.sh("ls /tmp").split()


def test_files_get_their_selinux_labels(box: Sandbox, node: Node) -> None:
    """A file that was made elsewhere and moved keeps the label of where it was made."""
    box.write(
        "/run/bin/restorecon",
        '#!/bin/sh\nfor last; do :; done\n[ -e "$last" ] && echo "$last" >>/run/fake/labelled\n',
    )
    box.sh("chmod +x /run/bin/restorecon")
    box.write(MAIN_PATH, FOREIGN)
    config = config_for(node)
    node.configure(config)
    labelled = box.sh("cat /run/fake/labelled; : >/run/fake/labelled").split()
    assert set(labelled) == {*(file.path for file in config.files), MAIN_PATH}
    node.remove(removal())
    assert MAIN_PATH in box.sh("cat /run/fake/labelled")
