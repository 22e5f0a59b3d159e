"""What the tests of bad input share: haos must refuse in one line, with a remedy, and change nothing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from haos.lab import control
from tests.lab.main_job import CREATE, NODES, eventually, neutron_state, node_state, on, requests_of

READ = re.compile(r"GET |POST /identity/v3/auth/tokens$|POST /compute/v2.1/servers/[^/]+/action$")
"""A token, and the console log with the host keys, are asked for by POST."""


FLAG = "/run/lock/back"


@dataclass(frozen=True)
class Refusal:
    """What haos said on stderr: exactly these two lines."""

    reason: str
    hint: str


@dataclass(frozen=True)
class Instead:
    """What a refused command has in place of the howto's own words."""

    network: str = "ha_lab"
    nodes: str = ",".join(NODES)

    def argv(self, *more: str) -> tuple[str, ...]:
        """Return the command."""
        return (CREATE[0], "--network", self.network, "--nodes", self.nodes, *more)


def run_quietly(
    lab: str, *argv: str, environ: Mapping[str, str] | None = None, timeout_s: float = 90.0
) -> subprocess.CompletedProcess[str]:
    """Run `haos -q` against a lab."""
    return subprocess.run(
        [sys.executable, "-m", "haos", *argv, "-q"],
        env={**os.environ, **control.environment(lab), **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


def refused(
    lab: str, code: int, *argv: str, environ: Mapping[str, str] | None = None, planned: bool = False
) -> Refusal:
    """Run haos, which must end with this code and two lines, the reason and the remedy.

    There is nothing else but, with `planned`, the plan on stdout.
    """
    ended = run_quietly(lab, *argv, environ=environ)
    shown = f"haos {argv} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
    assert ended.returncode == code, shown
    lines = ended.stderr.splitlines()
    assert len(lines) == 2, shown
    assert lines[0].startswith("haos: "), shown
    assert lines[1].startswith("  hint: "), shown
    assert ("Plan: " in ended.stdout) is planned, shown
    assert planned or not ended.stdout, shown
    return Refusal(lines[0].removeprefix("haos: "), lines[1].removeprefix("  hint: "))


@contextmanager
def only_reads(lab: str) -> Iterator[None]:
    """Fail if anything is written to the cloud meanwhile."""
    control.lab_request(lab, "POST", "/lab/requests/reset")
    yield
    assert [one for one in requests_of(lab) if not READ.match(one)] == []


@contextmanager
def nothing_changed(lab: str) -> Iterator[None]:
    """Fail if cloud or nodes are not as they were before."""
    before = neutron_state(lab), {node: node_state(lab, node) for node in NODES}
    yield
    assert (neutron_state(lab), {node: node_state(lab, node) for node in NODES}) == before


@contextmanager
def changed(lab: str, instance: str, change: str, back: str) -> Iterator[None]:
    """Change an instance; a process of root's that was there before changes it back, whatever became of sudo."""
    waiter = f"until [ -e {FLAG} ]; do sleep 0.05; done; {back}; rm {FLAG}"
    on(lab, instance, f"sudo systemd-run -q sh -c {shlex.quote(waiter)}; sudo sh -ec {shlex.quote(change)}")
    try:
        yield
    finally:
        on(lab, instance, f"touch {FLAG}")
        assert eventually(lambda: on(lab, instance, f"ls {FLAG}", ok=False) == "")
