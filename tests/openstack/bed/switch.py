"""Open vSwitch of one hypervisor: user space datapath, a bridge to the external network and one for tunnels."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.openstack.bed import namespaces
from tests.openstack.bed.model import EXTERNAL_BRIDGE, HypervisorPlace
from tests.openstack.bed.namespaces import EXTERNAL, TUNNEL
from tests.openstack.bed.process import Daemon, Processes

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
TUNNEL_BRIDGE = "br-wire"
"""Holds the address of the tunnels' ends; Neutron has no business with it."""
ANSWER_S = 20.0


@dataclass(frozen=True)
class Switch:
    """The switch of a hypervisor. Its database is made anew whenever it starts: guests do not outlive it."""

    hypervisor: HypervisorPlace
    processes: Processes

    @property
    def names(self) -> tuple[str, str]:
        """The names of its two daemons: the database's and the switch's."""
        return f"hv{self.hypervisor.number}-ovsdb", f"hv{self.hypervisor.number}-vswitchd"

    @property
    def env(self) -> dict[str, str]:
        """What Open vSwitch's programs are told of the places of their files."""
        run = str(self.hypervisor.run)
        places = ("OVS_RUNDIR", "OVS_DBDIR", "OVS_SYSCONFDIR", "OVN_RUNDIR")
        return {name: run for name in places} | {"OVS_LOGDIR": str(self.processes.log)}

    def daemons(self) -> tuple[Daemon, Daemon]:
        """Return its database server and the switch."""
        place, run = self.hypervisor, self.hypervisor.run
        database, switch = self.names
        store = (
            "ovsdb-server", str(run / "conf.db"), f"--remote=punix:{place.ovsdb}",
            "--remote=db:Open_vSwitch,Open_vSwitch,manager_options", f"--unixctl={run}/ovsdb.ctl", "-vconsole:warn",
        )  # fmt: skip
        forward = ("ovs-vswitchd", f"unix:{place.ovsdb}", f"--unixctl={run}/vswitchd.ctl", "-vconsole:warn")
        return Daemon(database, store, place.netns, self.env), Daemon(switch, forward, place.netns, self.env)

    def start(self) -> None:
        """Start both and make the bridges; returns when they are there."""
        if all(map(self.processes.runs, self.names)):
            return
        self.processes.stop(self.names)
        place = self.hypervisor
        place.run.mkdir(parents=True, exist_ok=True)
        for left in (place.run / "conf.db", place.run / ".conf.db.~lock~"):
            left.unlink(missing_ok=True)
        namespaces.run(["ovsdb-tool", "create", str(place.run / "conf.db"), str(SCHEMA)])
        database, switch = self.daemons()
        self.processes.start(database)
        self.processes.wait(f"{database.name} answers", place.ovsdb.is_socket, ANSWER_S, daemon=database.name)
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", *self.identity())
        self.processes.start(switch)
        for command in self.bridges():
            self.vsctl(*command)
        into = ["ip", "-n", place.netns]
        namespaces.run([*into, "address", "replace", f"{place.tunnel_address}/24", "dev", TUNNEL_BRIDGE])
        for bridge in (TUNNEL_BRIDGE, EXTERNAL_BRIDGE):
            namespaces.run([*into, "link", "set", bridge, "up"])

    def identity(self) -> list[str]:
        """Return the settings by which Neutron knows the hypervisor."""
        version = subprocess.run(["ovs-vswitchd", "--version"], capture_output=True, text=True, check=True).stdout
        host = self.hypervisor.host
        return [
            f"ovs-version={version.split()[3]}",
            f"external_ids:system-id={host}",
            f"external_ids:hostname={host}",
        ]

    def bridges(self) -> list[list[str]]:
        """Return what makes the bridges and plugs the two wires."""
        return [
            [
                *("--may-exist", "add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "--"),
                *("--may-exist", "add-port", bridge, port),
            ]
            for bridge, port in ((TUNNEL_BRIDGE, TUNNEL), (EXTERNAL_BRIDGE, EXTERNAL))
        ]

    def vsctl(self, *arguments: str) -> str:
        """Run ovs-vsctl on this switch."""
        return namespaces.run(["ovs-vsctl", "--timeout=20", f"--db=unix:{self.hypervisor.ovsdb}", *arguments])
