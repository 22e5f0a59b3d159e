"""`haos teardown --explain`: a pair taken away by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from haos.core.floating import FloatingRemoval
from haos.core.intent import pending
from haos.core.model import Added, Member, Node, Pair, Port, SecurityGroup
from haos.core.plan import added_pairs
from haos.view.console import Output
from haos.view.explain import Logins, pair_word
from haos.view.removal_script import removal_script
from haos.view.script import command, comment, with_input
from haos.workflow.cloud_side import SIDES

PACKAGE_REMOVAL = "apt-get purge -y keepalived || dnf remove -y keepalived || zypper --non-interactive rm keepalived"


@dataclass(frozen=True)
class Belongings:
    """What a pair has where."""

    pair: Pair
    reservation: Port
    nodes: tuple[Node, ...]
    ports: tuple[Port, ...]
    group: SecurityGroup | None
    purge: bool
    floating: FloatingRemoval


def show_removal_explanation(there: Belongings, output: Output, logins: Logins) -> int:
    """Print the script."""
    for line in explain_removal(there, logins):
        output.script(line)
    return 0


def explain_removal(there: Belongings, logins: Logins) -> Iterator[str]:
    """Yield a script that takes away what the record says: nodes, ports, group, and the reservation last."""
    pair = there.pair
    yield "#!/bin/sh"
    yield comment(f"What haos would do to take away pair {pair.name} with VIP {pair.vip}, by hand.")
    yield "set -e"
    yield from _end_faults(there)
    by_port = {node.port.id: node for node in there.nodes}
    for member in pair.members:
        if member.port_id in by_port:
            yield ""
            yield from _clean_node(by_port[member.port_id], member, there, logins)
    yield ""
    yield comment("The ports lose what haos gave them, and nothing else.")
    ports = {port.id: port for port in there.ports}
    for member in pair.members:
        if member.port_id in ports:
            yield from _clean_port(member, ports[member.port_id], there)
    if there.group:
        yield command("openstack", "security", "group", "delete", there.group.id)
    for note in there.floating.kept:
        yield comment(f"{note[0].upper()}{note[1:]}.")
    for ip in there.floating.delete:
        yield command("openstack", "floating", "ip", "delete", ip.id)
    for ip in there.floating.release:
        yield command("openstack", "floating", "ip", "unset", "--port", ip.id)
    yield comment("The reservation goes last: as long as it is there, haos teardown finds the rest.")
    if pair.adopted:
        bare = ("--device-owner", "", "--device", "", "--description", "")
        yield command("openstack", "port", "set", *bare, there.reservation.id)
    else:
        yield command("openstack", "port", "delete", there.reservation.id)


def _end_faults(there: Belongings) -> Iterator[str]:
    ports = {port.id: port for port in there.ports}
    intents = pending(there.pair, there.reservation)
    if intents:
        yield comment("A failover test died, or is at work: the faults that it announced are undone first.")
    for intent in intents:
        if intent.port_id in ports:
            yield command(*SIDES[intent.fault].by_hand(ports[intent.port_id]))
        yield command("openstack", "port", "unset", "--tag", intent.tag, there.reservation.id)


def _clean_node(node: Node, member: Member, there: Belongings, logins: Logins) -> Iterator[str]:
    yield comment(f"{node.name}: the pair's files; then, if no other pair is there, what all pairs share. A")
    yield comment("keepalived.conf of haos's own is deleted, yours loses one line.")
    purge = there.purge and Added.PACKAGE in member.added
    yield from with_input((*logins[node.name], "sudo sh"), removal_script(there.pair.name, purge=purge))


def _clean_port(member: Member, port: Port, there: Belongings) -> Iterator[str]:
    pairs = added_pairs(port, there.pair, member.added)
    losses = [word for one in pairs for word in ("--allowed-address", pair_word(one))]
    if there.group and Added.GROUP in member.added:
        losses += ["--security-group", there.group.id]
    if losses:
        yield command("openstack", "port", "unset", *losses, port.id)
