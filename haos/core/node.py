"""What haos knows of a node from inside, and what it wants to lie there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from haos.core.guest_firewall import Blocked
from haos.core.model import Address, Role


@dataclass(frozen=True)
class NodeFacts:
    """A node as one script saw it; nothing here was changed by looking."""

    hostname: str
    os_name: str  # PRETTY_NAME of os-release
    package_manager: str | None  # apt | dnf | zypper
    systemd: bool
    interface: str | None  # the device that has the port's MAC
    addresses: tuple[Address, ...] = ()  # on that device, VIPs included
    keepalived: str | None = None  # its version, "2.2.7"; None where it is not installed
    packager: str | None = None  # who has apt's or dpkg's lock; looked at only where keepalived is not installed
    daemon_active: bool = False
    daemon_enabled: bool = False
    main_config: str | None = None  # keepalived.conf, None where there is none
    pair_files: Mapping[str, str] = field(default_factory=dict)  # pair name -> text, withdrawn ones too
    withdrawn: frozenset[str] = frozenset()  # pairs whose file is moved aside
    pending: bool = False  # files were changed that keepalived was not told of: a run was killed in between
    fault: str | None = None  # of a failover test, in force now
    tested: bool = False  # a failover test watches the node, or died
    weights: Mapping[str, int] = field(default_factory=dict)  # pair name -> what is added to its priority, if not 0
    drop_in: str | None = None
    release_script: str | None = None
    package_by_haos: bool = False
    check_files: Mapping[str, str] = field(default_factory=dict)  # "web.check-1" -> text of a pair's service check
    modes: Mapping[str, str] = field(default_factory=dict)  # path of what is haos's own -> "640 0 0": mode, uid, gid
    other_instances: tuple[str, ...] = ()  # vrrp_instances that are not haos's, includes followed
    other_vrids: frozenset[tuple[int, int | None]] = frozenset()  # theirs: (VRID, IP version, None if unclear)
    features: frozenset[str] = frozenset()  # what keepalived was built with: "vmac", "json", "bfd", …
    config_messages: tuple[str, ...] = ()  # what --config-test says of the present keepalived.conf
    script_security: bool = False  # enable_script_security stands in the present configuration
    realtime: bool = False  # keepalived may use real-time priority: keepalived.main_file says why
    firewall: str | None = None  # why the node's own firewall would drop VRRP over IPv4; None: nothing says so
    firewall_remedy: str | None = None
    firewall_v6: str | None = None  # the same over IPv6
    firewall_v6_remedy: str | None = None
    firewall_bfd: Mapping[int, Blocked] = field(default_factory=dict)  # IP version -> why it would drop BFD
    net_manager: str | None = None  # of the port's device: systemd-networkd | NetworkManager | ifupdown
    network_file: str | None = None  # systemd-networkd's .network file of the port's device
    network_keeps: str | None = None  # KeepConfiguration= as somebody else has set it there
    keep_file: str | None = None  # text of haos's drop-in for it
    systemd_version: int | None = None
    clock_synchronised: bool | None = None  # None: it does not say, or the clock is not the node's to set
    free_mb: int | None = None  # where /etc lies
    tools: frozenset[str] = frozenset()  # bash, curl, wget, python3, arping, ping, restorecon, as far as there
    selinux: str | None = None  # what getenforce says
    root: bool = True  # the scripts run as root


@dataclass(frozen=True)
class NodeFile:
    """A file as it shall be on a node."""

    path: str
    text: str
    mode: int = 0o640

    @property
    def kept(self) -> str:
        """Mode, owner and group as a node says them: all that haos puts there is root's."""
        return f"{self.mode:o} 0 0"


@dataclass(frozen=True)
class NodeConfig:
    """All that one node shall carry for one pair."""

    pair: str
    vip: Address
    source: Address  # must be on the interface
    peers: tuple[Address, ...]  # must not be the node itself
    interface: str
    vrid: int
    files: tuple[NodeFile, ...]
    include_line: str | None = None  # to add to a keepalived.conf that is not ours
    vmac: str | None = None  # the virtual router's own link, "vrrp.12", in vmac mode


@dataclass(frozen=True)
class Sight:
    """A node's own view of one pair, at one moment."""

    role: Role
    holds_vip: bool
    daemon_active: bool
    priority: int | None = field(default=None, compare=False)  # the effective one, by keepalived's own dump


@dataclass(frozen=True)
class Survey:
    """What a node found on its segment; nothing was changed by asking and listening."""

    answers: Mapping[Address, str]  # address -> MAC that answered ARP or ND; who did not answer is not here
    vrids: frozenset[tuple[int, int]] | None  # (VRID, IP version) heard from others; None: it cannot listen


@dataclass(frozen=True)
class Removal:
    """What to take off a node; everything named is taken only if it is ours and still there."""

    pair: str
    vip: Address
    interface: str | None
    purge_package: bool = False
    returning: bool = False  # the pair comes back at once, in another mode: its files stay, withdrawn


@dataclass(frozen=True)
class Removed:
    """What a removal found and did, one line each ("removed /etc/keepalived/haos.d/web.conf")."""

    done: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
