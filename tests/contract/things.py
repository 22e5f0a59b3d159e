"""Making Neutron's resources through the ordinary API, and removing them again, the last one first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.contract.client import Answer, Client
from tests.contract.places import remove_network, unique

Doc = dict[str, Any]


def singular(collection: str) -> str:
    """Return the name of one of a collection in a body: security-groups has security_group."""
    return collection.removesuffix("s").replace("-", "_")


def ask(client: Client, collection: str, **values: Any) -> Answer:
    """Ask for a new one of a collection."""
    return client.neutron("POST", f"/{collection}", {singular(collection): values})


def put(client: Client, collection: str, key: str, **values: Any) -> Answer:
    """Ask for a change."""
    return client.neutron("PUT", f"/{collection}/{key}", {singular(collection): values})


def get(client: Client, collection: str, key: str) -> Doc:
    """Return one of a collection as it is now."""
    answer = client.neutron("GET", f"/{collection}/{key}")
    assert answer.status == 200, answer
    found: Doc = answer.body[singular(collection)]
    return found


def listed(client: Client, collection: str, query: str = "") -> list[Doc]:
    """List a collection."""
    answer = client.neutron("GET", f"/{collection}?{query}")
    assert answer.status == 200, answer
    found: list[Doc] = answer.body[collection.replace("-", "_")]
    return found


@dataclass
class Things:
    """What one test has made: all of it goes at its end, by the admin's hand."""

    admin: Client
    _undo: list[Callable[[], None]] = field(default_factory=list)

    def ask(self, client: Client, collection: str, **values: Any) -> Answer:
        """Ask for a new thing that goes at the end if it is made."""
        answer = ask(client, collection, **values)
        if answer.status == 201:
            self.adopt(collection, answer.body[singular(collection)]["id"])
        return answer

    def make(self, client: Client, collection: str, **values: Any) -> Doc:
        """Make a new thing."""
        answer = self.ask(client, collection, **values)
        assert answer.status == 201, answer
        made: Doc = answer.body[singular(collection)]
        return made

    def network(self, client: Client, *subnets: Doc, **values: Any) -> Doc:
        """Make a network with subnets; whatever is on it goes with it."""
        network = self.make(client, "networks", **{"name": unique("network"), **values})
        for subnet in subnets:
            version = 6 if ":" in subnet["cidr"] else 4
            made = ask(client, "subnets", **{"network_id": network["id"], "ip_version": version, **subnet})
            assert made.status == 201, made
        return get(client, "networks", network["id"])

    def adopt(self, collection: str, key: str) -> None:
        """Remove at the end what was made otherwise."""
        self._undo.append(lambda: self._removed(collection, key))

    def later(self, undo: Callable[[], None]) -> None:
        """Do something at the end."""
        self._undo.append(undo)

    def plug(self, client: Client, router_id: str, **what: str) -> Answer:
        """Plug a subnet or a port into a router; it is taken out at the end."""
        answer = client.neutron("PUT", f"/routers/{router_id}/add_router_interface", what)
        if answer.status == 200:
            out = f"/routers/{router_id}/remove_router_interface"
            port = {"port_id": answer.body["port_id"]}
            self._undo.append(lambda: _gone(self.admin.neutron("PUT", out, port)))
        return answer

    def close(self) -> None:
        """Remove everything."""
        while self._undo:
            self._undo.pop()()

    def _removed(self, collection: str, key: str) -> None:
        if collection == "networks":
            remove_network(self.admin, key)
        else:
            _gone(self.admin.neutron("DELETE", f"/{collection}/{key}"))


def _gone(answer: Answer) -> None:
    assert answer.status in (200, 204, 404), answer
