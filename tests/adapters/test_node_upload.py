"""What keepalived reads is never half a file: steps are killed (SIGKILL, the whole session) at every command.

keepalived may read at any time: it reloads when somebody tells it to, and starts when the node does. So whatever lies
there when a step dies must be whole, old or new, and pass its configuration test if it did before.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import random
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from haos.adapters import node as node_module
from haos.adapters import openssh_script
from haos.adapters.node import Node
from haos.adapters.node_steps import step_script
from haos.core.keepalived import DROP_IN_PATH, HAOS_FOLDER, MAIN_PATH
from haos.core.model import Mode, Pair, ServiceCheck, Timing
from haos.core.node import NodeConfig
from haos.core.nodeconf import node_config
from haos.errors import RemoteError
from tests.adapters.node_cases import DB, FOREIGN, PEER, SOURCE, WEB
from tests.adapters.node_kills import LEFTOVER, Tree, disk_of, kills, put_back, run_in_session
from tests.adapters.node_sandbox import DEADLINE_S, MAC, Sandbox
from tests.adapters.openssh_server import INSTANCE, Client, Sshd, clients_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

READ = ("keepalived.conf", "*.conf", "*.check-[0-9]*", "*.weight", "release-vips")
"""What keepalived and systemd read, by name; what haos alone reads (.pending, …) is not among it."""
CHECKED = replace(WEB, checks=(ServiceCheck("tcp:22"), ServiceCheck("true")))
CHANGED = replace(
    WEB,
    timing=Timing(0.3, 5),
    checks=(ServiceCheck("test -e /run/ready"), ServiceCheck("tcp:22"), ServiceCheck("tcp:80")),
)
LINKED = "/etc/own.d/keepalived.conf"

Parameters = Mapping[str, str]


@dataclass(frozen=True)
class Case:
    """A step, what the node is like before it, and what takes everything away again."""

    step: str
    parameters: Callable[[Node], Parameters]
    before: Callable[[Sandbox, Node], None]


def networkd_config(node: Node, pair: Pair) -> NodeConfig:
    """Return the configuration of a node on which systemd-networkd is told to keep the VIP."""
    facts = replace(
        node.facts(MAC), net_manager="systemd-networkd", network_file="/etc/systemd/network/10-lan.network"
    )
    return node_config(pair, facts, 0, SOURCE, (PEER,))


def configuring(pair: Pair) -> Callable[[Node], Parameters]:
    return lambda node: node_module._parameters(networkd_config(node, pair))


def removing(pair: Pair = WEB, returning: str = "no") -> Callable[[Node], Parameters]:
    return lambda _: {"PAIR": pair.name, "VIP": str(pair.vip), "PURGE": "no", "RETURNING": returning}


def weighing(weight: int) -> Callable[[Node], Parameters]:
    return lambda _: {"PAIR": "web", "WEIGHT": str(weight)}


def having(
    *pairs: Pair, main: str | None = None, linked: bool = False, runs: bool = False, weight: int = 0
) -> Callable[..., None]:
    """Return what makes a node that has these pairs, over a keepalived.conf of its own."""

    def make(box: Sandbox, node: Node) -> None:
        box.write("/etc/systemd/network/10-lan.network", "[Match]\nName=ens3\n")
        if main is not None:
            box.write(LINKED if linked else MAIN_PATH, main)
        if linked:
            box.sh(f"ln -s {LINKED} {MAIN_PATH}")
        for pair in pairs:
            node.configure(networkd_config(node, pair))
        if runs:
            node.activate()
        if weight:
            node.weigh("web", weight)

    return make


CASES = {
    "first pair": Case("configure", configuring(WEB), having()),
    "changed pair": Case("configure", configuring(CHANGED), having(CHECKED)),
    "second pair": Case("configure", configuring(DB), having(WEB)),
    "vmac": Case("configure", configuring(replace(WEB, mode=Mode.VMAC)), having()),
    "beside one's own": Case("configure", configuring(WEB), having(main=FOREIGN)),
    "beside one's own, no end of line, linked": Case(
        "configure", configuring(WEB), having(main=FOREIGN.rstrip("\n"), linked=True)
    ),
    "removal of the last pair": Case("remove", removing(), having(CHECKED)),
    "removal of one of two": Case("remove", removing(), having(CHECKED, DB)),
    "removal beside one's own": Case("remove", removing(), having(WEB, main=FOREIGN)),
    "removal beside one's own, no end of line, linked": Case(
        "remove", removing(), having(WEB, main=FOREIGN.rstrip("\n"), linked=True)
    ),
    "leaving a mode": Case("remove", removing(returning="yes"), having(WEB, DB)),
    "weight": Case("weigh", weighing(7), having(WEB, runs=True)),
    "no weight": Case("weigh", weighing(0), having(WEB, runs=True, weight=7)),
}


def read_files(tree: Tree) -> Tree:
    """Return what keepalived and systemd read."""
    return {
        path: entry
        for path, entry in tree.items()
        if any(fnmatch.fnmatchcase(path.rpartition("/")[2], name) for name in READ) and LEFTOVER not in path
    }


def leftovers(tree: Tree) -> list[str]:
    return sorted(path for path in tree if LEFTOVER in path or path.endswith(".tmp"))


def passes(box: Sandbox) -> bool:
    """Say whether keepalived takes what lies there; nothing at all is nothing to complain of."""
    return (
        box.sh(f"[ ! -e {MAIN_PATH} ] || keepalived --config-test >/dev/null 2>&1 && echo fine || echo no")
        == "fine\n"
    )


def names_it_reads(box: Sandbox) -> set[str]:
    """Return the files that haos's include line leads keepalived to."""
    return set(box.sh(f"ls -d {HAOS_FOLDER}/*.conf 2>/dev/null || :").split())


