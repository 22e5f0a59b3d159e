"""The L3 agent of ML2/OVS: routers and floating IPs, in the first hypervisor.

Its routers are network namespaces that it makes in /run/netns. It gets a mount namespace with a /run/netns of its
own, so the machine's own directory never lists them, and they end with the agent.
"""

from __future__ import annotations

from tests.openstack.bed.config import Places
from tests.openstack.bed.database import Database
from tests.openstack.bed.model import HYPERVISORS
from tests.openstack.bed.process import Daemon, Processes
from tests.openstack.bed.switch import Switch

HYPERVISOR = HYPERVISORS[0]
NAME = f"hv{HYPERVISOR.number}-l3-agent"
ALIVE_S = 90.0
PRIVATELY = 'mount -t tmpfs routers /run/netns && exec "$@"'
"""Runs in the mount namespace that `ip netns exec` makes, from which nothing gets back to the machine's."""


def agent(at: Places, processes: Processes) -> Daemon:
    """Return the agent."""
    etc = at.etc / "neutron"
    argv = ("sh", "-c", PRIVATELY, "sh", "neutron-l3-agent", "--config-file", str(etc / f"{HYPERVISOR.host}.conf"))
    return Daemon(NAME, argv, HYPERVISOR.netns, Switch(HYPERVISOR, processes).env)


def wait(processes: Processes, database: Database) -> None:
    """Wait until Neutron has heard the agent, and so schedules routers to it."""

    def reports() -> bool:
        return database.count_since_start("neutron.agents", "heartbeat_timestamp", "agent_type = 'L3 agent'") > 0

    processes.wait("Neutron hears its L3 agent", reports, ALIVE_S, daemon=NAME)
