"""What the machine lacks for the lab's switch, found out by trying."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network

from haos.lab.fabric import arp
from haos.lab.fabric.command import Run, SwitchError, execute
from haos.lab.fabric.links import BRIDGE_OPTIONS
from haos.lab.fabric.render import ruleset
from haos.lab.model import AddressPair, Direction, Fabric, FabricKind, FabricPort, PortKind, Rule

TRIAL_BRIDGE, TRIAL_TAP = "brqtrial", "taptrial"
MODULES = "modprobe -a br_netfilter veth nf_tables nft_ct nf_conntrack"
LOG_MODULES = "modprobe -a nft_log nfnetlink_log"
TOOLS = (("ip", "iproute2"), ("bridge", "iproute2"), ("nft", "nftables"))
TRIALS = (
    ("veth cables", f"ip link add {TRIAL_TAP} type veth peer name {TRIAL_TAP}x"),
    ("bridges", f"ip link add {TRIAL_BRIDGE} type bridge {BRIDGE_OPTIONS}"),
    ("br_netfilter", "cat /proc/sys/net/bridge/bridge-nf-call-iptables"),
)


def missing(run: Run = execute, kind: FabricKind = FabricKind.OVS) -> str | None:
    """Name in one line the first thing that the switch needs and the machine lacks, and its remedy; None if fit.

    Call it in a network namespace of its own, or in the switch's before there is one: it makes links for a moment.
    """
    for tool, package in TOOLS:
        if _fails(run, [tool, "-V"]):
            return f"the command {tool} is missing: apt-get install {package}"
    try:
        return _lacking(run, kind)
    finally:
        for link in (TRIAL_BRIDGE, TRIAL_TAP):
            _fails(run, ["ip", "link", "del", link])


def _lacking(run: Run, kind: FabricKind) -> str | None:
    for name, command in TRIALS:
        if reason := _fails(run, command.split()):
            return f"the kernel does not offer {name} ({reason}): {MODULES}"
    if reason := _fails(run, ["nft", "-c", "-f", "-"], ruleset(_sample())):
        return f"the kernel does not take the switch's nftables rules ({reason}): {MODULES}"
    if kind is FabricKind.ARP_CACHE and (reason := _fails(run, ["nft", "-c", "-f", "-"], arp.ruleset(1.0))):
        return f"the kernel does not take the rules of the switch's ARP table ({reason}): {LOG_MODULES}"
    return None


def _fails(run: Run, argv: list[str], text: str = "") -> str:
    """Return the first line of a command's complaint; empty if it has none."""
    try:
        run(argv, text)
    except SwitchError as error:
        return str(error).partition("\n")[0]
    return ""


def _sample() -> Fabric:
    """Make a fabric whose rules use every facility."""
    rules = (
        Rule(Direction.EGRESS, 6, protocol=6, port_min=1, port_max=2, remotes=(ip_network("2001:db8::/64"),)),
        Rule(Direction.INGRESS, 4, protocol=1, port_min=8, port_max=0),
    )
    pairs = (AddressPair(ip_network("192.0.2.2/32"), "00:00:5e:00:01:01"),)
    addresses = (ip_interface("192.0.2.1/24"), ip_interface("2001:db8::1/64"))
    mac = "fa:16:3e:00:00:01"
    port = FabricPort("trial", "trial", PortKind.INSTANCE, mac, addresses, pairs=pairs, rules=rules)
    return Fabric(FabricKind.OVS, (port,))
