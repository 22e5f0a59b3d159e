"""haos's own node scripts on a real instance, and what the tests of them share."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, replace
from ipaddress import ip_address

from haos.adapters.node import Node
from haos.core.model import Address, Member, Mode, Pair, Role, Timing
from haos.core.node import NodeConfig, NodeFacts, Removal
from haos.core.nodeconf import node_config
from haos.lab import control
from tests.lab.main_job import eventually, on

MEMBERS = (
    Member("913c4131-0cc3-4df4-ad95-273cd2f8475a", 240),
    Member("e220e2d9-f4de-4a46-92fa-bb767042c85e", 230),
)
PAIR = Pair("trial", "network", "project", ip_address("10.200.51.9"), 77, MEMBERS, timing=Timing(0.1, 0))


@dataclass(frozen=True)
class Result:
    """How a script ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Login:
    """A Connection to an instance, as the lab's user."""

    lab: str
    name: str

    def run(self, script: str, *, timeout_s: float, sudo: bool = False, what: str = "") -> Result:
        """Run a script as haos's connection does."""
        argv = control.ssh_argv(self.lab, self.name, ["sudo sh -s" if sudo else "sh -s"])
        wrapped = f"{{\nPATH=$PATH:/usr/sbin:/sbin\n{script}\n}} </dev/null\n"
        done = subprocess.run(argv, input=wrapped, capture_output=True, text=True, timeout=timeout_s, check=False)
        return Result(done.returncode, done.stdout, done.stderr)

    def sh(self, script: str) -> str:
        """Run a script of the test's own as root; it must succeed."""
        done = self.run(f"set -e\n{script}", timeout_s=60, sudo=True)
        assert done.returncode == 0, done
        return done.stdout


def mac_of(login: Login, device: str = "ens3") -> str:
    """Return a device's MAC address."""
    return str(json.loads(on(login.lab, login.name, f"ip -j link show {device}"))[0]["address"])


def config_of(facts: NodeFacts, peer: Address, pair: Pair = PAIR) -> NodeConfig:
    """Return what a node of that pair shall carry."""
    return node_config(pair, facts, 0, facts.addresses[0], (peer,))


def bring_up(login: Login, facts: NodeFacts, peer: Address, pair: Pair = PAIR) -> Node:
    """Configure the pair on the node and wait until it is Active there."""
    node = Node(login, login.name)
    node.configure(config_of(facts, peer, pair))
    node.activate()
    assert eventually(lambda: node.sight(pair.name, pair.vip).role is Role.ACTIVE)
    return node


def removal(pair: Pair = PAIR) -> Removal:
    return Removal(pair.name, pair.vip, "ens3", purge_package=True)


VMAC = replace(PAIR, name="router", mode=Mode.VMAC)
