"""Nodes that fail while a step is at work on them: it ends as documented, says what is left, and can be run again."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from haos.lab import control
from tests.lab.main_job import CREATE, NODES, begun, cloud, eventually, haos, node_state, on
from tests.lab.refusals import Refusal, nothing_changed

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]

NODE = "ha_second"
QUIET = ("--name", "web", "--no-verify", "-q")
DEADLINE_S = 90.0
HELD, LET_GO, STOPPED = "/run/lock/held", "/run/lock/let-go", "/run/lock/stopped"
LOCKING = (
    "python3 -c 'import fcntl, signal; fcntl.lockf(9, fcntl.LOCK_EX); print(flush=1); signal.pause()'"
    " >/run/lock/said & trap 'kill $!; rm /run/lock/said' EXIT; until [ -s /run/lock/said ]; do sleep 0.05; done"
)
"""As dpkg does: such a lock goes with the process that has taken it."""
SESSION = (
    "pid=$(pgrep -xo flock); until [ $(cat /proc/$pid/comm) = sshd ]; do pid=$(ps -o ppid= $pid | tr -d ' '); done"
)
"""Finds the sshd of the session whose step waits for the lock."""


@pytest.fixture(scope="module", autouse=True)
def nodes_as_they_were(own_lab: str) -> Iterator[None]:
    """Fail if anything of haos's is on a node in the end."""
    before = {node: node_state(own_lab, node) for node in NODES}
    yield
    assert {node: node_state(own_lab, node) for node in NODES} == before


@pytest.fixture(scope="module")
def installed(own_lab: str) -> Iterator[None]:
    """Have keepalived on the nodes, as something that was there before."""
    for node in NODES:
        on(
            own_lab,
            node,
            "sudo sh -c 'apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qqy install keepalived'",
        )
    yield
    for node in NODES:
        on(own_lab, node, "sudo DEBIAN_FRONTEND=noninteractive apt-get -qy purge --autoremove keepalived")


def as_root(lab: str, command: str) -> str:
    """Run a shell command on the node that has the trouble."""
    return on(lab, NODE, f"sudo sh -ec {shlex.quote(command)}")


@contextmanager
def held(lab: str, lock: str, how: str) -> Iterator[Callable[[], None]]:
    """Hold a lock on the node as another process would; gives what lets it go."""
    hold = f"exec 9>>{lock}; {how}; : >{HELD}; until [ -e {LET_GO} ]; do sleep 0.05; done; rm {LET_GO} {HELD}"
    as_root(lab, f"systemd-run -q sh -c {shlex.quote(hold)}")
    is_held = f"ls {HELD}"
    assert eventually(lambda: on(lab, NODE, is_held, ok=False) != "")

    def let_go() -> None:
        as_root(lab, f"[ ! -e {HELD} ] || : >{LET_GO}")
        assert eventually(lambda: on(lab, NODE, is_held, ok=False) == "")

    try:
        yield let_go
    finally:
        let_go()


def waiting(lab: str, steps: int) -> bool:
    """Say whether so many steps wait for the node's lock."""
    return len(on(lab, NODE, "pgrep -x flock", ok=False).split()) == steps


@contextmanager
def at_work(lab: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[], None]]]:
    """Have a create with a step on the node that has begun, and waits; gives what lets it go on."""
    with held(lab, "/run/haos.lock", "flock 9") as let_go, begun(lab, *CREATE, *QUIET) as run:
        assert eventually(lambda: waiting(lab, 1), 60)
        yield run, let_go


@contextmanager
def opened(lab: str) -> Iterator[Callable[[str], None]]:
    """Have a session on the node, for the time when no other can be had; gives what runs a command there."""
    argv = control.ssh_argv(lab, NODE, ["echo ready; exec sudo sh -e"])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        assert session.stdout.readline() == "ready\n"

        def run(command: str) -> None:
            session.communicate(f"{command}\n", timeout=DEADLINE_S)
            assert session.returncode == 0

        yield run


def end_of(run: subprocess.Popen[str], *codes: int) -> Refusal:
    """Wait for haos, which must end with one of these codes, a reason and a remedy."""
    started_s = time.monotonic()
    _, said = run.communicate(timeout=DEADLINE_S)
    assert run.returncode in codes, said
    lines = said.splitlines()
    assert [line[:8] for line in lines] == ["haos: " + lines[0][6:8], "  hint: "], said
    assert time.monotonic() - started_s < DEADLINE_S
    return Refusal(lines[0].removeprefix("haos: "), lines[1].removeprefix("  hint: "))


