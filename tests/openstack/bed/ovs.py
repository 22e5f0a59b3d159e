"""ML2/OVS: in each hypervisor a neutron-openvswitch-agent over the switch of its own."""

from __future__ import annotations

from tests.openstack.bed.config import Places
from tests.openstack.bed.database import Database
from tests.openstack.bed.model import HYPERVISORS, INTEGRATION_BRIDGE, HypervisorPlace
from tests.openstack.bed.process import Daemon, Processes
from tests.openstack.bed.switch import Switch

ALIVE_S = 90.0


def start_switch(hypervisor: HypervisorPlace, processes: Processes) -> Switch:
    """Start a hypervisor's switch with the bridge that the agent looks for."""
    switch = Switch(hypervisor, processes)
    switch.start()
    bridge = INTEGRATION_BRIDGE
    secure = ("datapath_type=netdev", "fail_mode=secure")
    switch.vsctl("--may-exist", "add-br", bridge, "--", "set", "bridge", bridge, *secure)
    return switch


def agent(at: Places, switch: Switch) -> Daemon:
    """Return the agent that wires ports and enforces security groups."""
    etc, place = at.etc / "neutron", switch.hypervisor
    files = ("--config-file", str(etc / "ml2_conf.ini"), "--config-file", str(etc / f"{place.host}.conf"))
    # Its ovs-ofctl finds the switch by OVS_RUNDIR.
    return Daemon(f"hv{place.number}-agent", ("neutron-openvswitch-agent", *files), place.netns, switch.env)


def wait(processes: Processes, database: Database) -> None:
    """Wait until Neutron has heard every agent: it binds no port on a host whose agent it does not know."""

    def all_report() -> bool:
        agents = "agent_type = 'Open vSwitch agent'"
        return database.count_since_start("neutron.agents", "heartbeat_timestamp", agents) >= len(HYPERVISORS)

    processes.wait("Neutron hears its agents", all_report, ALIVE_S, daemon=f"hv{HYPERVISORS[-1].number}-agent")
