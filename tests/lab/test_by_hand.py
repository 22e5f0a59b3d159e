"""`--explain` for real: what it prints, run by sh, does what haos does, and undoes it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from haos.lab import control
from tests.lab.main_job import CREATE, NODES, haos, neutron_state, node_state

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]  # the openstack client takes seconds for every command
PAIR = "ha_first-ha_second"


SSH = """#!/bin/sh
exec {ssh} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$@"
"""
"""A person at a terminal would be asked whether the host keys are right."""


def run(lab: str, script: str, folder: Path) -> None:
    """Run a script with the real openstack client and ssh."""
    ssh = folder / "ssh"
    ssh.write_text(SSH.format(ssh=shutil.which("ssh")))
    ssh.chmod(0o755)
    environ = {**os.environ, **control.environment(lab)}
    environ["PATH"] = f"{folder}:{Path(sys.executable).parent}:{environ['PATH']}"
    ended = subprocess.run(
        ["sh", "-x"], input=script, env=environ, capture_output=True, text=True, check=False, timeout=280
    )
    assert ended.returncode == 0, ended.stderr


def comparable(state: dict[str, Any]) -> list[str]:
    """Return ports and groups by what they are, whatever ids they were given this time."""
    ids = {group["id"]: group["name"] for group in state["groups"].values()}
    ids |= {port["id"]: port["name"] for port in state["ports"].values() if port["name"].startswith("haos-")}
    lines = []
    for thing in (*state["ports"].values(), *state["groups"].values()):
        rules = len(thing.pop("security_group_rules", ()))
        thing.pop("created_at", None)
        text = f"{sorted((key, str(value)) for key, value in thing.items())} {rules}"
        lines.append(re.sub("|".join(ids), lambda found: ids[found[0]], text))
    return sorted(lines)


def test_create_and_teardown_by_hand(own_lab: str, tmp_path: Path) -> None:
    nodes_before = {node: node_state(own_lab, node) for node in NODES}
    before = comparable(neutron_state(own_lab))
    script = haos(own_lab, *CREATE, "--explain").stdout
    haos(own_lab, *CREATE, "--no-verify")
    by_haos = comparable(neutron_state(own_lab))
    haos(own_lab, "teardown", "--purge")

    run(own_lab, script, tmp_path)
    assert comparable(neutron_state(own_lab)) == by_haos
    assert "Nothing to change." in haos(own_lab, *CREATE, "--dry-run", "--exit-code").stdout
    assert ": healthy" in haos(own_lab, "status").stdout

    run(own_lab, haos(own_lab, "teardown", "--explain").stdout, tmp_path)
    assert comparable(neutron_state(own_lab)) == before
    for node in NODES:
        subprocess.run(
            control.ssh_argv(own_lab, node, ["sudo apt-get purge -y -q keepalived"]), check=True, capture_output=True
        )
        assert node_state(own_lab, node) == nodes_before[node]
