"""haos run as a person runs it, and what is looked at before and after: Neutron, and the nodes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.main_job import NODE_STATE, by_id, groups_by_id
from tests.openstack.counting import counting
from tests.openstack.site import Site

RUN_S = 300.0
NO_SSH = ("list",)


@dataclass(frozen=True)
class Run:
    """What one run of haos said."""

    stdout: str
    stderr: str
    requests: tuple[str, ...]  # "METHOD path" of every one that went to the APIs

    @property
    def vip(self) -> str:
        """The VIP that was proven."""
        found = re.search(r"^VIP (\S+) of pair \S+ answers from \S+", self.stdout, re.MULTILINE)
        assert found, self.stdout
        return found[1]


@dataclass(frozen=True)
class Person:
    """Somebody with a home of his own who uses haos on a site, as an ordinary member of its project."""

    site: Site
    home: Path
    login: Mapping[str, str] = field(default_factory=lambda: {"OS_CLOUD": "haos-openstack"})

    def haos(self, *argv: str, code: int | None = 0, timeout_s: float = RUN_S) -> Run:
        """Run haos; fail unless it ends with `code`, if one is given."""
        ssh = ("--ssh-config", str(self.site.ssh_config), "--accept-new-host-keys")
        words = [*argv, *(() if argv[0] in NO_SSH else ssh)]
        with counting() as counter:
            ended = subprocess.run(
                [sys.executable, "-m", "haos", *words],
                env={**os.environ, **self._environment(), **counter.environment},
                capture_output=True, text=True, check=False, timeout=timeout_s,
            )  # fmt: skip
        assert code is None or ended.returncode == code, (
            f"haos {argv} ended with {ended.returncode}:\n{ended.stdout}\n{ended.stderr}"
        )
        return Run(ended.stdout, ended.stderr, tuple(counter.requests))

    def _environment(self) -> Mapping[str, str]:
        return {"HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / "cache"), **self.login}

    @contextmanager
    def pair(self, nodes: Sequence[str], *more: str) -> Iterator[Run]:
        """Have a pair of these nodes; it is torn down at the end, whatever the test finds."""
        created = self.haos(*create(self.site, nodes, *more))
        try:
            yield created
        finally:
            self.haos("teardown", name_of(nodes))


def create(site: Site, nodes: Sequence[str], *more: str) -> tuple[str, ...]:
    """Return the words that make a pair."""
    return ("create", "--network", site.name, "--nodes", ",".join(nodes), *more)


def name_of(nodes: Iterable[str]) -> str:
    """Return the name that haos gives a pair of these nodes."""
    return "-".join(sorted(nodes))


def on(site: Site, server: str, command: str, *, ok: bool = True) -> str:
    """Run a shell command on a guest and return what it printed."""
    argv = ["ssh", "-F", str(site.ssh_config), "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no"]
    argv += ["-o", "LogLevel=ERROR", site.servers[server].floating, "--", command]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0 or not ok, f"{command!r} on {server} ended with {ended.returncode}: {ended.stderr}"
    return ended.stdout


def neutron_state(site: Site) -> dict[str, Any]:
    """Return what Neutron has of the site, as an administrator sees it, without what changes by itself."""
    net = site.admin.network
    ports = by_id(net.ports(network_id=site.network.id))
    return {
        "network": by_id([net.get_network(site.network.id)]),
        "subnets": by_id(net.subnets(network_id=site.network.id)),
        "ports": {key: _settled(port) for key, port in ports.items()},
        "floating": by_id(each for each in net.ips() if each.port_id in ports),
        "groups": groups_by_id(
            group for group in net.security_groups(project_id=site.network.project_id) if _is_here(group, site)
        ),
    }


def _settled(port: dict[str, Any]) -> dict[str, Any]:
    """Return a port without what OVN writes: it binds a reservation to the node that has the VIP, some time after."""
    if port["device_owner"] != "haos:vip":
        return port
    return {name: value for name, value in port.items() if name != "status" and not name.startswith("binding_")}


def _is_here(group: Any, site: Site) -> bool:
    """Whether a group is the site's, the project's default or one of haos's."""
    name = str(group.name)
    return bool(group.id == site.group.id or name == "default" or name.startswith("haos-"))


def node_state(site: Site, server: str) -> str:
    """Return all that haos could have changed on a node, as text."""
    return on(site, server, NODE_STATE)


def equip(site: Site, server: str) -> None:
    """Install keepalived on a guest, as its owner might have."""
    on(site, server, "sudo apt-get update -qq && sudo apt-get install -y -qq keepalived >/dev/null 2>&1")


def state(site: Site, *nodes: str) -> dict[str, Any]:
    """Return all that haos could have changed: in Neutron, and on the nodes."""
    return {**neutron_state(site), **{node: node_state(site, node).splitlines() for node in nodes}}


def differences(before: Any, after: Any, where: str = "") -> list[str]:
    """Say what differs between two states, each place in a line."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        return [line for key in keys for line in differences(before.get(key), after.get(key), f"{where}/{key}")]
    return [] if before == after else [f"{where}: {before!r} -> {after!r}"]
