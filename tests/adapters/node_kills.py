"""Steps on a sandboxed node that are killed, whole session and all, at any command; and what they leave behind."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from haos.adapters.node_steps import step_script
from tests.adapters.node_sandbox import DEADLINE_S, Result, Sandbox

EVERY = os.environ.get("HAOS_KILL_EVERY") == "1"
"""Kill at every command, not only at those between which something on the disk has changed."""
FOLDERS = ("/etc/keepalived", "/etc/systemd/system/keepalived.service.d", "/etc/systemd/network")
PLACES = (*FOLDERS, "/run/haos.lock", "/run/haos", "/etc/own.d")
"""Where a step writes; the last is where a test keeps a keepalived.conf that is linked to."""
LEFTOVER = ".haos-"

_LOOK = f"find {' '.join(FOLDERS)} /etc/own.d -printf '%p %i %s %T@ %m %l\\n' 2>/dev/null"
_TRACED = f"""\
haos_tick() {{
    read -r haos_n </run/fake/tick
    haos_n=$((haos_n + 1))
    echo "$haos_n" >/run/fake/tick
    if [ KILL_AT -eq 0 ]; then
        {_LOOK} >"/run/fake/looks/$haos_n"
    elif [ KILL_AT -eq "$haos_n" ]; then
        kill -9 0
    fi
}}
set -T
trap haos_tick DEBUG
"""
"""bash calls it before every simple command, in functions and subshells too."""


class Entry(NamedTuple):
    """A file, link or folder."""

    kind: bytes
    mode: int
    owner: int
    content: bytes  # of a link: where it leads


Tree = Mapping[str, Entry]


@dataclass(frozen=True)
class Disk:
    """All that lies where steps write."""

    tar: bytes
    tree: Tree


def disk_of(box: Sandbox) -> Disk:
    """Take in what lies there."""
    # 1: a file changed while it was read, since a step that was cut off still goes on.
    packed = _inside(box, f"tar -c $(ls -d {' '.join(PLACES)} 2>/dev/null) 2>/dev/null || [ $? -eq 1 ]").stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tree = {}
        for one in tar:
            file = tar.extractfile(one) if one.isfile() else None
            content = file.read() if file else one.linkname.encode()
            tree["/" + one.name] = Entry(one.type, one.mode, one.uid, content)
    return Disk(packed, tree)


def put_back(box: Sandbox, disk: Disk) -> None:
    """Let everything lie there as it did."""
    _inside(box, f"rm -rf {' '.join(PLACES)}; tar -xp -C /", disk.tar)


def run_killed(box: Sandbox, step: str, parameters: Mapping[str, str], at: int) -> Result:
    """Run a step in a session of its own; SIGKILL it before its command no. `at`; 0: look at each."""
    begin = "echo 0 >/run/fake/tick; rm -rf /run/fake/looks; mkdir /run/fake/looks"
    script = f"{begin}\n{_TRACED.replace('KILL_AT', str(at))}{step_script(step, parameters)}"
    return _in_session(box, "bash --posix -s", script)


def run_in_session(box: Sandbox, step: str, parameters: Mapping[str, str]) -> Result:
    """Run a step by sh in a session of its own, for a tool that kills it."""
    return _in_session(box, "sh -s", step_script(step, parameters))


def _in_session(box: Sandbox, shell: str, script: str) -> Result:
    text = f"{{\nunset DEBIAN_FRONTEND; PATH=/run/bin:$PATH:/usr/sbin:/sbin; export PATH\n{script}\n}} </dev/null\n"
    argv = [*box.entering, "setsid", "-w", *shell.split()]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=4 * DEADLINE_S, check=False)
    return Result(done.returncode, done.stdout, done.stderr)


def moments(box: Sandbox, step: str, parameters: Mapping[str, str]) -> tuple[int, list[int]]:
    """Run a step to its end; return how many commands it has, and those before which the disk had just changed."""
    done = run_killed(box, step, parameters, 0)
    assert done.returncode == 0, done
    looks = _inside(box, "cd /run/fake/looks && tar -c .").stdout
    with tarfile.open(fileobj=io.BytesIO(looks)) as tar:
        seen = {int(one.name[2:]): tar.extractfile(one) for one in tar if one.isfile()}
        texts = [file.read() for _, file in sorted(seen.items()) if file]
    changed = [n for n, text in enumerate(texts, 1) if n == 1 or text != texts[n - 2]]
    return len(texts), changed


def kills(box: Sandbox, step: str, parameters: Mapping[str, str], before: Disk) -> Iterator[tuple[int, Disk]]:
    """Kill a step at every moment, each time from the same beginning; yield what lies there then, each thing once."""
    put_back(box, before)
    count, changed = moments(box, step, parameters)
    known: list[Tree] = []
    for at in range(1, count + 1) if EVERY else changed:
        put_back(box, before)
        run_killed(box, step, parameters, at)
        disk = disk_of(box)
        if disk.tree not in known:
            known.append(disk.tree)
            yield at, disk


def _inside(box: Sandbox, script: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    argv = [*box.entering, "sh", "-c", script]
    return subprocess.run(argv, input=data, capture_output=True, check=True, timeout=DEADLINE_S)