def wholly(entry: object, path: str, old: Tree, new: Tree) -> bool:
    return entry in (old.get(path), new.get(path))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_killed_at_any_command_no_file_is_half_and_the_next_run_completes(
    box: Sandbox, node: Node, case: Case
) -> None:
    """The same run again ends as an undisturbed one; a removal instead leaves what it leaves after one of those."""
    case.before(box, node)
    parameters = case.parameters(node)
    old, passed = disk_of(box), passes(box)
    node._step(case.step, parameters, "the undisturbed run")
    new = disk_of(box)
    assert passes(box) or not passed
    assert leftovers(new.tree) == []

    removal = removing(DB if parameters["PAIR"] == DB.name else WEB)(node)
    if case.step == "configure":
        node._step("remove", removal, "its removal")
    clean = disk_of(box)
    deaths = 0
    for at, found in kills(box, case.step, parameters, old):
        deaths += 1
        where = f"killed at command {at}"
        halves = [
            path for path, entry in read_files(found.tree).items() if not wholly(entry, path, old.tree, new.tree)
        ]
        assert halves == [], where
        assert passes(box) or not passed, where
        assert names_it_reads(box) <= {*old.tree, *new.tree}, where

        node._step(case.step, parameters, f"the run after it was {where}")
        assert disk_of(box).tree == new.tree, where
        if case.step == "configure":
            put_back(box, found)
            node._step("remove", removal, f"the removal after it was {where}")
            assert disk_of(box).tree == clean.tree, where
    assert deaths > 1


