"""Servers as Nova keeps and shows them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from haos.lab.api.routing import Call, Caller, Doc
from haos.lab.api.store import Store, new_id, now
from haos.lab.model import Power

MIN_VERSION, MAX_VERSION = (2, 1), (2, 96)
ZONE = "nova"
IMAGE: Doc = {"id": "5e3c0b1d-9f57-4f5a-9a39-3a7c8c0d2b11", "name": "lab-base"}
FLAVOR: Doc = {"id": "1", "name": "m1.tiny", "ram": 512, "vcpus": 1, "disk": 1}
VM_STATES = {Power.ACTIVE: "active", Power.SHUTOFF: "stopped", Power.PAUSED: "paused"}
POWER_STATES = {Power.ACTIVE: 1, Power.PAUSED: 3, Power.SHUTOFF: 4}
REBOOTING = {"rebooting": "REBOOT", "rebooting_hard": "HARD_REBOOT"}


@dataclass(frozen=True)
class State:
    """What an instance does and what is being done to it."""

    power: Power | None  # None: not booted yet
    task: str | None

    @property
    def vm_state(self) -> str:
        if self.power is None:
            return "deleted" if self.task == "deleting" else "building"
        return VM_STATES[self.power]

    @property
    def status(self) -> str:
        """Nova's word for both together."""
        if self.power is None:
            return "DELETED" if self.task == "deleting" else "BUILD"
        return REBOOTING.get(self.task or "", self.power.value)


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
        "_keys": (),
        "_own_ports": (),
    }


def version_of(call: Call) -> tuple[int, int]:
    """Return the microversion that a request asks for."""
    text = call.request.headers.get("openstack-api-version", "")
    service, _, number = text.partition(" ")
    number = number if service == "compute" else call.request.headers.get("x-openstack-nova-api-version", "")
    if number == "latest":
        return MAX_VERSION
    major, _, minor = number.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else MIN_VERSION


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


def group_names(store: Store, server: Doc) -> list[str]:
    """Return the names of the security groups on a server's ports."""
    ids = {group for port in store.where("ports", device_id=server["id"]) for group in port["security_groups"]}
    return [group["name"] for group in store.all("security_groups") if group["id"] in ids]


def brief(server: Doc, base: str) -> Doc:
    """Show a server in the short list."""
    return {"id": server["id"], "name": server["name"], "links": links(server["id"], base)}


def links(server_id: str, base: str) -> list[Doc]:
    """Return a server's links."""
    bare = base.removesuffix("/v2.1")
    return [
        {"rel": "self", "href": f"{base}/servers/{server_id}"},
        {"rel": "bookmark", "href": f"{bare}/servers/{server_id}"},
    ]


def full(store: Store, server: Doc, state: State, call: Call, base: str) -> Doc:
    """Show a server with all its details, as the microversion wants them."""
    version = version_of(call)
    shown: Doc = {
        **brief(server, base),
        "status": state.status,
        "tenant_id": server["project_id"],
        "user_id": server["user_id"],
        "created": server["created"],
        "updated": server["updated"],
        "hostId": host_id(server),
        "addresses": addresses(store, server),
        "metadata": server["metadata"],
        "image": {"id": IMAGE["id"], "links": []},
        "flavor": _flavor(version),
        "accessIPv4": "",
        "accessIPv6": "",
        "config_drive": "",
        "key_name": None,
        "progress": 0,
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": ZONE,
        "OS-EXT-STS:vm_state": state.vm_state,
        "OS-EXT-STS:task_state": state.task,
        "OS-EXT-STS:power_state": POWER_STATES[state.power] if state.power else 0,
        "OS-SRV-USG:launched_at": server["created"].rstrip("Z") + ".000000",
        "OS-SRV-USG:terminated_at": None,
        "os-extended-volumes:volumes_attached": [],
        "security_groups": [{"name": name} for name in group_names(store, server)],
    }
    return shown | _newer(server, version) | _for_admins(server, call.caller)


def _flavor(version: tuple[int, int]) -> Doc:
    if version < (2, 47):
        return {"id": FLAVOR["id"], "links": []}
    small = {name: FLAVOR[name] for name in ("ram", "vcpus", "disk")}
    return {**small, "original_name": FLAVOR["name"], "ephemeral": 0, "swap": 0, "extra_specs": {}}


def _newer(server: Doc, version: tuple[int, int]) -> Doc:
    since: dict[tuple[int, int], tuple[str, Any]] = {
        (2, 9): ("locked", False),
        (2, 19): ("description", server["description"]),
        (2, 26): ("tags", list(server["tags"])),
        (2, 63): ("trusted_image_certificates", None),
        (2, 71): ("server_groups", []),
        (2, 73): ("locked_reason", None),
        (2, 96): ("pinned_availability_zone", None),
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
