"""What a bed is: names, places, ports and addresses; everything that uses one starts from here.

A bed is real Keystone, Glance, Placement, Nova (fake virt driver) and Neutron, with real OVN or Open vSwitch agents
on two hypervisors, each a network namespace. Nova makes no guests there: who wants one plugs it, as Nova would plug a
tap, into the integration bridge of the hypervisor that Neutron has the port on (an administrator sees
`binding:host_id`, which is `HypervisorPlace.host`):

    ip -n NETNS link add TAP type veth peer name eth0 address MAC netns GUEST
    ip -n NETNS link set TAP up
    ip netns exec NETNS ethtool -K TAP tx off
    ip netns exec GUEST ethtool -K eth0 tx off
    ovs-vsctl --db=unix:OVSDB --timeout=20 -- --may-exist add-port br-int TAP -- \\
        set Interface TAP external_ids:iface-id=PORT external_ids:attached-mac=MAC \\
        external_ids:iface-status=active external_ids:vm-uuid=SERVER

TAP is "tap" and the first 11 characters of the port's id; NETNS, OVSDB and br-int are the fields of the
`HypervisorPlace`. Checksums are turned off on both ends because the datapath runs in user space, where nobody
completes what a veth leaves to the card. The guest's link takes the network's MTU. The port is ACTIVE within seconds.
To unplug: `ovs-vsctl --db=unix:OVSDB --if-exists del-port br-int TAP`, then delete the link.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Backend = Literal["ovn", "ovs"]
BACKENDS: tuple[Backend, ...] = ("ovn", "ovs")

NAME = os.environ.get("HAOS_OPENSTACK_NAME", "haos-os")
"""Of the bed: two of different names do not meet, neither in namespaces nor in files."""
CONTROL = NAME
WIRE = f"{NAME}-wire"
RUN = Path("/run") / NAME
"""Sockets and process records. In /run: short enough for sockets, and gone at a reboot."""

PASSWORD = "haos-openstack"
REGION = "RegionOne"
PHYSICAL_NETWORK = "external"
PUBLIC_CIDR = "172.24.4.0/24"
PUBLIC_ADDRESS = "172.24.4.1"
"""Of the control namespace on the external network; the gateway that routers see."""
INTEGRATION_BRIDGE = "br-int"
EXTERNAL_BRIDGE = "br-ex"

KEYSTONE_PORT = 15000
PLACEMENT_PORT = 18778
GLANCE_PORT = 19292
NEUTRON_PORT = 19696
NOVA_PORT = 18774
DATABASE_PORT = 13306
BROKER_PORT = 15673
KEYSTONE_URL = f"http://127.0.0.1:{KEYSTONE_PORT}/v3"

ENVIRONMENT = "HAOS_OPENSTACK"
"""Names the state directory in the environment of tests."""


class BedError(Exception):
    """An expected failure of the bed: one line, and a hint where there is a remedy."""

    def __init__(self, reason: str, *, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class HypervisorPlace:
    """A hypervisor: one of Nova's compute hosts, with an Open vSwitch of its own in a network namespace."""

    number: int
    bridge: str = INTEGRATION_BRIDGE

    @property
    def host(self) -> str:
        """Its name in Nova's services and in the ports' `binding:host_id`."""
        return f"haos-host{self.number}"

    @property
    def netns(self) -> str:
        """The network namespace that its switch, its agents and its ends of guests' links are in."""
        return f"{NAME}-hv{self.number}"

    @property
    def run(self) -> Path:
        """The directory of its switch's sockets."""
        return RUN / f"hv{self.number}"

    @property
    def ovsdb(self) -> Path:
        """The socket of its switch's database, for `ovs-vsctl --db=unix:…`."""
        return self.run / "db.sock"

    @property
    def management_address(self) -> str:
        """Where the control namespace reaches it, and it the control namespace."""
        return f"192.168.198.{10 + self.number}"

    @property
    def tunnel_address(self) -> str:
        """The end of its tunnels."""
        return f"192.168.199.{10 + self.number}"


HYPERVISORS = (HypervisorPlace(1), HypervisorPlace(2))
MANAGEMENT_ADDRESS = "192.168.198.1"
"""Of the control namespace, as hypervisors see it."""


@dataclass(frozen=True)
class Bed:
    """A bed by its state directory, which also says what runs in it."""

    state: Path

    @classmethod
    def here(cls) -> Bed | None:
        """Return the bed that the environment names, or None where it names none."""
        named = os.environ.get(ENVIRONMENT, "")
        return cls(Path(named)) if named else None

    @classmethod
    def of_user(cls) -> Bed:
        """Return the bed in the user's cache directory, whether it is up or not."""
        return cls(cache_dir() / ("state" if NAME == "haos-os" else f"state-{NAME}"))

    @property
    def backend(self) -> Backend:
        """Which of Neutron's backends its state belongs to; raises BedError where there is no state."""
        text = self.backend_file.read_text().strip() if self.backend_file.exists() else ""
        for backend in BACKENDS:
            if text == backend:
                return backend
        raise BedError("there is no OpenStack here", hint="python -m tests.openstack up")

    @property
    def control(self) -> str:
        """The network namespace with all the services, on its loopback; tests run in it."""
        return CONTROL

    @property
    def hypervisors(self) -> tuple[HypervisorPlace, ...]:
        """The hypervisors, in the order of their hosts' names."""
        return HYPERVISORS

    @property
    def backend_file(self) -> Path:
        """The file with the backend's name."""
        return self.state / "backend"

    @property
    def complete_file(self) -> Path:
        """Names the versions once the state is whole: a bed that was interrupted before starts from an empty one."""
        return self.state / "complete"

    @property
    def etc(self) -> Path:
        """The services' configuration."""
        return self.state / "etc"

    @property
    def var(self) -> Path:
        """The services' data."""
        return self.state / "var"

    @property
    def log(self) -> Path:
        """One log for each process."""
        return self.state / "log"

    @property
    def clouds(self) -> Path:
        """The clouds.yaml with `haos-openstack`, `haos-openstack-reader`, `-other` and `-admin`."""
        return self.state / "clouds.yaml"

    def environment(self) -> dict[str, str]:
        """Return what tests are told of the bed."""
        return {
            "OS_CLIENT_CONFIG_FILE": str(self.clouds),
            ENVIRONMENT: str(self.state),
            "HAOS_OPENSTACK_BACKEND": self.backend,
            "HAOS_OPENSTACK_NAME": NAME,
        }


def cache_dir() -> Path:
    """Return where beds keep state, and what makes a second start quick."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return base / "haos" / "openstack"
