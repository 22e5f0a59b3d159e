"""Process 1 of the lab's namespaces: instances, switch and router, at the orders of the daemon.

`python -m haos.lab.hypervisor ORDERS SOCKETS SETTINGS`: the orders come as JSON lines on the socket
ORDERS, and when that is closed, in whatever way, process 1 ends and the kernel ends all in the namespaces.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haos.lab.errors import LabError
from haos.lab.fabric import ArpCache, Switch, SwitchError
from haos.lab.fabric.names import tap_name
from haos.lab.instances import Machine, Place
from haos.lab.iproute import ip_batch
from haos.lab.model import Fabric, FabricKind, Guest, Power, SwitchSettings
from haos.lab.router import Router
from haos.lab.rpc import Stream, serve
from haos.lab.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, mount
from haos.lab.wire import decode

EXPECTED = (LabError, SwitchError, OSError, subprocess.SubprocessError, KeyError)


@dataclass(frozen=True)
class Settings:
    """What the hypervisor is started with."""

    run: str
    group: str
    image: str
    switch: SwitchSettings


class Hypervisor:
    """Carries out orders; every method returns when it is done."""

    def __init__(self, settings: Settings, sockets: socket.socket, changed: Callable[[str, Power], None]) -> None:
        run = Path(settings.run)
        self._place = Place(
            disks=run / "instances",
            consoles=run / "consoles",
            terminals=run / "terminals",
            group=Path(settings.group),
            image=Path(settings.image),
        )
        self._changed = changed
        self._machines: dict[str, Machine] = {}
        self._wiring = threading.Lock()
        prepare(self._place)
        if settings.switch.kind is FabricKind.ARP_CACHE:
            self._arp_cache = ArpCache(settings.switch.arp_cache_s)
        self._switch = Switch(settings.switch.delay_s)
        self._router = Router(self._switch, sockets)

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Return the orders by their names."""
        return {
            "apply_fabric": self.apply_fabric,
            "boot": self.boot,
            "start": lambda guest_id: self._machines[guest_id].start(),
            "stop": lambda guest_id: self._machines[guest_id].stop(),
            "reboot": lambda guest_id, hard: self._machines[guest_id].reboot(hard=hard),
            "pause": lambda guest_id: self._machines[guest_id].pause(True),
            "unpause": lambda guest_id: self._machines[guest_id].pause(False),
            "delete": self.delete,
            "cut": self.cut,
        }

    def apply_fabric(self, fabric: Any) -> None:
        """Bring the switch and the router to a desired state."""
        wanted = decode(Fabric, fabric)
        with self._wiring:
            self._switch.apply(wanted)
            self._router.apply(wanted)

    def boot(self, guest: Any) -> str:
        """Boot a new instance; return its public host key."""
        machine = Machine(decode(Guest, guest), self._place, self._switch, self._changed)
        self._machines[machine.guest.id] = machine
        machine.disk.make(machine.guest)
        machine.start()
        return machine.disk.host_key

    def delete(self, guest_id: str) -> None:
        """End an instance for good."""
        self._machines.pop(guest_id).delete()

    def cut(self, port_id: str, dark: bool) -> None:
        """Lose all frames of a port, or let them pass again; effective on return."""
        (self._switch.drop_all if dark else self._switch.restore)(tap_name(port_id))


def prepare(place: Place) -> None:
    """Mount what the namespaces need, and make the directories."""
    for directory in (place.disks, place.consoles, place.terminals):
        directory.mkdir(exist_ok=True)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("devpts", str(place.terminals), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0600,mode=600")
    ip_batch(["link set lo up"])


def main(orders_fd: int, sockets_fd: int, settings: Settings) -> None:
    """Serve until the daemon is gone."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    stream = Stream(socket.socket(fileno=orders_fd))

    def changed(guest_id: str, power: Power) -> None:
        stream.send({"event": "power", "guest": guest_id, "power": power.value})

    with socket.socket(fileno=sockets_fd) as sockets:
        hypervisor = Hypervisor(settings, sockets, changed)
    stream.send({"event": "ready"})
    serve(stream, hypervisor.methods(), EXPECTED)
    os._exit(0)  # threads that wait for instances do not matter any more


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), decode(Settings, json.loads(sys.argv[3])))