HALF = """#!/bin/sh
# The {name} of a disk or a kernel that stops in the middle: half of what it would write, then nobody is left.
count=$(($(cat /run/fake/count 2>/dev/null || echo 0) + 1))
echo "$count" >/run/fake/count
[ "$count" -eq {at} ] || exec {path} "$@"
{half}
kill -9 0
"""
HALVES = {
    "base64": ("/usr/bin/base64", '/usr/bin/base64 "$@" | head -c 100'),
    "cp": ("/bin/cp", 'for to; do from=${last-}; last=$to; done; head -c 100 "$from" >"$last"'),
    "sed": ("/bin/sed", '/bin/sed "$@" | head -c 100'),
    "grep": ("/bin/grep", '/bin/grep "$@" | head -c 20'),
}


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("changed pair", "base64"),
        ("changed pair", "cp"),
        ("changed pair", "sed"),
        ("beside one's own", "cp"),
        ("removal beside one's own", "grep"),
    ],
)
def test_killed_in_the_middle_of_a_write_no_file_is_half(box: Sandbox, node: Node, name: str, tool: str) -> None:
    case, (path, half) = CASES[name], HALVES[tool]
    case.before(box, node)
    parameters = case.parameters(node)
    old, passed = disk_of(box), passes(box)
    node._step(case.step, parameters, "the undisturbed run")
    new = disk_of(box)
    for at in range(1, 60):
        put_back(box, old)
        box.write(f"/run/bin/{tool}", HALF.format(name=tool, path=path, at=at, half=half))
        box.sh(f"chmod +x /run/bin/{tool}; rm -f /run/fake/count")
        killed = run_in_session(box, case.step, parameters).returncode != 0
        box.sh(f"rm -f /run/bin/{tool}")
        found = read_files(disk_of(box).tree)
        assert [one for one, entry in found.items() if not wholly(entry, one, old.tree, new.tree)] == []
        assert passes(box) or not passed
        node._step(case.step, parameters, "the run after it")
        assert disk_of(box).tree == new.tree, f"{tool} no. {at}"
        if not killed:
            return
    pytest.fail(f"{tool} is called without end")


def test_systemd_hears_of_a_drop_in_though_the_run_that_put_it_there_was_killed(box: Sandbox, node: Node) -> None:
    parameters = configuring(WEB)(node)
    box.write("/run/bin/mv", '#!/bin/sh\n/bin/mv "$@"\ncase $* in -T*/keepalived.service.d) kill -9 0 ;; esac\n')
    box.sh("chmod +x /run/bin/mv")
    assert run_in_session(box, "configure", parameters).returncode != 0
    box.sh("rm /run/bin/mv")
    assert DROP_IN_PATH in disk_of(box).tree
    assert box.sh("systemctl show -p NeedDaemonReload --value keepalived.service") == "yes\n"
    node._step("configure", parameters, "the run after it")
    node.activate()
    assert box.sh("systemctl show -p NeedDaemonReload --value keepalived.service") == "no\n"


