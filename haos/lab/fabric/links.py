"""The kernel's bridges, taps and forwarding database: read them, and work out what leads to a plan."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from haos.lab.fabric.command import Run
from haos.lab.fabric.forwarding import TapPlan
from haos.lab.fabric.names import BRIDGE_PREFIX, TAP_PREFIX

# Nothing of the kernel's own cleverness; bridged IP packets pass br_netfilter, whatever the sysctl says.
BRIDGE_OPTIONS = "stp_state 0 forward_delay 0 mcast_snooping 0 nf_call_iptables 1 nf_call_ip6tables 1"


@dataclass(frozen=True)
class Entry:
    """A line of the forwarding database."""

    tap: str
    mac: str
    static: bool


@dataclass(frozen=True)
class Links:
    """What is there."""

    bridges: frozenset[str]
    masters: dict[str, str]  # of every tap; "" for one that is not attached
    entries: frozenset[Entry] = frozenset()

    @property
    def taps(self) -> frozenset[str]:
        """The taps that exist."""
        return frozenset(self.masters)


def read(run: Run) -> Links:
    """Look at the namespace."""
    links = {each["ifname"]: each for each in _rows(run(["ip", "-j", "link", "show"], ""))}
    found = _rows(run(["bridge", "-j", "fdb", "show"], ""))
    return Links(
        bridges=frozenset(name for name in links if name.startswith(BRIDGE_PREFIX)),
        masters={name: each.get("master", "") for name, each in links.items() if name.startswith(TAP_PREFIX)},
        entries=frozenset(
            Entry(each["ifname"], each["mac"], each.get("state") == "static")
            for each in found
            if each.get("master", "").startswith(BRIDGE_PREFIX) and each.get("state") != "permanent"
        ),
    )


def link_commands(links: Links, bridges: frozenset[str], plans: Iterable[TapPlan]) -> list[str]:
    """Return the lines of `ip -batch` that make the wanted bridges and attach exactly the planned taps."""
    lines = [f"link del {bridge}" for bridge in sorted(links.bridges - bridges)]
    for bridge in sorted(bridges - links.bridges):
        lines += [
            f"link add {bridge} type bridge {BRIDGE_OPTIONS}",
            f"link set {bridge} addrgenmode none",
            f"link set {bridge} up",
        ]
    planned = {each.tap: each for each in plans}
    lines += [f"link set {tap} nomaster" for tap, master in links.masters.items() if master and tap not in planned]
    for tap, each in planned.items():
        if links.masters.get(tap) != each.bridge:
            lines += [f"link set {tap} addrgenmode none", f"link set {tap} master {each.bridge}"]
        lines += [f"link set {tap} type bridge_slave {_flags(each)}", f"link set {tap} up"]
    return lines


def entry_commands(links: Links, plans: Iterable[TapPlan]) -> list[str]:
    """Return the lines of `bridge -batch` that pin exactly the planned MAC addresses."""
    planned = {each.tap: each for each in plans}
    wanted = {Entry(tap, mac, static=True) for tap, each in planned.items() for mac in each.pinned}
    moved = {(links.masters.get(each.tap), each.mac) for each in wanted}
    stale = [
        each
        for each in sorted(links.entries - wanted, key=lambda each: (each.tap, each.mac))
        # An entry that is pinned elsewhere on the same bridge moves there; what a learning tap has learned stays.
        if (links.masters.get(each.tap), each.mac) not in moved
        and (each.static or each.tap not in planned or not planned[each.tap].learning)
    ]
    lines = [f"fdb del {each.mac} dev {each.tap} master" for each in stale]
    missing = sorted(wanted - links.entries, key=lambda each: (each.tap, each.mac))
    return lines + [f"fdb replace {each.mac} dev {each.tap} master static sticky" for each in missing]


def _flags(plan: TapPlan) -> str:
    """Render what a tap does with unknown addresses; broadcast and multicast reach every port, as with Neutron."""
    unknown = "on" if plan.learning else "off"
    return f"learning {unknown} flood {unknown} mcast_flood on bcast_flood on"


def _rows(text: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = json.loads(text or "[]")
    return [row for row in rows if row]
