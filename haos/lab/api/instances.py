"""What becomes of servers: orders to the world, carried out beside the request that gave them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

from haos.lab.api.compute_records import State
from haos.lab.api.errors import ApiError
from haos.lab.api.fabric_view import nics, slots
from haos.lab.api.ports import Ports
from haos.lab.api.routing import Doc
from haos.lab.api.store import Store
from haos.lab.model import Guest, Nic, Power, World

SETTLE_S = 180.0  # longer than any clean shutdown the world waits for
POLL_S = 0.02

ALLOWED = {
    "start": ("stopped",),
    "stop": ("active",),
    "pause": ("active",),
    "unpause": ("paused",),
    "reboot": ("active",),
    "rebuild": ("active", "stopped"),
    "reboot_hard": ("active", "stopped", "paused"),
}
TASKS = {
    "start": "powering-on",
    "stop": "powering-off",
    "pause": "pausing",
    "unpause": "unpausing",
    "reboot": "rebooting",
    "reboot_hard": "rebooting_hard",
    "rebuild": "rebuilding",
}
REWIRED = ("active", "paused", "stopped")
"""The states in which a server may be given other network cards."""
OUTCOMES = {"stop": Power.SHUTOFF, "pause": Power.PAUSED}


def hostname(name: str) -> str:
    """Make a legal host name of a server's name."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:63] or "server"


def _guest(server: Doc, cards: tuple[Nic, ...]) -> Guest:
    return Guest(
        id=server["id"],
        name=server["name"],
        hostname=hostname(server["name"]),
        nics=cards,
        authorized_keys=tuple(server["_keys"]),
    )


class Instances:
    """The servers' powers. `publish` tells the world of what has changed in the store."""

    def __init__(self, store: Store, world: World, publish: Callable[[], None]) -> None:
        self._store = store
        self._world = world
        self._publish = publish
        self._threads: list[threading.Thread] = []

    def power(self, server_id: str) -> Power | None:
        """Say what an instance does, or did before its end began; None if there is none or it is not booted yet."""
        server = self._store.get("servers", server_id)
        if server is None or not server["_booted"]:
            return None
        last: Power | None = server["_last_power"]
        return last or self._world.power(server_id)

    def state(self, server: Doc) -> State:
        """Say what a server does and what is being done to it."""
        return State(self.power(server["id"]), server["_task"])

    def console(self, server_id: str) -> str:
        """Return the console log."""
        return self._world.console(server_id)

    def boot(self, server: Doc) -> None:
        """Boot a new server; the fabric has to know its ports already."""
        self._world.boot(_guest(server, nics(self._store, server["id"])))
        self._store.change("servers", server["id"], _booted=True, _task=None)

    def build(self, server: Doc) -> None:
        """Boot a server in the background."""
        self._store.change("servers", server["id"], _task="spawning")
        self._run(lambda: self._build(server))

    def pretend(self, server: Doc) -> None:
        """Have a server on paper alone: it is ACTIVE, and the world never hears of it."""
        self._store.change("servers", server["id"], _booted=True, _last_power=Power.ACTIVE)

    def act(self, server: Doc, action: str) -> None:
        """Order an action, or refuse it with 409 if the server's state does not allow it."""
        state = self.state(server)
        verb = action.removesuffix("_hard")
        if state.vm_state not in ALLOWED[action]:
            self._refuse(server, verb, f"vm_state {state.vm_state}")
        if state.task is not None:
            self._refuse(server, verb, f"task_state {state.task}")
        if server["_last_power"] is not None:
            self._refuse(server, verb, "the lab's papers alone")
        self._store.change("servers", server["id"], _task=TASKS[action])
        self._run(lambda: self._carry_out(server["id"], action))

    def admit(self, server: Doc, verb: str) -> None:
        """Refuse with 409 to change a server's cards while its state does not allow it."""
        state = self.state(server)
        if state.vm_state not in REWIRED:
            self._refuse(server, verb, f"vm_state {state.vm_state}")
        if state.task is not None:
            self._refuse(server, verb, f"task_state {state.task}")

    def rewire(self, server: Doc) -> None:
        """Plug what has become the server's; returns when it is plugged."""
        self._publish()
        self._rewire(server, nics(self._store, server["id"]))

    def unplug(self, server: Doc, port: Doc, ports: Ports) -> None:
        """Order the end of a card; a port that Nova made goes with it, another one is only unplugged."""
        self._run(lambda: self._unplug(server, port, ports))

    def delete(self, server: Doc, ports: Ports) -> None:
        """Order the end of a server; the ports that Nova made go with it, others are only unplugged."""
        if server["_task"] == "deleting":
            return
        self._store.change("servers", server["id"], _task="deleting")
        self._run(lambda: self._delete(server, ports))

    def settle(self, timeout_s: float = 10.0) -> None:
        """Wait until everything ordered so far is done."""
        deadline = time.monotonic() + timeout_s
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _build(self, server: Doc) -> None:
        self._publish()
        self.boot(server)

    def _carry_out(self, server_id: str, action: str) -> None:
        orders: dict[str, Callable[[], None]] = {
            "start": lambda: self._world.start(server_id),
            "stop": lambda: self._world.stop(server_id),
            "pause": lambda: self._world.pause(server_id),
            "unpause": lambda: self._world.unpause(server_id),
            "reboot": lambda: self._world.reboot(server_id, hard=False),
            "reboot_hard": lambda: self._world.reboot(server_id, hard=True),
            "rebuild": lambda: self._world.rebuild(server_id),
        }
        try:
            before = self._world.power(server_id)
            orders[action]()
            self._await(server_id, before if action == "rebuild" else OUTCOMES.get(action, Power.ACTIVE))
        finally:
            if self._store.get("servers", server_id) is not None:
                self._store.change("servers", server_id, _task=None)

    def _await(self, server_id: str, wanted: Power) -> None:
        deadline = time.monotonic() + SETTLE_S
        while self._world.power(server_id) is not wanted and time.monotonic() < deadline:
            time.sleep(POLL_S)

    def _delete(self, server: Doc, ports: Ports) -> None:
        if server["_booted"] and server["_last_power"] is None:
            # Nobody asks the world any more for what it is about to forget.
            self._store.change("servers", server["id"], _last_power=self._world.power(server["id"]))
            self._world.delete(server["id"])
        with self._store.transaction():
            for port in self._store.where("ports", device_id=server["id"]):
                self._release(server, port["id"], ports)
            self._store.drop("servers", server["id"])
        self._publish()

    def _unplug(self, server: Doc, port: Doc, ports: Ports) -> None:
        there = nics(self._store, server["id"])
        self._rewire(server, tuple(nic for nic in there if nic.port_id != port["id"]))
        with self._store.transaction():
            self._store.change("servers", server["id"], _slots=slots(there))
            self._release(server, port["id"], ports)
        self._publish()

    def _rewire(self, server: Doc, cards: tuple[Nic, ...]) -> None:
        if server["_last_power"] is None:  # not on paper alone
            self._world.rewire(_guest(server, cards))

    def _release(self, server: Doc, port_id: str, ports: Ports) -> None:
        if port_id in server["_own_ports"]:
            ports.forget(port_id)
        else:
            self._store.change("ports", port_id, device_id="", device_owner="")

    def _run(self, work: Callable[[], None]) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        thread = threading.Thread(target=work, name="lab-action", daemon=True)
        self._threads.append(thread)
        thread.start()

    @staticmethod
    def _refuse(server: Doc, verb: str, why: str) -> None:
        raise ApiError(409, f"Cannot '{verb}' instance {server['id']} while it is in {why}")