@pytest.fixture
def over_ssh(box: Sandbox, tmp_path: Path) -> Iterator[Client]:
    """A user of a real sshd whose every session ends up in the sandboxed node."""
    inside = tmp_path / "inside"
    inside.write_text(
        f"#!/bin/sh\nexec {shlex.join(box.entering)} env PATH=/run/bin:/usr/bin:/bin:/usr/sbin:/sbin "
        'sh -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    inside.chmod(0o755)
    folder = tmp_path / "sshd"
    folder.mkdir()
    server = Sshd(folder, extra=[f"ForceCommand {inside}"]).start()
    client = Client(server, tmp_path).trust()
    yield client
    client.close()
    server.stop()


@pytest.mark.parametrize("seed", range(6))
def test_an_ssh_client_that_is_killed_leaves_no_half_file(
    box: Sandbox, node: Node, over_ssh: Client, seed: int
) -> None:
    """SIGKILL at a random time, of the ssh that carries the script or of the one that holds the connection."""
    case = CASES["changed pair"]
    case.before(box, node)
    parameters = case.parameters(node)
    old, passed = disk_of(box), passes(box)
    node._step(case.step, parameters, "the undisturbed run")
    new = disk_of(box)
    put_back(box, old)
    chance = random.Random(seed)  # noqa: S311 - a test's moments, no secret
    connection = over_ssh.gateway().connect(INSTANCE)
    remote = Node(connection, "ha_first")
    assert remote.facts(MAC).interface == "ens3", "or it is not the node that is reached"

    outcome: list[object] = []

    def step() -> None:
        try:
            remote._step(case.step, parameters, "the step")
        except RemoteError as error:
            outcome.append(error)

    worker = threading.Thread(target=step)
    worker.start()
    time.sleep(chance.uniform(0, 0.4))
    carriers = clients_of(over_ssh)
    for pid in carriers if seed % 2 else carriers[-1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    worker.join(4 * DEADLINE_S)
    assert not worker.is_alive()

    found = read_files(disk_of(box).tree)
    assert [path for path, entry in found.items() if not wholly(entry, path, old.tree, new.tree)] == []
    assert passes(box) or not passed
    remote._step(case.step, parameters, "the step again")  # which waits for a script that goes on, by the node's lock
    assert disk_of(box).tree == new.tree


@pytest.mark.parametrize("step", ["configure", "activate"])
def test_a_step_whose_haos_goes_away_while_it_waits_for_the_node_does_nothing(
    box: Sandbox, node: Node, over_ssh: Client, step: str
) -> None:
    """By the time it comes to its turn that haos may have undone what it was a part of."""
    node.configure(networkd_config(node, WEB))
    parameters = configuring(CHANGED)(node) if step == "configure" else {}
    before = disk_of(box)
    remote = Node(over_ssh.gateway().connect(INSTANCE), "ha_first")
    assert remote.facts(MAC).interface == "ens3"
    box.sh(
        "setsid sh -c 'exec 8>>/run/haos.lock; flock 8; until [ -e /run/go ]; do sleep 0.1; done' >/dev/null 2>&1 & :"
    )
    box.until(lambda: "held" in box.sh("flock -n /run/haos.lock : || echo held"), "the lock is held")

    def wait() -> None:
        with contextlib.suppress(RemoteError):
            remote._step(step, parameters, "the step")

    worker = threading.Thread(target=wait)
    worker.start()
    waiting = "grep -sxl flock /proc/[0-9]*/comm || :"
    box.until(lambda: box.sh(waiting) != "", "the step waits")
    for pid in clients_of(over_ssh):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    worker.join(4 * DEADLINE_S)
    assert not worker.is_alive()
    box.sh(": >/run/go")
    box.until(
        lambda: box.sh("flock -n /run/haos.lock echo free || :") == "free\n" and box.sh(waiting) == "", "it ended"
    )
    assert disk_of(box).tree == before.tree
    assert box.sh("systemctl is-active keepalived.service || :") == "inactive\n"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_script_of_which_a_part_arrived_does_nothing(
    box: Sandbox, node: Node, over_ssh: Client, share: float
) -> None:
    """The connection breaks while the script is being sent: no command of it runs."""
    node.configure(networkd_config(node, WEB))
    before = disk_of(box)
    connection = over_ssh.gateway().connect(INSTANCE)
    whole = openssh_script.wrap(step_script("configure", configuring(CHANGED)(node)), "begun").encode()
    process = connection._start("timeout -k 2 60 sh -s")
    assert process.stdin is not None
    process.stdin.write(whole[: int(len(whole) * share)])
    process.stdin.flush()
    process.kill()
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert b"begun" not in said
    remote_shells = "grep -la 'timeou[t].-k.2.60' /proc/[0-9]*/cmdline 2>/dev/null || :"
    box.until(lambda: box.sh(remote_shells) == "", "the remote shell has ended")
    assert disk_of(box).tree == before.tree


def test_no_cut_of_a_script_runs_anything(box: Sandbox, node: Node) -> None:
    """Cut at the end of each line, given to the node's own shell as sshd would."""
    node.configure(networkd_config(node, WEB))
    before = disk_of(box)
    whole = openssh_script.wrap(step_script("configure", configuring(CHANGED)(node)), "begun")
    box.write("/run/whole", whole)
    last = whole.count("\n") - 1
    each = (
        f"n=1; while [ $n -le {last} ]; do head -n $n /run/whole | sh -s 2>/dev/null; n=$((n + 1)); done; echo over"
    )
    said = box.run(each, timeout_s=300)
    assert said.stdout == "over\n"
    assert disk_of(box).tree == before.tree
