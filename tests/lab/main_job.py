"""What the lab tests of the main job share: run haos and commands on the nodes, and compare whole states."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import openstack
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from haos.lab import control

NODES = ("ha_first", "ha_second")
CREATE = ("create", "--network", "ha_lab", "--nodes", ",".join(NODES))


def haos(lab: str, *argv: str, code: int | None = 0, timeout_s: float = 180.0) -> subprocess.CompletedProcess[str]:
    """Run haos against a lab as a person does; fail unless it ends with `code`, if one is given."""
    environ = {**os.environ, **control.environment(lab)}
    command = [sys.executable, "-m", "haos", *argv]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=timeout_s)
    assert code is None or ended.returncode == code, (
        f"haos {argv} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
    )
    return ended


@contextmanager
def begun(lab: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Start haos against a lab, for a test that does something to it meanwhile; it ends with the context."""
    command, environ = [sys.executable, "-m", "haos", *argv], {**os.environ, **control.environment(lab)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        try:
            yield run
        finally:
            run.kill()


def on(lab: str, node: str, command: str, *, ok: bool = True) -> str:
    """Run a shell command on an instance and return what it printed."""
    argv = control.ssh_argv(lab, node, [command])
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0 or not ok, f"{command!r} on {node} ended with {ended.returncode}: {ended.stderr}"
    return ended.stdout


def cloud(lab: str) -> Any:
    """Return a plain openstacksdk connection as the lab's ordinary user."""
    from openstack.config import OpenStackConfig

    found = control.clouds_yaml(lab)
    config = OpenStackConfig(config_files=[str(found)], load_envvars=False)
    return openstack.connection.Connection(config=config.get_one(cloud=lab))


def requests_of(lab: str) -> list[str]:
    """Return "METHOD path" of every API request since the last reset."""
    answer = control.lab_request(lab, "GET", "/lab/requests")
    return [f"{item['method']} {item['target'].partition('?')[0]}" for item in answer["requests"]]


def eventually(look: Callable[[], bool], timeout_s: float = 15.0) -> bool:
    """Look again and again until it is so; False at the deadline."""
    retrying = Retrying(
        retry=retry_if_result(lambda seen: not seen),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(0.1),
        retry_error_callback=lambda _: False,
    )
    return bool(retrying(look))


def neutron_state(lab: str) -> dict[str, Any]:
    """Return ports, groups and rules without what changes by itself."""
    network = cloud(lab).network
    return {"ports": by_id(network.ports()), "groups": groups_by_id(network.security_groups())}


VOLATILE = {"updated_at", "revision_number", "location"}


def by_id(resources: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Return resources of openstacksdk as plain values, without what changes by itself."""
    return {
        each.id: {key: value for key, value in each.to_dict().items() if key not in VOLATILE} for each in resources
    }


def groups_by_id(groups: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Return security groups likewise, with the ids of their rules."""
    return {
        key: {**group, "security_group_rules": sorted(rule["id"] for rule in group["security_group_rules"])}
        for key, group in by_id(groups).items()
    }


NODE_STATE = """
sudo find /etc/keepalived /etc/systemd/system/keepalived.service.d -printf '%p %m %u %g %s\\n' 2>/dev/null | sort
sudo sh -c 'sha256sum /etc/keepalived/* 2>/dev/null'
ip -o address show | sed 's/valid_lft.*//'; ip -o link show type macvlan; sudo nft list tables
systemctl is-enabled keepalived 2>/dev/null; systemctl is-active keepalived 2>/dev/null
dpkg-query -W -f '${Package} ${Status}\\n' keepalived 2>/dev/null
cd / && sudo find etc run tmp usr var -name '*haos*' -not -path 'var/log/*' -not -path 'var/lib/apt/*' 2>/dev/null
true
"""


def node_state(lab: str, node: str) -> str:
    """Return all that haos could have changed on a node, as text."""
    return on(lab, node, NODE_STATE)
