"""What a lab cloud starts with: plain values, and the howto's cloud made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from haos.lab.api.access import AccessRule

MEMBER = ("member", "reader")
READER = ("reader",)
ADMIN = ("admin", "member", "reader")


@dataclass(frozen=True)
class User:
    """Somebody with a password and the same roles in each of some projects."""

    id: str
    name: str
    password: str
    projects: tuple[str, ...]  # names
    roles: tuple[str, ...] = MEMBER


@dataclass(frozen=True)
class ApplicationCredential:
    """A secret that stands for a user in one project."""

    id: str
    name: str
    secret: str
    user: str
    project: str
    rules: tuple[AccessRule, ...] = ()  # none: whatever the user may do


@dataclass(frozen=True)
class SubnetSeed:
    """A subnet; None leaves the choice to Neutron's defaults, gateway "" means none."""

    cidr: str
    name: str = ""
    id: str = ""
    gateway: str | None = None
    pool: tuple[str, str] | None = None
    dns: tuple[str, ...] = ()
    ipv6_mode: str | None = None  # slaac, dhcpv6-stateful, dhcpv6-stateless: address mode and RA mode


@dataclass(frozen=True)
class NetworkSeed:
    """A network; `router_port` joins its first subnet's gateway address to the lab's router."""

    name: str
    project: str
    subnets: tuple[SubnetSeed, ...] = ()
    id: str = ""
    shared: bool = False
    external: bool = False
    mtu: int = 1500
    router_port: tuple[str, str] | None = None  # id and MAC, "" for made-up ones


@dataclass(frozen=True)
class RuleSeed:
    """A rule beside the two default egress rules."""

    protocol: str | None
    port: int | None = None
    direction: str = "ingress"
    ethertype: str = "IPv4"
    remote: str | None = None


@dataclass(frozen=True)
class GroupSeed:
    """A security group."""

    name: str
    project: str
    rules: tuple[RuleSeed, ...] = ()


@dataclass(frozen=True)
class NicSeed:
    """How an instance is plugged in."""

    network: str
    address: str | None = None
    port_id: str = ""
    mac: str | None = None
    floating: str | None = None  # a floating IP to give it


@dataclass(frozen=True)
class InstanceSeed:
    """An instance."""

    name: str
    project: str
    nics: tuple[NicSeed, ...]
    groups: tuple[str, ...] = ()  # names; none: the project's default group
    floating: bool = False  # whether the first address that can have a floating IP gets one, any
    id: str = ""
    host: str = "lab-host-1"
    keys: tuple[str, ...] = ()  # lines for authorized_keys


@dataclass(frozen=True)
class CloudSeed:
    """Everything that is there when the cloud starts."""

    projects: dict[str, str]  # name -> id
    users: tuple[User, ...]
    credentials: tuple[ApplicationCredential, ...] = ()
    networks: tuple[NetworkSeed, ...] = ()
    groups: tuple[GroupSeed, ...] = ()
    instances: tuple[InstanceSeed, ...] = ()
    router: str = "lab-router"
    tokens_last_s: float = 3600.0
    keys: tuple[str, ...] = field(default=())


DEMO_PROJECT = "26cfbd9d4ee64d8faecd287bb39d3870"
OTHER_PROJECT = "7f4a1c0e5d2b4b7a9c3e8d6f1a2b3c4d"
ADMIN_PROJECT = "0d9c8b7a6f5e4d3c2b1a09f8e7d6c5b4"
PASSWORD = "lab"  # noqa: S105 - the lab listens on loopback only and its password is no secret
CREDENTIAL = ApplicationCredential(
    id="c0ffee00aa114b6f8a7d3e2f1c0b9a88",
    name="haos",
    secret="lab-secret",  # noqa: S106 - no secret either
    user="demo",
    project="demo",
)
SSH_ICMP = GroupSeed(
    "ssh-icmp",
    "demo",
    (
        RuleSeed("icmp"),
        RuleSeed("tcp", 22),
        RuleSeed("ipv6-icmp", ethertype="IPv6"),
        RuleSeed("tcp", 22, ethertype="IPv6"),
    ),
)


def howto(
    floating_prefix: str = "127.200.51", keys: tuple[str, ...] = (), server_ids: Mapping[str, str] | None = None
) -> CloudSeed:
    """Return the howto's cloud: its network, subnet and three instances, with the port ids and MACs it shows.

    Servers get fresh ids unless some are given: a new lab's instances have new host keys, and a known id with another
    key looks, rightly, like an attack. Beside it there are a second project whose shared network is on offer, an
    admin and a reader.
    """
    return CloudSeed(
        projects={"demo": DEMO_PROJECT, "other": OTHER_PROJECT, "admin": ADMIN_PROJECT},
        users=(
            User("11111111aaaa4aaa8aaa000000000001", "demo", PASSWORD, ("demo",)),
            User("11111111aaaa4aaa8aaa000000000002", "other", PASSWORD, ("other",)),
            User("11111111aaaa4aaa8aaa000000000003", "admin", PASSWORD, ("admin", "demo"), ADMIN),
            User("11111111aaaa4aaa8aaa000000000004", "reader", PASSWORD, ("demo",), READER),
        ),
        credentials=(CREDENTIAL,),
        networks=_howto_networks(floating_prefix),
        groups=(SSH_ICMP,),
        instances=_howto_instances(floating_prefix, keys, server_ids or {}),
        keys=keys,
    )


def _howto_networks(floating_prefix: str) -> tuple[NetworkSeed, ...]:
    inside = SubnetSeed(
        cidr="10.200.51.0/24",
        name="ha_lab",
        id="9a027a94-e688-45cb-a653-e223ccc9f72f",
        gateway="10.200.51.1",
        pool=("10.200.51.32", "10.200.51.254"),
        dns=("8.8.4.4", "8.8.8.8"),
    )
    outside = SubnetSeed(cidr=f"{floating_prefix}.0/24", name="public")
    shared = SubnetSeed(cidr="10.200.77.0/24", name="shared_lab", pool=("10.200.77.32", "10.200.77.254"))
    return (
        NetworkSeed("public", "admin", (outside,), external=True),
        NetworkSeed(
            "ha_lab",
            "demo",
            (inside,),
            id="56412e9d-045b-453a-8e09-e3584a8ebaf4",
            router_port=("a8389d5e-6bd0-4368-a6fb-249127f9cdca", "fa:16:3e:c9:e0:b1"),
        ),
        NetworkSeed("shared_lab", "other", (shared,), shared=True),
    )


def _howto_instances(
    floating_prefix: str, keys: tuple[str, ...], server_ids: Mapping[str, str]
) -> tuple[InstanceSeed, ...]:
    rows = (
        ("ha_first", 32, "913c4131-0cc3-4df4-9f7e-b4cf4ae885ca", "8d:dc:bb"),
        ("ha_second", 33, "e220e2d9-f4de-4941-92e0-640ee352aa4f", "f3:a9:a3"),
        ("observer", 34, "db8fa14d-5800-4db5-8ad7-fe9ad1eaef37", "08:e6:15"),
    )
    return tuple(
        InstanceSeed(
            name=name,
            project="demo",
            id=server_ids.get(name, ""),
            nics=(
                NicSeed(
                    "ha_lab",
                    address=f"10.200.51.{last}",
                    port_id=port_id,
                    mac=f"fa:16:3e:{mac}",
                    floating=f"{floating_prefix}.{last}",
                ),
            ),
            groups=("ssh-icmp",),
            host=f"lab-host-{number}",
            keys=keys,
        )
        for number, (name, last, port_id, mac) in enumerate(rows, start=1)
    )
