"""POST /servers: the record and the ports, those given and those Nova makes itself."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from haos.lab.api.compute_base import check_known, invalid
from haos.lab.api.compute_records import FLAVOR, IMAGE, new_server
from haos.lab.api.errors import ApiError
from haos.lab.api.microversions import Version, version_of
from haos.lab.api.policy import sees_network, sees_port
from haos.lab.api.ports import Ports
from haos.lab.api.routing import Call, Caller, Doc
from haos.lab.api.store import Store

NOVA_OWNER = "compute:nova"
FIRST_THAT_NEEDS_NETWORKS = (2, 37)
"""From here on "networks" must be given, and may be "auto" or "none"."""
_KNOWN = """
name flavorRef imageRef networks security_groups metadata description tags key_name user_data config_drive adminPass
availability_zone min_count max_count block_device_mapping block_device_mapping_v2 host hostname hypervisor_hostname
accessIPv4 accessIPv6 personality return_reservation_id trusted_image_certificates OS-DCF:diskConfig
"""
KNOWN = frozenset(_KNOWN.split())


def create_server(store: Store, ports: Ports, call: Call, body: Doc) -> Doc:
    """Store a server and plug its ports; nobody boots it yet."""
    version = version_of(call.request)
    _check(body, version)
    with store.transaction():
        caller = call.caller
        record = new_server(project_id=caller.project_id, name=body["name"], user_id=caller.user_id)
        record["metadata"] = body.get("metadata") or {}
        # Nova once had no descriptions, and still makes one of the name for those who do not know of them.
        record["description"] = body.get("description") if version >= (2, 19) else body["name"]
        record["tags"] = sorted(body.get("tags") or []) if version >= (2, 52) else []
        server = store.add("servers", record)
        groups = _group_ids(store, caller, body.get("security_groups") or [])
        plugged = [plug(store, ports, caller, server, one, groups) for one in _networks(store, caller, body)]
        own = tuple(port_id for port_id, made in plugged if made)
        return store.change("servers", server["id"], _own_ports=own)


def _check(body: Doc, version: Version) -> None:
    required = ("name", "flavorRef", *(("networks",) if version >= FIRST_THAT_NEEDS_NETWORKS else ()))
    for name in required:
        if name not in body:
            raise invalid("server", body, f"'{name}' is a required property")
    check_known("server", body, KNOWN)
    if not body["name"]:
        raise invalid("name", "", "'' should be non-empty")
    _check_networks(body.get("networks", []), version)
    _check_image(body.get("imageRef"))
    if str(body["flavorRef"]) != FLAVOR["id"]:
        raise ApiError(400, f"Flavor {body['flavorRef']} could not be found.")


def _check_networks(wanted: Any, version: Version) -> None:
    if isinstance(wanted, str) and not (version >= FIRST_THAT_NEEDS_NETWORKS and wanted in ("auto", "none")):
        raise invalid("networks", wanted, f"'{wanted}' is not of type 'array'")
    for entry in wanted if isinstance(wanted, list) else ():
        if "uuid" in entry and not _is_uuid(entry["uuid"]):
            raise ApiError(400, f"Bad networks format: network uuid is not in proper format ({entry['uuid']})")


def _check_image(image: Any) -> None:
    if not image:
        raise ApiError(400, "Missing imageRef attribute")
    if not _is_uuid(image):
        raise invalid("imageRef", image, f"'{image}' is not valid under any of the given schemas")
    if image != IMAGE["id"]:
        raise ApiError(400, "Can not find requested image")


def _networks(store: Store, caller: Caller, body: Doc) -> list[Doc]:
    wanted: Any = body.get("networks", "auto")
    if wanted == "none":
        return []
    if wanted != "auto":
        return list(wanted)
    own = [network for network in store.where("networks", project_id=caller.project_id)]
    if len(own) > 1:
        raise ApiError(409, "Multiple possible networks found, use a Network ID to be more specific.")
    return [{"uuid": network["id"]} for network in own]


def _group_ids(store: Store, caller: Caller, wanted: list[Doc]) -> list[str]:
    found = []
    for item in wanted:
        own = store.where("security_groups", project_id=caller.project_id)
        ids = [group["id"] for group in own if item["name"] in (group["name"], group["id"])]
        if not ids:
            raise ApiError(400, f"Unable to find security_group with name or id '{item['name']}'")
        found += ids
    return found


def plug(
    store: Store,
    ports: Ports,
    caller: Caller,
    server: Doc,
    entry: Doc,
    groups: Sequence[str] = (),
    *,
    later: bool = False,
) -> tuple[str, bool]:
    """Plug one port; return its id, and whether Nova made it. `later` than the server, other words refuse it."""
    missing = 404 if later else 400
    binding = {"device_id": server["id"], "device_owner": NOVA_OWNER, "binding:host_id": server["_host"]}
    if entry.get("port"):
        port = store.get("ports", entry["port"])
        network = store.get("networks", port["network_id"]) if port else None
        if port is None or network is None or not sees_port(caller, port, network):
            raise ApiError(missing, f"Port id {entry['port']} could not be found.")
        if port["device_id"]:
            raise ApiError(409, f"Port {port['id']} is still in use.")
        store.change("ports", port["id"], **binding)
        return str(port["id"]), False
    network = store.get("networks", str(entry.get("uuid")))
    if network is None or not sees_network(caller, network):
        raise ApiError(missing, f"Network {entry.get('uuid')} could not be found.")
    body: Doc = {"network_id": network["id"], "project_id": caller.project_id}
    if entry.get("fixed_ip"):
        _check_free(store, network, entry["fixed_ip"], later=later)
        body["fixed_ips"] = [{"ip_address": entry["fixed_ip"]}]
    if groups:
        body["security_groups"] = list(groups)
    try:
        port = ports.make(caller, body)
    except ApiError as error:  # Nova passes Neutron's refusal on as its own
        raise ApiError(409 if error.status == 409 else 400, error.message) from error
    store.change("ports", port["id"], **binding)
    return str(port["id"]), True


def _check_free(store: Store, network: Doc, address: str, *, later: bool) -> None:
    for port in store.where("ports", network_id=network["id"]):
        if any(ip_address(item["ip_address"]) == ip_address(address) for item in port["fixed_ips"]):
            if later:
                raise ApiError(409, f"Fixed IP {address} is already in use.")
            raise ApiError(400, f"Fixed IP address {address} is already in use on instance {port['device_id']}.")


def _is_uuid(text: Any) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True
