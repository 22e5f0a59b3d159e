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
from haos.lab.machines import Machines, place_in
from haos.lab.model import Fabric, FabricKind, Guest, Power, SwitchSettings
from haos.lab.router import Router
from haos.lab.rpc import Stream, serve
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
        place = place_in(Path(settings.run), Path(settings.group), Path(settings.image))
        self._machines = Machines(place, changed)
        self._wiring = threading.Lock()
        if settings.switch.kind is FabricKind.ARP_CACHE:
            self._arp_cache = ArpCache(settings.switch.arp_cache_s)
        self._switch = Switch(settings.switch.delay_s)
        self._router = Router(self._switch, sockets)

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Return the orders by their names."""
        return {
            **self._machines.methods(),
            "apply_fabric": self.apply_fabric,
            "boot": lambda guest: self._machines.boot(decode(Guest, guest), self._switch),
            "cut": self.cut,
        }

    def apply_fabric(self, fabric: Any) -> None:
        """Bring the switch and the router to a desired state."""
        wanted = decode(Fabric, fabric)
        with self._wiring:
            self._switch.apply(wanted)
            self._router.apply(wanted)

    def cut(self, port_id: str, dark: bool) -> None:
        """Lose all frames of a port, or let them pass again; effective on return."""
        (self._switch.drop_all if dark else self._switch.restore)(tap_name(port_id))


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
