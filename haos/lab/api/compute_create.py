"""POST /servers: the record and the ports, those given and those Nova makes itself."""

from __future__ import annotations

from typing import Any

from haos.lab.api.compute_records import new_server, version_of
from haos.lab.api.errors import ApiError
from haos.lab.api.policy import sees_network, sees_port
from haos.lab.api.ports import Ports
from haos.lab.api.routing import Call, Doc
from haos.lab.api.store import Store

NOVA_OWNER = "compute:nova"


def create_server(store: Store, ports: Ports, call: Call) -> Doc:
    """Store a server and plug its ports; nobody boots it yet."""
    body = call.request.json().get("server") or {}
    for name in ("name", "flavorRef"):
        if name not in body:
            raise ApiError(400, f"Invalid input for field/attribute server. '{name}' is a required property")
    with store.transaction():
        caller = call.caller
        record = new_server(project_id=caller.project_id, name=body["name"], user_id=caller.user_id)
        record["metadata"] = body.get("metadata") or {}
        record["description"] = body.get("description")
        record["tags"] = sorted(body.get("tags") or []) if version_of(call) >= (2, 52) else []
        server = store.add("servers", record)
        groups = _group_ids(store, call, body.get("security_groups") or [])
        made = [_plug(store, ports, call, server, entry, groups) for entry in _networks(store, call, body)]
        own = tuple(port_id for port_id in made if port_id)
        return store.change("servers", server["id"], _own_ports=own)


def _networks(store: Store, call: Call, body: Doc) -> list[Doc]:
    wanted: Any = body.get("networks", "auto")
    if wanted == "none":
        return []
    if wanted != "auto":
        return list(wanted)
    own = [network for network in store.where("networks", project_id=call.caller.project_id)]
    if len(own) > 1:
        raise ApiError(409, "Multiple possible networks found, use a Network ID to be more specific.")
    return [{"uuid": network["id"]} for network in own]


def _group_ids(store: Store, call: Call, wanted: list[Doc]) -> list[str]:
    found = []
    for item in wanted:
        own = store.where("security_groups", project_id=call.caller.project_id)
        ids = [group["id"] for group in own if item["name"] in (group["name"], group["id"])]
        if not ids:
            raise ApiError(400, f"Unable to find security_group with name or id '{item['name']}'")
        found += ids
    return found


def _plug(store: Store, ports: Ports, call: Call, server: Doc, entry: Doc, groups: list[str]) -> str | None:
    """Plug one port; return its id if Nova made it."""
    binding = {"device_id": server["id"], "device_owner": NOVA_OWNER, "binding:host_id": server["_host"]}
    if entry.get("port"):
        port = store.get("ports", entry["port"])
        network = store.get("networks", port["network_id"]) if port else None
        if port is None or network is None or not sees_port(call.caller, port, network):
            raise ApiError(400, f"Port id {entry['port']} could not be found.")
        if port["device_id"]:
            raise ApiError(409, f"Port {port['id']} is still in use.")
        store.change("ports", port["id"], **binding)
        return None
    network = store.get("networks", str(entry.get("uuid")))
    if network is None or not sees_network(call.caller, network):
        raise ApiError(400, f"Network {entry.get('uuid')} could not be found.")
    body: Doc = {"network_id": network["id"], "project_id": call.caller.project_id}
    if entry.get("fixed_ip"):
        body["fixed_ips"] = [{"ip_address": entry["fixed_ip"]}]
    if groups:
        body["security_groups"] = groups
    try:
        port = ports.make(call.caller, ports.checked(call.caller, body))
    except ApiError as error:  # Nova passes Neutron's refusal on as its own
        raise ApiError(409 if error.status == 409 else 400, error.message) from error
    store.change("ports", port["id"], **binding)
    return str(port["id"])
