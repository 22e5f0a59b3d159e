"""A node in namespaces of its own: real keepalived, files over the machine's /etc and /usr, a systemctl in sh."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BIN = Path(__file__).parent / "bin"
MAC = "fa:16:3e:00:00:01"
DEADLINE_S = 15.0

_INIT = """\
import ctypes, os, signal, subprocess, sys
def sh(text): subprocess.run(["sh", "-ec", text], check=True)
sh('''
mount -t proc proc /proc
mount -t tmpfs tmpfs /mnt
options=$( [ "$1" = 0 ] || echo ,userxattr )
for name in etc usr; do
    mkdir -p /mnt/$name/upper /mnt/$name/work
    mount -t overlay overlay -o "lowerdir=/$name,upperdir=/mnt/$name/upper,workdir=/mnt/$name/work$options" /$name
done
cp -r "$0" /mnt/bin
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/fake /run/systemd/system
cp -r /mnt/bin /run/bin
mount -t tmpfs tmpfs /tmp
rm -rf /etc/keepalived /etc/systemd/system/keepalived.service.d
mkdir -p /etc/keepalived /etc/systemd/system
echo enabled >/run/fake/enabled
ip link set lo up
ip link add ens3 type veth peer name far
ip link set ens3 address fa:16:3e:00:00:01
ip link set far up
ip link set ens3 up
ip address add 10.200.51.32/24 dev ens3
ip address add 2001:db8:51::32/64 dev ens3 nodad
'''.replace('"$0"', repr(sys.argv[1])).replace('"$1"', sys.argv[2]))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # as PID 1: whoever is orphaned is reaped
print("ready", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Result:
    """What a script left behind."""

    returncode: int
    stdout: str
    stderr: str


class Sandbox:
    """A Connection to the node, and a few ways to look at it."""

    def __init__(self, init_pid: int, user: list[str]) -> None:
        self.entering = ["nsenter", "-t", str(init_pid), *user, "--net", "--mount", "--pid", "--"]

    def run(self, script: str, *, timeout_s: float, sudo: bool = False, what: str = "") -> Result:
        """Run a script as the SSH connection does: from stdin, in braces."""
        wrapped = (
            f"{{\nunset DEBIAN_FRONTEND; PATH=/run/bin:$PATH:/usr/sbin:/sbin; export PATH\n{script}\n}} </dev/null\n"
        )
        argv = [*self.entering, "timeout", f"{timeout_s:g}", "sh", "-s"]
        done = subprocess.run(
            argv, input=wrapped, capture_output=True, text=True, timeout=timeout_s + 10, check=False
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def sh(self, script: str) -> str:
        """Run a command of the test's own; it must succeed."""
        result = self.run(script, timeout_s=DEADLINE_S)
        assert result.returncode == 0, result
        return result.stdout

    def write(self, path: str, text: str | bytes) -> None:
        """Put a file there, byte for byte."""
        data = text.encode() if isinstance(text, str) else text
        argv = [*self.entering, "sh", "-c", 'mkdir -p "${0%/*}" && cat >"$0"', path]
        subprocess.run(argv, input=data, check=True, timeout=DEADLINE_S)

    def read(self, path: str) -> bytes:
        """Return a file's bytes."""
        argv = [*self.entering, "cat", path]
        return subprocess.run(argv, capture_output=True, check=True, timeout=DEADLINE_S).stdout

    def snapshot(self) -> str:
        """Return all that haos could have left: files with their sums, addresses, the unit."""
        return self.sh(
            "find /etc/keepalived /etc/systemd/system/keepalived.service.d /run/haos* /run/systemd /tmp "
            r"\( -type f -exec sha256sum {} + -o -true \) -printf '%p %M %u %l\n' 2>/dev/null | sort; "
            "ip -br address; systemctl is-enabled keepalived.service; systemctl is-active keepalived.service || :"
        )

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; fail at the deadline."""
        until_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < until_s, f"not within {DEADLINE_S} s: {what}"
            time.sleep(0.02)

    def holds(self, vip: str) -> bool:
        """Say whether the node has the VIP."""
        return bool(self.sh(f"ip -o address show to {vip}").strip())


def require(*tools: str) -> None:
    """Skip where a tool is missing, naming it; fail where CI promised it."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [tool for tool in tools if shutil.which(tool, path=path) is None]
    if missing:
        assert not os.environ.get("CI"), f"missing: {missing}"
        pytest.skip(f"missing: {', '.join(missing)}")


@contextlib.contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Make a node, and let it go with everything that runs in it."""
    require("unshare", "nsenter", "ip", "flock", "base64")
    root = os.geteuid() == 0
    user = [] if root else ["--user", "--map-root-user"]
    spaces = ["--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--propagation", "private"]
    argv = ["unshare", *user, *spaces, "--", sys.executable, "-c", _INIT, str(BIN), str(int(not root))]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout is not None
        try:
            if it.stdout.readline().strip() != "ready":
                _, why = it.communicate(timeout=DEADLINE_S)
                assert not os.environ.get("CI"), why
                pytest.skip(f"namespaces with overlay mounts are needed: {why.strip().splitlines()[-1:]}")
            yield Sandbox(_child(it.pid), [] if root else ["--user", "--preserve-credentials"])
        finally:
            it.kill()
            it.communicate(timeout=DEADLINE_S)


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
