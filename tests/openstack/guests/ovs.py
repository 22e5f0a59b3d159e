"""The integration bridge of a hypervisor, and how a guest's tap is plugged into it: as Nova's os-vif does."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from haos.lab.fabric.names import tap_name
from haos.lab.iproute import ip_batch
from haos.lab.model import Guest, Nic

MARK = "external_ids:haos-guest"
DEADLINE_S = 20.0


@dataclass(frozen=True)
class Bridge:
    """An integration bridge, asked through its switch's database."""

    ovsdb: Path
    name: str

    def add(self, tap: str, nic: Nic, guest: Guest) -> None:
        """Plug a tap in as a Neutron port's; one of that name that is there already is taken out first."""
        self.remove(tap)
        ids = {
            "iface-id": nic.port_id,
            "attached-mac": nic.mac,
            "iface-status": "active",
            "vm-uuid": guest.id,
        }
        words = [f"external_ids:{key}={value}" for key, value in ids.items()]
        self._ask("add-port", self.name, tap, "--", "set", "Interface", tap, *words, f"{MARK}=true")

    def remove(self, tap: str) -> None:
        """Take a tap out; one that is not there is fine."""
        self._ask("--if-exists", "del-port", self.name, tap)

    def sweep(self) -> None:
        """Take out what guests left whose hypervisor was killed: their taps are gone, the bridge still has them."""
        links = {name for _, name in socket.if_nameindex()}
        for tap in set(self._marked()) - links:
            self.remove(tap)

    def _marked(self) -> Iterator[str]:
        found = self._ask("--bare", "--columns=name", "find", "Interface", f"{MARK}=true")
        return (line for line in found.splitlines() if line)

    def _ask(self, *words: str) -> str:
        argv = ["ovs-vsctl", f"--timeout={DEADLINE_S:.0f}", f"--db=unix:{self.ovsdb}", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True)
class Plug:
    """The bridge as one guest's switchboard."""

    bridge: Bridge
    guest: Guest

    def plug(self, tap: str) -> None:
        """Attach a tap that has just been made, and let it carry whole frames: nobody makes checksums later."""
        subprocess.run(["ethtool", "-K", tap, "tx", "off"], stdout=subprocess.DEVNULL, check=True)
        nic = next(nic for nic in self.guest.nics if tap_name(nic.port_id) == tap)
        self.bridge.add(tap, nic, self.guest)

    def unplug(self) -> None:
        """Take all taps of the guest out of the bridge."""
        for nic in self.guest.nics:
            self.bridge.remove(tap_name(nic.port_id))

    def drop_all(self, tap: str, why: str) -> None:
        """Lose all frames of a tap."""
        ip_batch([f"link set {tap} down"])

    def restore(self, tap: str, why: str) -> None:
        """Let the frames of a tap pass again; the tap of a guest that has ended may be gone."""
        ip_batch([f"link set {tap} up"], force=True)
