"""Servers as Nova keeps and shows them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from haos.lab.api.microversions import Version
from haos.lab.api.routing import Caller, Doc
from haos.lab.api.store import Store, new_id, now
from haos.lab.model import Power

ZONE = "nova"
IMAGE: Doc = {"id": "5e3c0b1d-9f57-4f5a-9a39-3a7c8c0d2b11", "name": "lab-base"}
FLAVOR: Doc = {"id": "1", "name": "m1.tiny", "ram": 512, "vcpus": 1, "disk": 1}
VM_STATES = {Power.ACTIVE: "active", Power.SHUTOFF: "stopped", Power.PAUSED: "paused"}
POWER_STATES = {Power.ACTIVE: 1, Power.PAUSED: 3, Power.SHUTOFF: 4}
REBOOTING = {"rebooting": "REBOOT", "rebooting_hard": "HARD_REBOOT"}
FIRST_SHOWN_BY_PUT = (2, 75)
"""Before, an update's answer leaves out what extensions of Nova once added."""
EXTENSIONS = ("OS-EXT-", "OS-SRV-USG:", "os-extended-volumes:")
EXTENDED = frozenset({"config_drive", "key_name", "security_groups"})


@dataclass(frozen=True)
class State:
    """What an instance does and what is being done to it."""

    power: Power | None  # None: not booted yet
    task: str | None

    @property
    def vm_state(self) -> str:
        return "building" if self.power is None else VM_STATES[self.power]

    @property
    def status(self) -> str:
        """Nova's word for both together."""
        if self.power is None:
            return "BUILD"
        if self.task == "rebuilding":
            return "REBUILD"
        return REBOOTING.get(self.task or "", "ACTIVE") if self.power is Power.ACTIVE else self.power.value


def new_server(*, project_id: str, name: str, user_id: str = "", host: str = "lab-host-1") -> Doc:
    """Make the record of a server that nobody has booted yet."""
    born = now()
    return {
        "id": new_id(),
        "name": name,
        "project_id": project_id,
        "user_id": user_id,
        "created": born,
        "updated": born,
        "description": None,
        "metadata": {},
        "tags": [],
        "_host": host,
        "_task": None,
        "_booted": False,
        "_last_power": None,
        "_keys": (),
        "_own_ports": (),
        "_slots": {},  # port id -> where its card sits, once cards have come or gone
    }


def host_id(server: Doc) -> str:
    """Return the per-project hash of the host, as Nova shows it to everybody."""
    text = server["project_id"] + server["_host"]
    return hashlib.sha224(text.encode()).hexdigest()


def addresses(store: Store, server: Doc) -> dict[str, list[Doc]]:
    """Return a server's fixed and floating addresses by network name."""
    found: dict[str, list[Doc]] = {}
    for port in store.where("ports", device_id=server["id"]):
        network = store.get("networks", port["network_id"]) or {"name": "?"}
        entries = found.setdefault(network["name"], [])
        for item in port["fixed_ips"]:
            entries.append(_address(item["ip_address"], "fixed", port["mac_address"]))
        for floating in store.where("floatingips", port_id=port["id"]):
            entries.append(_address(floating["floating_ip_address"], "floating", port["mac_address"]))
    return found


def _address(text: str, kind: str, mac: str) -> Doc:
    return {
        "addr": text,
        "version": 6 if ":" in text else 4,
        "OS-EXT-IPS:type": kind,
        "OS-EXT-IPS-MAC:mac_addr": mac,
    }


def groups(store: Store, server: Doc) -> list[Doc]:
    """Return the security groups on a server's ports."""
    ids = {group for port in store.where("ports", device_id=server["id"]) for group in port["security_groups"]}
    return [group for group in store.all("security_groups") if group["id"] in ids]


def brief(server: Doc, base: str) -> Doc:
    """Show a server in the short list."""
    return {"id": server["id"], "name": server["name"], "links": links("servers", server["id"], base)}


def links(collection: str, key: str, base: str) -> list[Doc]:
    """Return the links of a server or a flavor."""
    return [{"rel": "self", "href": f"{base}/{collection}/{key}"}, bookmark(collection, key, base)]


