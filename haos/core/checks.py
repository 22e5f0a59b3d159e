"""Preflight: every reason why `create` would fail, or the pair be less than highly available, with the remedy."""

from __future__ import annotations

import enum
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from haos.core.intent import naming, restore_hint, strange_tags
from haos.core.model import Address, CloudNetwork, Instance, Mode, Node, Pair, Port, Quota, Subnet
from haos.errors import UnsatisfiableError

MAX_PAIRS = 10
"""Neutron's default `max_allowed_address_pair`; the API does not show it."""


class Severity(enum.StrEnum):
    """How bad a finding is."""

    BLOCKER = "blocker"  # create cannot succeed
    WARNING = "warning"  # it can, but the pair is less than it could be
    INFO = "info"  # worth knowing to who asks


@dataclass(frozen=True)
class Finding:
    """One thing that preflight found."""

    code: str
    severity: Severity
    reason: str
    remedy: str | None = None


def blocker(code: str, reason: str, remedy: str | None = None) -> Finding:
    """Make a finding that stops create."""
    return Finding(code, Severity.BLOCKER, reason, remedy)


def warning(code: str, reason: str, remedy: str | None = None) -> Finding:
    """Make a finding that is told and lived with."""
    return Finding(code, Severity.WARNING, reason, remedy)


def info(code: str, reason: str, remedy: str | None = None) -> Finding:
    """Make a finding that only who asks is told."""
    return Finding(code, Severity.INFO, reason, remedy)


def check_network(network: CloudNetwork, subnet: Subnet, project_id: str) -> Iterator[Finding]:
    """Find what speaks against the network; policy is Neutron's default (member and network owner)."""
    if network.project_id != project_id:
        yield blocker(
            "network-owner",
            f"network {network.name} belongs to another project: a chosen address and address pairs are its owner's "
            "to set (Neutron answers 403)",
            "use a network of your own project, or ask its owner to run haos",
        )
    if subnet.ipv6_address_mode in {"slaac", "dhcpv6-stateless"}:
        yield blocker(
            "subnet-slaac",
            f"subnet {subnet.name or subnet.id} is in mode {subnet.ipv6_address_mode}: no address can be chosen",
            "use a subnet with ipv6_address_mode dhcpv6-stateful, or none",
        )


def check_mode(mode: Mode, nodes: Iterable[Node]) -> Iterator[Finding]:
    """Find what is known of a mode beforehand; which backend the network has, an ordinary user is not told."""
    held = [node.name for node in nodes if node.port.port_security]
    if mode is Mode.VMAC and held:
        yield info(
            "vmac-one-port",
            f"port security is on for {', '.join(held)}: with it OVN and ML2/OVS deliver a virtual MAC to one port "
            "alone, and the VIP is dead, or does not move",
            "--mode garp, which works on both; create finds out, and undoes what does not",
        )


def check_intents(pair: Pair, reservation: Port, nodes: Iterable[Node]) -> Iterator[Finding]:
    """Find faults that a failover test has announced and nobody has undone."""
    for reason in naming(pair, reservation, {node.port.id: node.name for node in nodes}):
        yield blocker("fault-pending", reason, restore_hint(pair))
    for tag in strange_tags(pair, reservation):
        yield warning(
            "fault-strange",
            f"the reservation port has a tag like that of a fault, but it is none of this pair's: {tag!r}; nothing "
            "is done about it",
            f"openstack port unset --tag {shlex.quote(tag)} {reservation.id}",
        )


def check_extensions(extensions: frozenset[str]) -> Iterator[Finding]:
    """Find extensions of Neutron that haos cannot do without."""
    if "allowed-address-pairs" not in extensions:
        yield blocker("no-address-pairs", "this cloud's Neutron has no allowed address pairs", "ask the operator")


def check_quota(
    quota: Quota, *, needs_group: bool, rules: int, needs_port: bool = True, needs_floating: bool = False
) -> Iterator[Finding]:
    """Find what the quota would refuse."""
    wants = [("port", quota.ports, 1)] if needs_port else []
    if needs_floating:
        wants.append(("floatingip", quota.floating_ips, 1))
    if needs_group:
        wants += [("security_group", quota.groups, 1), ("security_group_rule", quota.rules, rules + 2)]
    for what, left, needed in wants:
        if left is not None and left < needed:
            yield blocker(
                f"quota-{what.replace('_', '-')}",
                f"the project's quota leaves {left} {what}, {needed} needed",
                "openstack quota show; delete what is unused, or ask for more",
            )


