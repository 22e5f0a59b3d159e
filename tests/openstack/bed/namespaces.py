"""The bed's network: namespaces and the wires between them, all made inside, nothing in the machine's own.

    haos-os ───── management ─────┬──────────┐
       │                      haos-os-hv1  haos-os-hv2
       │                          ├─ tunnel ─┤
       └───────── external ───────┴──────────┘

The three networks are bridges in the wire namespace. Programs in a hypervisor reach the services over management; the
switches there own the other two.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.openstack.bed.model import CONTROL, HYPERVISORS, MANAGEMENT_ADDRESS, PUBLIC_ADDRESS, WIRE, BedError

MANAGEMENT, TUNNEL, EXTERNAL = "management", "tunnel", "external"
BRIDGES = (MANAGEMENT, TUNNEL, EXTERNAL)
NAMES = (CONTROL, WIRE, *(each.netns for each in HYPERVISORS))
NETNS = Path("/run/netns")
CLONE_NEWNET = 0x40000000
COMMAND_S = 20.0


@dataclass(frozen=True)
class Leg:
    """A link from a namespace to one of the wire's bridges, named like the bridge on this side."""

    netns: str
    bridge: str
    port: str
    address: str | None = None


def legs() -> list[Leg]:
    """Return every link to the wire. A hypervisor's ends of tunnel and external are ports of its switch."""
    found = [
        Leg(CONTROL, MANAGEMENT, "os-management", f"{MANAGEMENT_ADDRESS}/24"),
        Leg(CONTROL, EXTERNAL, "os-external", f"{PUBLIC_ADDRESS}/24"),
    ]
    for each in HYPERVISORS:
        found += [
            Leg(each.netns, MANAGEMENT, f"hv{each.number}-management", f"{each.management_address}/24"),
            Leg(each.netns, TUNNEL, f"hv{each.number}-tunnel"),
            Leg(each.netns, EXTERNAL, f"hv{each.number}-external"),
        ]
    return found


def add_commands() -> list[list[str]]:
    """Return what makes the whole network, in order."""
    commands = []
    for name in NAMES:
        commands += [["ip", "netns", "add", name], ["ip", "-n", name, "link", "set", "lo", "up"]]
    for bridge in BRIDGES:
        commands += [
            ["ip", "-n", WIRE, "link", "add", bridge, "type", "bridge"],
            ["ip", "-n", WIRE, "link", "set", bridge, "up"],
        ]
    for leg in legs():
        commands += leg_commands(leg)
    return commands


def leg_commands(leg: Leg) -> list[list[str]]:
    """Return what makes one leg: both ends come into being in their namespaces."""
    into = ["ip", "-n", leg.netns]
    wire = ["ip", "-n", WIRE]
    address = [[*into, "address", "add", leg.address, "dev", leg.bridge]] if leg.address else []
    return [
        [*wire, "link", "add", leg.port, "type", "veth", "peer", "name", leg.bridge, "netns", leg.netns],
        [*wire, "link", "set", leg.port, "master", leg.bridge, "up"],
        *address,
        [*into, "link", "set", leg.bridge, "up"],
        # What the kernel sends here may be read by a switch in user space, where nobody completes its checksums.
        ["ip", "netns", "exec", leg.netns, "ethtool", "-K", leg.bridge, "tx", "off"],
    ]


def add() -> None:
    """Make the network unless it is there; half of one is made anew."""
    if are_whole():
        return
    delete()
    for command in add_commands():
        run(command)


def are_whole() -> bool:
    """Tell whether every namespace is there, and every link in it."""
    return present() == list(NAMES) and all(map(_is_whole, legs()))


def delete() -> None:
    """Delete the namespaces, and with them every link in them."""
    for name in present():
        run(["ip", "netns", "delete", name])


def present() -> list[str]:
    """Return the bed's namespaces that exist."""
    return [name for name in NAMES if (NETNS / name).exists()]


def files() -> list[Path]:
    """Return the files that stand for the bed's namespaces."""
    return [NETNS / name for name in present()]


@contextmanager
def inside(netns: str) -> Iterator[None]:
    """Be in a namespace for a while: this thread, and the threads and processes that it starts meanwhile."""
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        target = os.open(NETNS / netns, os.O_RDONLY)
        try:
            _setns(target)
        finally:
            os.close(target)
        try:
            yield
        finally:
            _setns(outside)
    finally:
        os.close(outside)


def run(command: list[str]) -> str:
    """Run a short command and return what it says; raises BedError with its complaint."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    if done.returncode:
        raise BedError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _is_whole(leg: Leg) -> bool:
    command = ["ip", "-n", leg.netns, "link", "show", "dev", leg.bridge, "up"]
    return bool(subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False).stdout)


def _setns(descriptor: int) -> None:
    # os.setns came with Python 3.12.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        raise BedError(f"cannot enter a network namespace: {os.strerror(ctypes.get_errno())}")
