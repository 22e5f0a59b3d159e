"""What every part of Nova does with a server first: find it, and say whether the caller may change it."""

from __future__ import annotations

from typing import Any

from haos.lab.api.catalog import base_of
from haos.lab.api.errors import ApiError
from haos.lab.api.instances import Instances
from haos.lab.api.ports import Ports
from haos.lab.api.routing import Call, Caller, Doc
from haos.lab.api.store import Store

V21 = "/compute/v2.1"
SERVERS = f"{V21}/servers"


class Servers:
    """A part of Nova that is about servers."""

    def __init__(self, store: Store, instances: Instances, ports: Ports) -> None:
        self.store = store
        self.instances = instances
        self.ports = ports

    def find(self, call: Call) -> Doc:
        """Return the server of a request, if the caller may see it."""
        server = self.store.get("servers", call.args["id"])
        if server is None or not sees(call.caller, server):
            raise ApiError(404, f"Instance {call.args['id']} could not be found.")
        return server

    def writable(self, call: Call, action: str) -> Doc:
        """Return the server of a request, if the caller may change it."""
        server = self.find(call)
        check_writer(call.caller, action)
        return server


def base(call: Call) -> str:
    """Return the address of this API."""
    return f"{base_of(call)}{V21}"


def sees(caller: Caller, server: Doc) -> bool:
    """Say whether a server is the caller's to see."""
    return caller.admin or bool(server["project_id"] == caller.project_id)


def denied(action: str) -> ApiError:
    """Make Nova's 403."""
    return ApiError(403, f"Policy doesn't allow os_compute_api:{action} to be performed.")


def check_writer(caller: Caller, action: str) -> None:
    """Refuse readers."""
    if not caller.writer:
        raise denied(action)


def invalid(name: str, value: Any, why: str) -> ApiError:
    """Make the 400 of a body that does not pass Nova's schema."""
    return ApiError(400, f"Invalid input for field/attribute {name}. Value: {value}. {why}")


def inner(call: Call, name: str) -> Any:
    """Return what a body holds under its one name."""
    body = call.request.json()
    if name not in body:
        raise ApiError(400, f"'{name}' is a required property")
    return body[name]


def check_known(name: str, body: Doc, known: frozenset[str]) -> None:
    """Refuse what nobody knows."""
    for key in body:
        if key not in known:
            raise invalid(name, body, f"Additional properties are not allowed ('{key}' was unexpected)")