def again(lab: str) -> None:
    """Run the same command, which goes on to its end, and take everything away."""
    haos(lab, *CREATE, *QUIET)
    haos(lab, "teardown", "web", "--purge", "-y")


def test_package_manager_that_is_at_work_is_told_and_waited_for(own_lab: str) -> None:
    with nothing_changed(own_lab):
        busy = held(own_lab, "/var/lib/dpkg/lock-frontend", LOCKING)
        with busy as let_go, begun(own_lab, *CREATE, "--name", "web", "--no-verify") as run:
            assert run.stderr is not None
            told = next(line for line in run.stderr if "warning: " in line)
            assert re.search(r"on ha_second packages are being worked at \(\w+, process \d+\)", told)
            assert eventually(lambda: on(own_lab, NODE, "pgrep -x apt-get", ok=False) != "", 60)
            let_go()
            _, said = run.communicate(timeout=DEADLINE_S)
            assert run.returncode == 0, said
        haos(own_lab, "teardown", "web", "--purge", "-y")


LOST = (r"configuring pair web: the connection to ha_second .* broke", "run the same command again")
TROUBLE: dict[str, tuple[str, str, str, str]] = {
    "connection dropped": (f"{SESSION}; kill -KILL $pid", "", *LOST),
    "connection that hangs": (
        f"{SESSION}; kill -STOP $pid; echo $pid >{STOPPED}",
        f"pid=$(cat {STOPPED}); rm {STOPPED}; kill -CONT $pid; while [ -e /proc/$pid ]; do sleep 0.05; done",
        *LOST,
    ),
}  # fmt: skip
"""what happens -> how to bring it about, how to mend it, reason, remedy"""


@pytest.mark.parametrize("case", TROUBLE)
def test_connection_that_is_lost_amid_a_step(own_lab: str, installed: None, case: str) -> None:
    change, back, reason, hint = TROUBLE[case]
    with nothing_changed(own_lab), at_work(own_lab) as (run, let_go):
        as_root(own_lab, change)
        assert eventually(lambda: waiting(own_lab, 2), 60), "the undo waits behind the step that was lost"
        as_root(own_lab, back)
        let_go()
        said = end_of(run, 1)
    assert re.search(reason, said.reason), said
    assert hint in said.hint


def test_disk_that_fills_up_amid_a_step(own_lab: str, installed: None) -> None:
    fill = "mount -t tmpfs -o size=8k tmpfs /etc/keepalived; head -c 8000 /dev/zero >/etc/keepalived/other || :"
    with nothing_changed(own_lab):
        with at_work(own_lab) as (run, let_go):
            as_root(own_lab, fill)
            let_go()
            said = end_of(run, 1)
        as_root(own_lab, "umount /etc/keepalived")
    assert re.search(r"configuring pair web on ha_second failed: cannot .*: is the disk full", said.reason), said


def test_node_that_restarts_amid_a_step(own_lab: str, installed: None) -> None:
    compute = cloud(own_lab).compute
    [server] = [one for one in compute.servers() if one.name == NODE]
    with nothing_changed(own_lab):
        with at_work(own_lab) as (run, _):
            compute.reboot_server(server, "HARD")
            said = end_of(run, 1, 6)
        assert re.search(LOST[0], said.reason), said
        again(own_lab)


def test_ssh_that_is_refused_from_a_step_on(own_lab: str, installed: None) -> None:
    refuse = "nft add table inet mine; nft add chain inet mine in '{ type filter hook input priority 0; }'; "
    refuse += "nft add rule inet mine in tcp dport 22 tcp flags '& (syn|ack) == syn' reject with tcp reset"
    with nothing_changed(own_lab):
        with at_work(own_lab) as (run, _), opened(own_lab) as mend:
            as_root(own_lab, f"{SESSION}; {refuse}; kill -KILL $pid")
            said = end_of(run, 6)
            mend("nft delete table inet mine")
        assert "Not undone: files of pair web on ha_second (cannot connect to " in said.reason
        assert "kept, so that haos teardown finds the rest" in said.reason
        assert said.hint == "the same haos create goes on from here; haos teardown takes it all away"
        again(own_lab)