def bookmark(collection: str, key: str, base: str) -> Doc:
    """Return the link that names no version."""
    return {"rel": "bookmark", "href": f"{base.removesuffix('/v2.1')}/{collection}/{key}"}


def full(store: Store, server: Doc, state: State, version: Version, *, caller: Caller, base: str) -> Doc:
    """Show a server with all its details, as the microversion wants them."""
    up = state.power is not None
    shown: Doc = {
        **brief(server, base),
        "status": state.status,
        "tenant_id": server["project_id"],
        "user_id": server["user_id"],
        "created": server["created"],
        "updated": server["updated"],
        "hostId": host_id(server) if up else "",
        "addresses": addresses(store, server) if up else {},
        "metadata": server["metadata"],
        "image": _image(version, base),
        "flavor": _flavor(version, base),
        "accessIPv4": "",
        "accessIPv6": "",
        "config_drive": "",
        "key_name": None,
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": ZONE if up else "",
        "OS-EXT-STS:vm_state": state.vm_state,
        "OS-EXT-STS:task_state": state.task,
        "OS-EXT-STS:power_state": POWER_STATES[state.power] if state.power else 0,
        "OS-SRV-USG:launched_at": server["created"].rstrip("Z") + ".000000" if up else None,
        "OS-SRV-USG:terminated_at": None,
        "os-extended-volumes:volumes_attached": [],
    }
    if up:
        shown["security_groups"] = [{"name": group["name"]} for group in groups(store, server)]
    if state.status in ("ACTIVE", "BUILD", "REBOOT", "HARD_REBOOT", "REBUILD"):
        shown["progress"] = 0
    return shown | _newer(server, version) | _for_admins(server, caller)


def as_updated(shown: Doc, version: Version) -> Doc:
    """Show a server in the answer to an update."""
    if version >= FIRST_SHOWN_BY_PUT:
        return shown
    kept = {key: value for key, value in shown.items() if key not in EXTENDED and not key.startswith(EXTENSIONS)}
    bare = {name: [bare_address(item) for item in items] for name, items in shown["addresses"].items()}
    return {**kept, "addresses": bare}


def bare_address(item: Doc) -> Doc:
    """Show an address where nothing more is told of it."""
    return {"addr": item["addr"], "version": item["version"]}


def _image(version: Version, base: str) -> Doc:
    shown = {"id": IMAGE["id"], "links": [bookmark("images", IMAGE["id"], base)]}
    return shown if version < (2, 98) else {**shown, "properties": {"base_image_ref": IMAGE["id"]}}


def _flavor(version: Version, base: str) -> Doc:
    if version < (2, 47):
        return {"id": FLAVOR["id"], "links": [bookmark("flavors", FLAVOR["id"], base)]}
    small = {name: FLAVOR[name] for name in ("ram", "vcpus", "disk")}
    return {**small, "original_name": FLAVOR["name"], "ephemeral": 0, "swap": 0, "extra_specs": {}}


def _newer(server: Doc, version: Version) -> Doc:
    since: dict[Version, tuple[str, Any]] = {
        (2, 9): ("locked", False),
        (2, 19): ("description", server["description"]),
        (2, 26): ("tags", list(server["tags"])),
        (2, 63): ("trusted_image_certificates", None),
        (2, 71): ("server_groups", []),
        (2, 73): ("locked_reason", None),
        (2, 90): ("OS-EXT-SRV-ATTR:hostname", server["name"].lower()),
        (2, 96): ("pinned_availability_zone", None),
        (2, 100): ("scheduler_hints", {}),
    }
    return dict(item for first, item in since.items() if version >= first)


def _for_admins(server: Doc, caller: Caller) -> Doc:
    if not caller.admin:
        return {}
    host = server["_host"]
    return {
        "OS-EXT-SRV-ATTR:host": host,
        "OS-EXT-SRV-ATTR:hypervisor_hostname": host,
        "OS-EXT-SRV-ATTR:instance_name": f"instance-{server['id'][:8]}",
    }
