"""The lab's one process on the machine itself: API, floating listeners, and the hypervisor as its child.

`python -m haos.lab.daemon READY SETTINGS` writes a line of JSON to the pipe READY when it serves or finds
that it cannot. When it ends, in whatever way, everything in the lab's namespaces ends with it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from haos.lab import cgroups, files, hypervisor
from haos.lab.api import Cloud, howto
from haos.lab.errors import LabError
from haos.lab.floating import FloatingListeners
from haos.lab.model import SwitchSettings
from haos.lab.namespaces import environment, in_own_namespaces, python
from haos.lab.paths import LabPaths
from haos.lab.rpc import Client, Message
from haos.lab.wire import decode, encode
from haos.lab.world import RemoteWorld

START_S = 20.0


@dataclass(frozen=True)
class Settings:
    """What a lab is started with."""

    name: str
    prefix: str  # of its floating addresses, three numbers
    ssh_port: int
    switch: SwitchSettings
    image: str
    group: str


class Daemon:
    """A running lab."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._paths = LabPaths(settings.name)
        self._ended = threading.Event()
        self._writing = threading.Lock()
        self._url = ""

    def start(self) -> None:
        """Start everything and order the instances to boot; raises LabError."""
        cgroups.enter(Path(self._settings.group))
        public = _make_key(self._paths.key)
        self._world = self._start_world()
        seed = howto(floating_prefix=self._settings.prefix, keys=(public,))
        cloud = Cloud(seed, self._world, fabric_kind=self._settings.switch.kind)
        self._url = cloud.serve("127.0.0.1", 0, access_log=self._paths.access_log).url
        ssh_config = files.ssh_config(self._paths, self._settings.prefix, self._settings.ssh_port)
        files.write_atomically(self._paths.ssh_config, ssh_config)
        files.write_atomically(self._paths.clouds_yaml, files.clouds_yaml(self._paths, self._url))
        self._world.changed = self._write_state
        cloud.power_on()

    def wait(self) -> None:
        """Wait for the hypervisor's end."""
        self._ended.wait()

    def _start_world(self) -> RemoteWorld:
        orders, their_orders = socket.socketpair()
        sockets, their_sockets = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        told = hypervisor.Settings(
            run=str(self._paths.run),
            group=self._settings.group,
            image=self._settings.image,
            switch=self._settings.switch,
        )
        handles = [their_orders.fileno(), their_sockets.fileno()]
        with their_orders, their_sockets:
            argv = python("haos.lab.hypervisor", *map(str, handles), json.dumps(encode(told)))
            subprocess.Popen(
                [*in_own_namespaces(), *argv], pass_fds=handles, stdin=subprocess.DEVNULL, env=environment()
            )
        ready = threading.Event()

        def heard(message: Message) -> None:
            if message["event"] == "ready":
                ready.set()
            else:
                world.power_changed(message)

        def ended() -> None:
            self._ended.set()
            ready.set()

        client = Client(orders, heard, ended)
        world = RemoteWorld(client, FloatingListeners(sockets, self._settings.ssh_port), self._paths.consoles)
        if not ready.wait(START_S) or self._ended.is_set():
            raise LabError("the lab's namespaces could not be set up")
        return world

    def _write_state(self) -> None:
        with self._writing:
            known = self._world.instances()
            instances = [
                {
                    "id": each.guest.id,
                    "name": each.guest.name,
                    "power": each.power.value,
                    "addresses": [str(address.ip) for nic in each.guest.nics for address in nic.addresses],
                    "floating": [str(address) for address in each.floating],
                }
                for each in known
            ]
            keys = {each.guest.id: each.host_key for each in known}
            files.write_atomically(self._paths.known_hosts, files.known_hosts(keys))
            files.write_atomically(self._paths.state, json.dumps({"url": self._url, "instances": instances}))


def _make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "haos-lab", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text().strip()


def main(ready_fd: int, settings: Settings) -> int:
    """Run a lab until it ends or is told to."""
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    daemon = Daemon(settings)
    with os.fdopen(ready_fd, "w") as ready:
        try:
            daemon.start()
        except (LabError, OSError, subprocess.SubprocessError) as error:
            ready.write(json.dumps({"error": str(error)}))
            return 1
        ready.write(json.dumps({}))
    daemon.wait()
    logging.error("the hypervisor has ended, and the lab with it")
    return 1


if __name__ == "__main__":
    os._exit(main(int(sys.argv[1]), decode(Settings, json.loads(sys.argv[2]))))
