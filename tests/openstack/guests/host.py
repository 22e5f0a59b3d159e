"""Process 1 of the guests of one hypervisor, in its network namespace, at the orders of the tests.

`python -m tests.openstack.guests.host ORDERS SETTINGS`: the orders come as JSON lines on the socket ORDERS, and when
that is closed, in whatever way, process 1 ends and all guests with it.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from haos.lab import cgroups
from haos.lab.errors import LabError
from haos.lab.machines import Machines, place_in
from haos.lab.model import Guest, Power
from haos.lab.rpc import Stream, serve
from haos.lab.wire import decode
from tests.openstack.guests.ovs import Bridge, Plug

EXPECTED = (LabError, OSError, subprocess.SubprocessError, KeyError)


@dataclass(frozen=True)
class Settings:
    """What it is started with."""

    run: str
    group: str
    image: str
    ovsdb: str
    bridge: str


class Host:
    """Carries out orders; every method returns when it is done."""

    def __init__(self, settings: Settings, changed: Callable[[str, Power], None]) -> None:
        self._machines = Machines(place_in(Path(settings.run), Path(settings.group), Path(settings.image)), changed)
        self._bridge = Bridge(Path(settings.ovsdb), settings.bridge)
        self._plugs: dict[str, Plug] = {}
        self._bridge.sweep()

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Return the orders by their names."""
        return {**self._machines.methods(), "boot": self.boot, "delete": self.delete, "unplug": self.unplug}

    def boot(self, guest: Any) -> str:
        """Boot a guest, plugged in; return its public host key."""
        made = decode(Guest, guest)
        self._plugs[made.id] = Plug(self._bridge, made)
        return self._machines.boot(made, self._plugs[made.id])

    def delete(self, guest_id: str) -> None:
        """End a guest for good."""
        self._machines.delete(guest_id)
        self._plugs.pop(guest_id).unplug()

    def unplug(self) -> None:
        """Take all guests out of the bridge: their end is near."""
        for plug in self._plugs.values():
            plug.unplug()


def main(orders_fd: int, settings: Settings) -> None:
    """Serve until the tests are gone."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    cgroups.enter(Path(settings.group))
    stream = Stream(socket.socket(fileno=orders_fd))

    def changed(guest_id: str, power: Power) -> None:
        stream.send({"event": "power", "guest": guest_id, "power": power.value})

    host = Host(settings, changed)
    stream.send({"event": "ready"})
    serve(stream, host.methods(), EXPECTED)
    os._exit(0)  # threads that wait for guests do not matter any more


if __name__ == "__main__":
    main(int(sys.argv[1]), decode(Settings, json.loads(sys.argv[2])))
