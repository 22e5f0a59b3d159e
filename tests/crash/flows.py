"""What is enumerated: which command is killed, from where, and what is done afterwards."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from tests.lab.main_job import CREATE, NODES, cloud, on

Argv = tuple[str, ...]
Step = Argv | Callable[[str], None]
"""A command of haos, or what somebody else does on a lab."""
MADE = (*CREATE, "--no-verify")
TEARDOWN = ("teardown", "--purge")
# The Active node, for the one instance that is left; nobody watches then.
REPLACE = ("replace-node", "--old", "ha_first", "--new", "observer", "--no-observer", "--no-verify")


class Place(enum.StrEnum):
    """A state that is known."""

    BARE = "as before create"
    START = "as before the command"
    DONE = "as after the command, undisturbed"


@dataclass(frozen=True)
class Way:
    """What somebody does after haos was killed, and where it must end."""

    name: str
    argv: Argv
    ends: Place


@dataclass(frozen=True)
class Flow:
    """One command of haos, begun from the bare lab after `setup`."""

    name: str
    command: Argv
    ways: tuple[Way, ...]
    setup: tuple[Step, ...] = ()
    ends_bare: bool = False
    fabric: str = "ovs"
    preinstalled: bool = True
    wide: bool = False
    """Whether something happens beside the two nodes, or packages come: then more is looked at."""


def making(
    name: str, *more: str, setup: tuple[Step, ...] = (), fabric: str = "ovs", preinstalled: bool = True
) -> Flow:
    """Return the flow of a create: the same again completes it, and teardown takes all of it away."""
    command = (*CREATE, *more)
    again = Way("the same again", command, Place.DONE)
    undone = Way("teardown --purge", TEARDOWN, Place.BARE)
    return Flow(
        name, command, (again, undone), setup, fabric=fabric, preinstalled=preinstalled, wide=not preinstalled
    )


def drift(lab: str) -> None:
    """Take away by hand what a pair stands on: address pairs and group of a port, a daemon, a file.

    Nothing that a teardown would rightly leave as it finds it, such as a unit that its owner has disabled.
    """
    first, second = NODES
    network = cloud(lab).network
    [reservation] = network.ports(device_owner="haos:vip")
    vip = reservation.fixed_ips[0]["ip_address"]
    for port in network.ports(device_owner="compute:nova"):
        if any(pair["ip_address"] == vip for pair in port.allowed_address_pairs):
            network.update_port(port.id, allowed_address_pairs=[], security_groups=port.security_group_ids[:1])
    on(lab, second, "sudo systemctl stop keepalived")
    on(lab, first, "sudo rm /etc/keepalived/keepalived.conf && sudo systemctl restart keepalived")


FLOWS = {
    flow.name: flow
    for flow in (
        making("create", "--no-verify"),
        Flow(
            "teardown",
            TEARDOWN,
            (Way("the same again", TEARDOWN, Place.BARE),),
            setup=(MADE,),
            ends_bare=True,
        ),
        # By itself: create waits for a teardown that may still be at work, up to a minute each time.
        Flow(
            "teardown-create",
            TEARDOWN,
            (Way("the same again", TEARDOWN, Place.BARE), Way("create", MADE, Place.START)),
            setup=(MADE,),
            ends_bare=True,
        ),
        making("install", preinstalled=False),
        Flow(
            "replace",
            REPLACE,
            (Way("the same again", REPLACE, Place.DONE), Way("teardown --purge", TEARDOWN, Place.BARE)),
            setup=(MADE,),
            wide=True,
        ),
        making("profile", "--profile", "fast", "--no-verify", setup=(MADE,)),
        Flow(
            "repair",
            ("repair", "--no-verify"),
            (
                Way("the same again", ("repair", "--no-verify"), Place.DONE),
                Way("create", MADE, Place.DONE),
                Way("teardown --purge", TEARDOWN, Place.BARE),
            ),
            setup=(MADE, drift),
        ),
        making("to-vmac", "--mode", "vmac", "--no-verify", setup=(MADE,), fabric="learning"),
        making("to-garp", "--mode", "garp", "--no-verify", setup=((*MADE, "--mode", "vmac"),), fabric="learning"),
    )
}
"""name -> flow. A command that changes something gets a line here."""
