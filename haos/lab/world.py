"""The daemon's half of the world: orders go to the hypervisor, what it reports is remembered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from haos.lab.floating import FloatingListeners
from haos.lab.model import Fabric, FloatingAddress, Guest, Power
from haos.lab.rpc import Client, Message
from haos.lab.wire import encode

SHORT_S = 30.0
LONG_S = 150.0  # a clean shutdown, its deadline, and a boot


@dataclass(frozen=True)
class Known:
    """An instance as the daemon knows it."""

    guest: Guest
    power: Power
    floating: tuple[IPv4Address, ...]
    host_key: str


@dataclass
class RemoteWorld:
    """The `World` of a running lab. `changed` is called, from any thread, when `instances` says something new."""

    client: Client
    listeners: FloatingListeners
    consoles: Path
    changed: Callable[[], None] = lambda: None
    _guests: dict[str, Guest] = field(default_factory=dict)
    _powers: dict[str, Power] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _floating: tuple[FloatingAddress, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def instances(self) -> tuple[Known, ...]:
        """Return all instances that have been booted."""
        with self._lock:
            return tuple(self._known(guest_id) for guest_id in self._keys)

    def _known(self, guest_id: str) -> Known:
        guest = self._guests[guest_id]
        fixed = {(nic.network_id, address.ip) for nic in guest.nics for address in nic.addresses}
        floating = tuple(each.floating for each in self._floating if (each.network_id, each.fixed) in fixed)
        return Known(guest, self._powers[guest_id], floating, self._keys[guest_id])

    def power_changed(self, message: Message) -> None:
        """Take note of the hypervisor's report."""
        with self._lock:
            self._powers[message["guest"]] = Power(message["power"])
        self.changed()

    def apply_fabric(self, fabric: Fabric) -> None:
        """Take over the whole desired state."""
        self.client.call("apply_fabric", SHORT_S, fabric=encode(fabric))

    def apply_floating(self, addresses: tuple[FloatingAddress, ...]) -> None:
        """Listen on exactly these floating addresses."""
        self.listeners.apply(addresses)
        with self._lock:
            self._floating = addresses
        self.changed()

    def boot(self, guest: Guest) -> None:
        """Make a fresh disk and power the instance on."""
        with self._lock:
            self._guests[guest.id] = guest
        key = self.client.call("boot", SHORT_S, guest=encode(guest))
        with self._lock:
            self._keys[guest.id] = key
        self.changed()

    def start(self, guest_id: str) -> None:
        """Power on with the disk as it was left."""
        self.client.call("start", SHORT_S, guest_id=guest_id)

    def stop(self, guest_id: str) -> None:
        """Press the power button (clean shutdown), the plug after a deadline."""
        self.client.call("stop", LONG_S, guest_id=guest_id)

    def reboot(self, guest_id: str, *, hard: bool) -> None:
        """Restart cleanly, or by the plug if hard; return when it boots again."""
        self.client.call("reboot", LONG_S, guest_id=guest_id, hard=hard)

    def pause(self, guest_id: str) -> None:
        """Freeze every process of the instance."""
        self.client.call("pause", SHORT_S, guest_id=guest_id)

    def unpause(self, guest_id: str) -> None:
        """Let a frozen instance go on."""
        self.client.call("unpause", SHORT_S, guest_id=guest_id)

    def rebuild(self, guest_id: str) -> None:
        """Begin anew with a fresh disk and fresh host keys."""
        key = self.client.call("rebuild", LONG_S, guest_id=guest_id)
        with self._lock:
            self._keys[guest_id] = key
        self.changed()

    def rewire(self, guest: Guest) -> None:
        """Give an instance other network cards, at once if it runs."""
        with self._lock:
            self._guests[guest.id] = guest
        self.client.call("rewire", SHORT_S, guest=encode(guest))
        self.changed()

    def delete(self, guest_id: str) -> None:
        """Pull the plug and throw the disk away."""
        self.client.call("delete", SHORT_S, guest_id=guest_id)
        with self._lock:
            for table in (self._guests, self._powers, self._keys):
                table.pop(guest_id, None)
        (self.consoles / f"{guest_id}.log").unlink(missing_ok=True)
        self.changed()

    def cut(self, port_id: str, *, dark: bool) -> None:
        """Lose all frames of a port, both ways, from now on; or let them pass again."""
        self.client.call("cut", SHORT_S, port_id=port_id, dark=dark)

    def power(self, guest_id: str) -> Power:
        """Say what the instance does now."""
        with self._lock:
            return self._powers[guest_id]

    def console(self, guest_id: str) -> str:
        """Return the instance's console log."""
        log = self.consoles / f"{guest_id}.log"
        return log.read_bytes().decode(errors="replace") if log.exists() else ""
