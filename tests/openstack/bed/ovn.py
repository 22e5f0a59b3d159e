"""OVN: its two databases and northd in the control namespace, a controller in each hypervisor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.openstack.bed import namespaces
from tests.openstack.bed.backends import NORTHBOUND, SOUTHBOUND
from tests.openstack.bed.model import (
    EXTERNAL_BRIDGE,
    HYPERVISORS,
    INTEGRATION_BRIDGE,
    PHYSICAL_NETWORK,
    HypervisorPlace,
)
from tests.openstack.bed.process import Daemon, Processes
from tests.openstack.bed.switch import ANSWER_S, Switch

SCHEMAS = Path("/usr/share/ovn")
DATABASES = {"nb": (NORTHBOUND, "OVN_Northbound,NB_Global"), "sb": (SOUTHBOUND, "OVN_Southbound,SB_Global")}
"""short name -> its socket, and where in it further listeners are configured"""


@dataclass(frozen=True)
class Central:
    """OVN's databases and northd; the databases belong to Neutron's and are kept with them."""

    data: Path
    processes: Processes

    def start(self) -> None:
        """Start all three; returns when the databases answer."""
        run = NORTHBOUND.parent
        run.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(parents=True, exist_ok=True)
        for name, (sock, _) in DATABASES.items():
            if not (self.data / f"{name}.db").exists():
                create = [
                    "ovsdb-tool",
                    "create",
                    str(self.data / f"{name}.db"),
                    str(SCHEMAS / f"ovn-{name}.ovsschema"),
                ]
                namespaces.run(create)
            self.processes.start(self.database(name))
            self.processes.wait(f"ovn-{name} answers", sock.is_socket, ANSWER_S, daemon=f"ovn-{name}")
            namespaces.run([f"ovn-{name}ctl", "--timeout=20", f"--db=unix:{sock}", "init"])
        self.processes.start(self.northd())

    def database(self, name: str) -> Daemon:
        """Return the server of one database."""
        sock, connections = DATABASES[name]
        argv = (
            "ovsdb-server", str(self.data / f"{name}.db"), f"--remote=punix:{sock}",
            f"--remote=db:{connections},connections",
            f"--unixctl={sock.parent}/{name}.ctl", "-vconsole:warn",
        )  # fmt: skip
        return Daemon(f"ovn-{name}", argv, env=self.env)

    def northd(self) -> Daemon:
        """Return what turns Neutron's networks into flows."""
        databases = (f"--ovnnb-db=unix:{NORTHBOUND}", f"--ovnsb-db=unix:{SOUTHBOUND}")
        argv = ("ovn-northd", *databases, f"--unixctl={NORTHBOUND.parent}/northd.ctl", "-vconsole:warn")
        return Daemon("ovn-northd", argv, env=self.env)

    @property
    def env(self) -> dict[str, str]:
        """What OVN's programs are told of the places of their files."""
        run = str(NORTHBOUND.parent)
        return {
            "OVN_RUNDIR": run,
            "OVS_RUNDIR": run,
            "OVN_DBDIR": str(self.data),
            "OVN_LOGDIR": str(self.processes.log),
        }

    def wait(self) -> None:
        """Wait until every hypervisor has registered."""
        wanted = {each.host for each in HYPERVISORS}
        self.processes.wait("OVN's controllers register", lambda: wanted <= chassis(), ANSWER_S)


def chassis() -> set[str]:
    """Return the names of the hypervisors that OVN knows."""
    command = ["ovn-sbctl", "--timeout=5", f"--db=unix:{SOUTHBOUND}", "--bare", "--columns=name", "list", "chassis"]
    return set(namespaces.run(command).split())


def start_controller(hypervisor: HypervisorPlace, processes: Processes) -> None:
    """Start a hypervisor's switch and its controller."""
    switch = Switch(hypervisor, processes)
    switch.start()
    switch.vsctl("set", "Open_vSwitch", ".", *settings(hypervisor))
    name = f"hv{hypervisor.number}-ovn-controller"
    argv = ("ovn-controller", f"unix:{hypervisor.ovsdb}", "-vconsole:warn")
    processes.start(Daemon(name, argv, hypervisor.netns, switch.env | {"OVN_LOGDIR": str(processes.log)}))


def settings(hypervisor: HypervisorPlace) -> list[str]:
    """Return what the controller reads from its switch's database."""
    values = {
        "ovn-remote": f"unix:{SOUTHBOUND}",
        "ovn-encap-type": "geneve",
        "ovn-encap-ip": hypervisor.tunnel_address,
        "ovn-bridge": INTEGRATION_BRIDGE,
        "ovn-bridge-datapath-type": "netdev",
        "ovn-bridge-mappings": f"{PHYSICAL_NETWORK}:{EXTERNAL_BRIDGE}",
        "ovn-cms-options": "enable-chassis-as-gw",
        "ovn-monitor-all": "true",
    }
    return [f"external_ids:{key}={value}" for key, value in values.items()]
