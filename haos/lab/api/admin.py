"""/lab: what only the lab itself can be asked for. No token; loopback clients only; not in the access log."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from haos.lab.api.accesslog import AccessLog
from haos.lab.api.errors import ApiError
from haos.lab.api.faults import Faults, parsed
from haos.lab.api.instances import Instances
from haos.lab.api.planting import Planter
from haos.lab.api.routing import Call, Doc, Handler, Response, Route
from haos.lab.api.seed import InstanceSeed, NetworkSeed, NicSeed, SubnetSeed
from haos.lab.api.store import Store
from haos.lab.api.tokens import Tokens
from haos.lab.model import World

DEFAULT_PROJECT = "demo"


class LabApi:
    """Faults, counted requests, more networks and instances, cut cables, tokens, quotas."""

    def __init__(
        self,
        store: Store,
        planter: Planter,
        instances: Instances,
        world: World,
        *,
        tokens: Tokens,
        faults: Faults,
        log: Callable[[], AccessLog],
    ) -> None:
        self._store = store
        self._planter = planter
        self._instances = instances
        self._world = world
        self._tokens = tokens
        self._faults = faults
        self._log = log

    def routes(self) -> list[Route]:
        """Return every route under /lab."""
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/lab/faults", lambda call: Response(200, {"faults": self._faults.listed()})),
            ("POST", "/lab/faults", self.add_fault),
            ("DELETE", "/lab/faults", self.clear_faults),
            ("GET", "/lab/requests", self.requests),
            ("POST", "/lab/requests/reset", self.reset_requests),
            ("POST", "/lab/networks", self.add_network),
            ("POST", "/lab/subnets", self.add_subnet),
            ("POST", "/lab/instances", self.add_instance),
            ("PUT", "/lab/ports/{id}", self.cut_port),
            ("POST", "/lab/tokens/expire", self.expire_tokens),
            ("PUT", "/lab/tokens", self.set_tokens),
            ("PUT", "/lab/quotas", self.set_quotas),
        ]
        return [Route(method, path, _loopback(handler), public=True) for method, path, handler in table]

    def add_fault(self, call: Call) -> Response:
        """Set a fault."""
        self._faults.add(parsed(call.request.json()))
        return Response(201)

    def clear_faults(self, call: Call) -> Response:
        """Forget all faults."""
        self._faults.clear()
        return Response(204)

    def requests(self, call: Call) -> Response:
        """List the requests since the last reset."""
        found = self._log().listed()
        return Response(200, {"count": len(found), "requests": found})

    def reset_requests(self, call: Call) -> Response:
        """Count from zero."""
        self._log().reset()
        return Response(204)

    def add_network(self, call: Call) -> Response:
        """Make a network: name, subnets (or the one's cidr, pool, …), project, shared, mtu, router."""
        body = call.request.json()
        subnets = body.get("subnets") or [{key: body[key] for key in SUBNET_KEYS if key in body}]
        seed = NetworkSeed(
            name=_required(body, "name"),
            project=body.get("project", DEFAULT_PROJECT),
            subnets=tuple(_subnet(item) for item in subnets),
            shared=bool(body.get("shared", False)),
            mtu=int(body.get("mtu", 1500)),
            router_port=("", "") if body.get("router", False) else None,
        )
        with self._store.transaction():
            network = self._planted(lambda: self._planter.network(seed))
            ids = [subnet["id"] for subnet in self._store.where("subnets", network_id=network["id"])]
        return Response(201, {"network": {"id": network["id"], "name": seed.name, "subnets": ids}})

    def add_subnet(self, call: Call) -> Response:
        """Give a network another subnet: network, cidr, name, gateway, pool, dns, ipv6_mode."""
        body = call.request.json()
        name, seed = _required(body, "network"), _subnet(body)
        with self._store.transaction():
            subnet = self._planted(lambda: self._planter.another_subnet(name, seed))
        return Response(201, {"subnet": {key: subnet[key] for key in ("id", "network_id", "cidr", "gateway_ip")}})

    def add_instance(self, call: Call) -> Response:
        """Make and boot an instance: name, networks (names, or dicts with address, mac, floating), groups, keys.

        With `floating` the first of its addresses that can have a floating IP gets any that is free. One that is
        `on_paper` is ACTIVE at once and never runs: for crowds that are too many for a machine.
        """
        body = call.request.json()
        if not body.get("name"):
            raise ApiError(400, "an instance must have a name")
        seed = InstanceSeed(
            name=_required(body, "name"),
            project=body.get("project", DEFAULT_PROJECT),
            nics=tuple(_nic(item) for item in _required(body, "networks")),
            groups=tuple(body.get("groups", ())),
            floating=bool(body.get("floating", False)),
            host=body.get("host", "lab-host-1"),
            keys=tuple(body.get("keys", ())),
        )
        with self._store.transaction():
            server = self._planted(lambda: self._planter.instance(seed))
        (self._instances.pretend if body.get("on_paper") else self._instances.build)(server)
        ports = self._store.where("ports", device_id=server["id"])
        shown = [{key: port[key] for key in ("id", "mac_address", "fixed_ips")} for port in ports]
        return Response(201, {"instance": {"id": server["id"], "name": seed.name, "ports": shown}})

    def cut_port(self, call: Call) -> Response:
        """Cut a port's cable, or mend it: dark. Neutron knows nothing of it, and the carrier stays up."""
        if self._store.get("ports", call.args["id"]) is None:
            raise ApiError(404, f"there is no port {call.args['id']}")
        self._world.cut(call.args["id"], dark=bool(_required(call.request.json(), "dark")))
        return Response(204)

    def expire_tokens(self, call: Call) -> Response:
        """Make every token given out so far worthless."""
        self._tokens.expire_all()
        return Response(204)

    def set_tokens(self, call: Call) -> Response:
        """Say how long new tokens last."""
        self._tokens.last_s = float(_required(call.request.json(), "last_s"))
        return Response(204)

    def set_quotas(self, call: Call) -> Response:
        """Set Neutron quotas: {project id: {resource: limit}}."""
        for project_id, limits in call.request.json().items():
            self._store.quotas.setdefault(project_id, {}).update(limits)
        return Response(204)

    def _planted(self, plant: Callable[[], Doc]) -> Doc:
        try:
            return plant()
        except LookupError as error:
            raise ApiError(400, f"no such thing: {error}") from error


SUBNET_KEYS = ("cidr", "gateway", "pool", "dns", "ipv6_mode")


def _loopback(handler: Handler) -> Handler:
    def guarded(call: Call) -> Response:
        if not ip_address(call.request.peer).is_loopback:
            raise ApiError(403, "the lab listens to this machine alone")
        return handler(call)

    return guarded


def _required(body: Doc, name: str) -> Any:
    if name not in body:
        raise ApiError(400, f"'{name}' is missing")
    return body[name]


def _subnet(item: Doc) -> SubnetSeed:
    pool = item.get("pool")
    return SubnetSeed(
        cidr=_required(item, "cidr"),
        name=item.get("name", ""),
        gateway=item.get("gateway"),
        pool=(pool[0], pool[1]) if pool else None,
        dns=tuple(item.get("dns", ())),
        ipv6_mode=item.get("ipv6_mode"),
    )


def _nic(item: Any) -> NicSeed:
    if isinstance(item, str):
        return NicSeed(item)
    return NicSeed(
        network=_required(item, "network"),
        address=item.get("address"),
        mac=item.get("mac"),
        floating=item.get("floating"),
    )
