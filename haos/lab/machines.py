"""The instances of one hypervisor, by their ids, and the namespaces that they need around them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from haos.lab.instances import Machine, Place, Switchboard
from haos.lab.iproute import ip_batch
from haos.lab.model import Guest, Power
from haos.lab.syscalls import MS_NODEV, MS_NOEXEC, MS_NOSUID, mount
from haos.lab.wire import decode


class Machines:
    """Carries out orders about instances; every method returns when it is done."""

    def __init__(self, place: Place, changed: Callable[[str, Power], None]) -> None:
        self._place = place
        self._changed = changed
        self._machines: dict[str, Machine] = {}
        prepare(place)

    def methods(self) -> dict[str, Callable[..., Any]]:
        """Return the orders by their names, all but the one to boot."""
        return {
            "start": lambda guest_id: self._machines[guest_id].start(),
            "stop": lambda guest_id: self._machines[guest_id].stop(),
            "reboot": lambda guest_id, hard: self._machines[guest_id].reboot(hard=hard),
            "pause": lambda guest_id: self._machines[guest_id].pause(True),
            "unpause": lambda guest_id: self._machines[guest_id].pause(False),
            "rebuild": self.rebuild,
            "rewire": lambda guest: self.rewire(decode(Guest, guest)),
            "delete": self.delete,
        }

    def boot(self, guest: Guest, switch: Switchboard) -> str:
        """Boot a new instance, its cards plugged into a switch; return its public host key."""
        machine = Machine(guest, self._place, switch, self._changed)
        self._machines[guest.id] = machine
        machine.disk.make(guest)
        machine.start()
        return machine.disk.host_key

    def rebuild(self, guest_id: str) -> str:
        """Give an instance a fresh disk; return its new public host key."""
        machine = self._machines[guest_id]
        machine.rebuild()
        return machine.disk.host_key

    def rewire(self, guest: Guest) -> None:
        """Give an instance other network cards."""
        self._machines[guest.id].rewire(guest)

    def delete(self, guest_id: str) -> None:
        """End an instance for good."""
        self._machines.pop(guest_id).delete()


def place_in(run: Path, group: Path, image: Path) -> Place:
    """Return where the instances of a run directory live."""
    return Place(
        disks=run / "instances",
        consoles=run / "consoles",
        terminals=run / "terminals",
        group=group,
        image=image,
    )


def prepare(place: Place) -> None:
    """Mount what the namespaces need, and make the directories."""
    for directory in (place.disks, place.consoles, place.terminals):
        directory.mkdir(exist_ok=True)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    mount("devpts", str(place.terminals), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0600,mode=600")
    ip_batch(["link set lo up"])
