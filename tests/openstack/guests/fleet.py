"""The tests' end of the guests: a process in each hypervisor's network namespace; all of them end with the tests."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from haos.lab import cgroups, image
from haos.lab.errors import LabError
from haos.lab.model import Guest
from haos.lab.namespaces import environment, in_own_namespaces, python
from haos.lab.rpc import Client
from haos.lab.wire import encode
from tests.openstack.bed.model import Bed, HypervisorPlace
from tests.openstack.guests import host

PREFIX = "haos-guests-"
READY_S = 20.0
SHORT_S = 30.0


class Guests:
    """Guests on the hypervisors of a bed; `run` is an empty directory for their disks and consoles."""

    def __init__(self, bed: Bed, run: Path) -> None:
        self._places = {place.host: place for place in bed.hypervisors}
        self._run = run
        self._image = image.ensure(lambda line: None, lambda: ())
        self._hosts: dict[str, _Started] = {}
        self._group = cgroups.parent() / f"{PREFIX}{os.getpid()}"
        sweep_groups()

    def boot(self, on: str, guest: Guest) -> str:
        """Boot a guest on a hypervisor, by its host's name in Nova; return its public host key."""
        if on not in self._hosts:
            self._hosts[on] = _start(self._places[on], self._run / on, self._group / on, self._image)
        key: str = self._hosts[on].client.call("boot", SHORT_S, guest=encode(guest))
        return key

    def delete(self, on: str, guest_id: str) -> None:
        """Pull a guest's plug and throw its disk away."""
        self._hosts[on].client.call("delete", SHORT_S, guest_id=guest_id)

    def console(self, on: str, guest_id: str) -> Path:
        """Return the file with what a guest wrote on its console."""
        return self._run / on / "consoles" / f"{guest_id}.log"

    def close(self) -> None:
        """End all guests."""
        for each in self._hosts.values():
            each.end()
        cgroups.kill(self._group)
        cgroups.remove(self._group)


@dataclass
class _Started:
    client: Client
    orders: socket.socket
    process: subprocess.Popen[bytes]

    def end(self) -> None:
        with contextlib.suppress(LabError):  # it may have ended before
            self.client.call("unplug", SHORT_S)
        self.orders.shutdown(socket.SHUT_RDWR)
        self.process.wait(SHORT_S)
        self.orders.close()


def _start(place: HypervisorPlace, run: Path, group: Path, root: Path) -> _Started:
    run.mkdir(parents=True)
    for directory in (group.parent, group):
        cgroups.make(directory)
    settings = host.Settings(str(run), str(group), str(root), str(place.ovsdb), place.bridge)
    ours, theirs = socket.socketpair()
    with theirs, (run / "host.log").open("w") as log:
        argv = python("tests.openstack.guests.host", str(theirs.fileno()), json.dumps(encode(settings)))
        process = subprocess.Popen(
            [*in_own_namespaces(netns=place.netns), *argv],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(),
        )  # fmt: skip
    said: queue.SimpleQueue[bool] = queue.SimpleQueue()
    client = Client(ours, lambda message: said.put(True), lambda: said.put(False))
    try:
        ready = said.get(timeout=READY_S)
    except queue.Empty:
        ready = False
    if not ready:
        raise LabError(f"no guests can be had on {place.host}: {(run / 'host.log').read_text().strip()}")
    return _Started(client, ours, process)


def sweep_groups() -> None:
    """Remove the control groups of tests that were killed; the kernel has ended what was in them."""
    for group in cgroups.parent().glob(f"{PREFIX}*"):
        if not Path("/proc", group.name.removeprefix(PREFIX)).exists():
            cgroups.kill(group)
            cgroups.remove(group)
