"""One instance: boot it, press its power button, pull its plug, freeze it, and see what becomes of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from haos.lab import cgroups
from haos.lab.boot import BootSpec
from haos.lab.console import Console
from haos.lab.disk import Disk
from haos.lab.errors import LabError
from haos.lab.fabric.command import SwitchError
from haos.lab.fabric.names import tap_name
from haos.lab.iproute import ip_batch
from haos.lab.model import Guest, Nic, Power
from haos.lab.namespaces import environment, in_network_of, python
from haos.lab.wire import encode

POWER_BUTTON = signal.SIGRTMIN + 4  # systemd: poweroff.target
RESET_BUTTON = signal.SIGRTMIN + 5  # systemd: reboot.target
PRESS_AGAIN_S = 5.0  # a button pressed before systemd is up is not noticed
KILL_AGAIN_S = 0.5
SHUTDOWN_S = 60.0  # Nova's shutdown_timeout
BOOT_S = 30.0
PAUSED = "paused"  # why its frames are lost


class Switchboard(Protocol):
    """The part of the switch that an instance needs."""

    def plug(self, tap: str) -> None:
        """Attach a tap that has just been made."""

    def drop_all(self, tap: str, why: str) -> None:
        """Lose all frames of a tap."""

    def restore(self, tap: str, why: str) -> None:
        """Let the frames of a tap pass again, unless they are lost for another reason too."""


@dataclass(frozen=True)
class Place:
    """Where an instance lives."""

    disks: Path
    consoles: Path
    terminals: Path  # a devpts
    group: Path  # the lab's control group
    image: Path


class Machine:
    """A virtual machine, as far as its owner can tell. The methods may be called from any thread."""

    def __init__(
        self, guest: Guest, place: Place, switch: Switchboard, changed: Callable[[str, Power], None]
    ) -> None:
        self.guest = guest
        self.disk = Disk(place.disks / guest.id)
        self._place = place
        self._switch = switch
        self._changed = changed
        self._group = place.group / guest.id
        self._orders = threading.Lock()  # one order at a time
        self._state = threading.Condition()  # guards the four below
        self._on = False
        self._init: int | None = None  # None between two boots, too
        self._boots = 0
        self._again = False

    def start(self) -> None:
        """Power on; returns once process 1 runs. Raises LabError if it cannot."""
        with self._orders:
            self._power_on()

    def stop(self) -> None:
        """Press the power button, and pull the plug if that does not help in time."""
        with self._orders:
            self._press(POWER_BUTTON, self._is_off)
            self._pull_plug()

    def reboot(self, *, hard: bool) -> None:
        """Restart, and return when it boots again."""
        with self._orders:
            boots = self._boots
            if self._on and not hard:
                self._press(RESET_BUTTON, lambda: self._boots > boots or not self._on)
            if self._on and self._boots == boots:
                self._pull_plug(again=True)
            self._power_on()

    def pause(self, paused: bool) -> None:
        """Freeze or thaw every process, and the network with them: here it is the host's kernel that would answer."""
        with self._orders:
            if self._on:
                for nic in self.guest.nics if paused else ():
                    self._switch.drop_all(tap_name(nic.port_id), PAUSED)
                cgroups.freeze(self._group, paused)
                for nic in () if paused else self.guest.nics:
                    self._switch.restore(tap_name(nic.port_id), PAUSED)
                self._changed(self.guest.id, Power.PAUSED if paused else Power.ACTIVE)

    def rebuild(self) -> None:
        """Pull the plug and begin anew with a fresh disk and a fresh console log; what was off stays off."""
        with self._orders:
            was_on = self._on
            self._pull_plug()
            self.disk.make(self.guest)
            (self._place.consoles / f"{self.guest.id}.log").unlink(missing_ok=True)
            if was_on:
                self._power_on()

    def rewire(self, guest: Guest) -> None:
        """Pull the cards that the guest has no more and plug the new ones, at once if it runs."""
        with self._orders:
            before, self.guest = self.guest.nics, guest
            init = self._init
            if init is None:
                return
            there, wanted = {nic.port_id for nic in before}, {nic.port_id for nic in guest.nics}
            ip_batch([f"link del {tap_name(port_id)}" for port_id in sorted(there - wanted)])
            new = tuple(nic for nic in guest.nics if nic.port_id not in there)
            for nic in new:
                self._plug(init, nic)
            if new:
                argv = in_network_of(init, python("haos.lab.cards", json.dumps(encode(new))))
                subprocess.run(argv, stdin=subprocess.DEVNULL, env=environment(), timeout=BOOT_S, check=True)

    def delete(self) -> None:
        """Pull the plug and throw the disk away."""
        with self._orders:
            self._pull_plug()
            self.disk.remove()

    def _is_off(self) -> bool:
        return not self._on

    def _press(self, button: int, done: Callable[[], bool]) -> None:
        with self._state:
            for _ in range(round(SHUTDOWN_S / PRESS_AGAIN_S)):
                self._signal(button)
                if self._state.wait_for(done, PRESS_AGAIN_S):
                    return

    def _pull_plug(self, *, again: bool = False) -> None:
        """Kill process 1, and all others with it; wait until that is done, and it boots again if so ordered."""
        boots, deadline = self._boots, time.monotonic() + BOOT_S
        with self._state:
            self._again = again
            while self._on and not (again and self._boots > boots):
                self._signal(signal.SIGKILL)
                self._state.wait(KILL_AGAIN_S)
                if time.monotonic() > deadline:
                    raise LabError(f"{self.guest.name} does not die")

    def _signal(self, number: int) -> None:
        """Signal process 1, if there is one; called with the state held, so that the id is still its own."""
        if self._init is not None:
            os.kill(self._init, number)

    def _power_on(self) -> None:
        if not self._on:
            self._launch()
            threading.Thread(target=self._supervise, name="lab-instance", daemon=True).start()

    def _launch(self) -> None:
        cgroups.make(self._group)
        self._console = Console(self._place.terminals, self._place.consoles / f"{self.guest.id}.log")
        ours, theirs = socket.socketpair()
        with ours:
            init = self._spawn(ours, theirs)
            try:
                for nic in self.guest.nics:
                    self._plug(init, nic)
                ours.send(b"!")
            except (LabError, SwitchError):
                os.kill(init, signal.SIGKILL)
                os.waitpid(init, 0)
                raise
        with self._state:
            self._on, self._init = True, init
            self._boots += 1
            self._changed(self.guest.id, Power.ACTIVE)
            self._state.notify_all()

    def _spawn(self, ours: socket.socket, theirs: socket.socket) -> int:
        """Start process 1, which inherits to us as its launcher ends; return its id."""
        spec = BootSpec(
            guest=self.guest,
            disk=str(self.disk.directory),
            image=str(self._place.image),
            group=str(self._group),
            console=str(self._console.path),
        )
        with theirs:
            argv = python("haos.lab.boot", str(theirs.fileno()), json.dumps(encode(spec)))
            launcher = subprocess.Popen(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment())
        ours.settimeout(BOOT_S)
        report = ours.recv(32)
        launcher.wait(BOOT_S)
        if not report:
            self._console.close()
            raise LabError(f"{self.guest.name} could not be launched")
        return int(report)

    def _plug(self, init: int, nic: Nic) -> None:
        tap = tap_name(nic.port_id)
        cable = f"link add {tap} mtu {nic.mtu} type veth peer name {nic.device}"
        ip_batch([f"{cable} address {nic.mac} mtu {nic.mtu} netns {init}", f"link set {tap} up"])
        self._switch.plug(tap)

    def _supervise(self) -> None:
        try:
            while self._ended():
                self._launch()
        finally:
            with self._state:
                self._on = False
                self._changed(self.guest.id, Power.SHUTOFF)
                self._state.notify_all()

    def _ended(self) -> bool:
        """Wait for the end of process 1 and clean up after it; say whether it is to be booted again."""
        assert self._init is not None
        os.waitid(os.P_PID, self._init, os.WEXITED | os.WNOWAIT)
        with self._state:
            _, status = os.waitpid(self._init, 0)
            self._init = None
            # reboot(2) in a process namespace ends its process 1 by SIGHUP, power-off by SIGINT.
            again = self._again or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP)
            self._again = False
        for nic in self.guest.nics:
            self._switch.restore(tap_name(nic.port_id), PAUSED)
        # The kernel takes its time to end the network namespace; the cable is to be gone now.
        ip_batch([f"link del {tap_name(nic.port_id)}" for nic in self.guest.nics], force=True)
        self._console.close()
        cgroups.remove(self._group)
        return again