def check_nodes(nodes: Sequence[Node], *, pairs_needed: Mapping[str, int], max_pairs: int) -> Iterator[Finding]:
    """Find what speaks against the instances and their ports; `pairs_needed` is by node name."""
    if len({node.name for node in nodes}) < len(nodes):
        yield blocker(
            "same-name", f"two nodes have the same name, {nodes[0].name!r}", "openstack server set --name …"
        )
    for node in nodes:
        yield from check_instance(node.instance)
        if not node.port.port_security:
            yield warning(
                "port-security-off",
                f"port security is off on {node.name}'s port: it needs no address pair, and gets none",
            )
        elif (needed := pairs_needed[node.name]) and len(node.port.pairs) + needed > max_pairs:
            yield blocker(
                "pairs-full",
                f"{node.name}'s port has {len(node.port.pairs)} allowed address pairs and needs {needed} more; "
                f"the limit is {max_pairs}",
                f"openstack port show {node.port.id} -c allowed_address_pairs",
            )
        if not node.port.admin_up:
            yield blocker(
                "port-down",
                f"{node.name}'s port is administratively down",
                f"openstack port set --enable {node.port.id}",
            )
    hosts = [node.instance.host_id for node in nodes if node.instance.host_id]
    if len(set(hosts)) < len(hosts):
        yield warning(
            "same-hypervisor",
            "two nodes run on one hypervisor: if it dies, so does the VIP",
            "put them into a server group with policy anti-affinity when they are next built",
        )


def max_pairs(ports: Iterable[Port]) -> int:
    """Return how many address pairs a port may have: Neutron's default, or what some port is seen to have."""
    return max(MAX_PAIRS, *(len(port.pairs) + MAX_PAIRS for port in ports if len(port.pairs) > MAX_PAIRS), 0)


def check_observer(observer: Instance | None, *, watched: bool, on_subnet: bool = True) -> Iterator[Finding]:
    """Find what speaks against the one who is to watch."""
    if not watched:
        return
    if observer is None:
        yield warning(
            "no-observer",
            "no instance on the network is named or tagged 'observer': how long a failover takes stays unknown",
            "name one with --observer, or say --no-observer",
        )
        return
    yield from check_instance(observer)
    if not on_subnet:
        yield warning(
            "observer-elsewhere",
            f"observer {observer.name} has no address on the pair's subnet: it cannot see which node answers",
            "name another --observer",
        )


def check_watcher(name: str, abilities: frozenset[str]) -> Iterator[Finding]:
    """Find what the observer lacks for measuring: "python", "ping", "root"."""
    if not abilities & {"python", "ping"}:
        yield blocker(
            "observer-cannot-probe",
            f"observer {name} has neither a Python (3.6 or newer) that may send ICMP nor a ping that works",
            "install python3 or iputils-ping there, or name another --observer",
        )
    elif "python" not in abilities:
        yield warning(
            "observer-no-python",
            f"observer {name} has no Python (3.6 or newer) that may send ICMP: its ping measures more coarsely, and "
            "does not see which node answers",
            "install python3 there, or name another --observer",
        )
    elif "root" not in abilities:
        yield warning(
            "observer-no-root",
            f"haos cannot be root on observer {name}: it cannot ask the network who has the VIP (ARP, ND), and so "
            "would not see that a client without a neighbour entry is led to the wrong node",
            "let its user sudo without a password, or name another --observer",
        )


def check_echo(
    deaf: Sequence[str], observer: Instance | None, address: Address | None, version: int
) -> Iterator[Finding]:
    """Find nodes (`deaf`) whose security groups keep the observer's ICMP echoes out."""
    if deaf and observer is not None:
        family, protocol = ("IPv4", "icmp") if version == 4 else ("IPv6", "ipv6-icmp")
        yield blocker(
            "no-icmp",
            f"the security groups of {', '.join(deaf)} do not admit ICMP from {observer.name}: it could not watch",
            f"openstack security group rule create --ethertype {family} --protocol {protocol} "
            f"--remote-ip {address} GROUP; or --no-verify",
        )


def check_instance(instance: Instance) -> Iterator[Finding]:
    """Find an instance that does not run."""
    if instance.status != "ACTIVE":
        yield blocker(
            "instance-not-active",
            f"instance {instance.name} is {instance.status}",
            f"openstack server {'unpause' if instance.status == 'PAUSED' else 'start'} {instance.id}",
        )


def raise_blockers(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the warnings; raise UnsatisfiableError with every blocker in one message."""
    findings = tuple(findings)
    blockers = [finding for finding in findings if finding.severity is Severity.BLOCKER]
    if blockers:
        raise UnsatisfiableError("; ".join(item.reason for item in blockers), hint=blockers[0].remedy)
    return tuple(finding for finding in findings if finding.severity is Severity.WARNING)
