"""The cloud put together: who answers a request, and how the world learns of what has changed."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path

from haos.lab.api.accesslog import AccessLog
from haos.lab.api.admin import LabApi
from haos.lab.api.compute import ComputeApi
from haos.lab.api.compute_actions import ActionsApi
from haos.lab.api.compute_attached import AttachedApi
from haos.lab.api.compute_extras import ExtrasApi
from haos.lab.api.compute_interfaces import InterfacesApi
from haos.lab.api.compute_tags import TagsApi
from haos.lab.api.errors import ApiError, body_of
from haos.lab.api.fabric_view import fabric, floating_addresses
from haos.lab.api.faults import Faults
from haos.lab.api.http import Server
from haos.lab.api.identity import IdentityApi, caller_of
from haos.lab.api.instances import Instances
from haos.lab.api.microversions import check_version, version_headers
from haos.lab.api.network import NetworkApi
from haos.lab.api.planting import Planter
from haos.lab.api.routing import Call, Request, Response, Table
from haos.lab.api.seed import CloudSeed
from haos.lab.api.store import Store
from haos.lab.api.tokens import Tokens
from haos.lab.model import Fabric, FabricKind, FloatingAddress, World

READS = ("GET", "HEAD")


class Cloud:
    """Keystone, Nova and Neutron of one lab. Making it boots nothing: see `power_on`."""

    def __init__(self, seed: CloudSeed, world: World, *, fabric_kind: FabricKind = FabricKind.OVS) -> None:
        self._kind = fabric_kind
        self._world = world
        self._store = Store()
        self._publishing = threading.Lock()
        self._shown: tuple[Fabric | None, tuple[FloatingAddress, ...]] = (None, ())
        self._tokens = Tokens(seed.tokens_last_s)
        self._faults = Faults()
        self._log = AccessLog()
        self._instances = Instances(self._store, world, self.publish)
        planter = Planter(self._store, seed.projects, keys=seed.keys)
        planter.cloud(seed)
        self._table = self._routes(seed, planter)

    def _routes(self, seed: CloudSeed, planter: Planter) -> Table:
        network = NetworkApi(self._store, self._instances.power, self._kind)
        lab = LabApi(
            self._store,
            planter,
            self._instances,
            self._world,
            tokens=self._tokens,
            faults=self._faults,
            log=lambda: self._log,
        )
        parts = (ComputeApi, ActionsApi, AttachedApi, InterfacesApi, TagsApi)
        nova = [part(self._store, self._instances, network.ports) for part in parts]
        return Table(
            [
                *IdentityApi(seed, self._tokens).routes(),
                *(route for part in nova for route in part.routes()),
                *ExtrasApi(self._store).routes(),
                *network.routes(),
                *lab.routes(),
            ]
        )

    def power_on(self) -> None:
        """Show the world the network, then boot every server that was seeded."""
        self.publish()
        for server in self._store.all("servers"):
            if not server["_booted"]:
                self._instances.boot(server)

    def serve(self, host: str = "127.0.0.1", port: int = 0, *, access_log: Path | None = None) -> Server:
        """Listen; port 0 takes any that is free."""
        self._log = log = AccessLog(access_log)
        return Server(self.answer, host, port, on_close=log.close)

    def settle(self, timeout_s: float = 10.0) -> None:
        """Wait until every server action ordered so far is done."""
        self._instances.settle(timeout_s)

    def publish(self) -> None:
        """Push the network to the world if it is not what the world was last shown.

        Held are only this method's own lock and, while looking, the store's: never while a request is handled.
        """
        with self._publishing:
            new, floating = fabric(self._store, self._kind), floating_addresses(self._store)
            old, old_floating = self._shown
            self._shown = (new, floating)
            if new != old:
                self._world.apply_fabric(new)
            if floating != old_floating or old is None:
                self._world.apply_floating(floating)

    def answer(self, request: Request) -> Response | None:
        """Answer a request, with the faults that were ordered; None is no answer at all."""
        if request.service == "lab":
            return self._finished(request, self._handled(request))
        fault = self._faults.take(request)
        if fault is not None and fault.delay_s:
            time.sleep(fault.delay_s)
        response = None
        if fault is None or fault.drop != "before":
            canned = fault.answer() if fault is not None else None
            response = self._finished(request, canned or self._handled(request))
        if fault is not None and fault.drop:
            response = None
        size = len(response.encoded()) if response is not None else 0
        self._log.note(request, response.status if response is not None else 0, size)
        return response

    def _handled(self, request: Request) -> Response:
        try:
            route, args = self._table.find(request)
            caller = caller_of(self._tokens, request, public=route.public)
            call = Call(request, caller, args)
            if request.service == "compute":
                check_version(request)
            response = route.handler(call)
        except ApiError as error:
            return _refused(request, error)
        if request.method not in READS and request.service != "identity":
            self.publish()
        return response

    def _finished(self, request: Request, response: Response) -> Response:
        headers = {"X-Openstack-Request-Id": f"req-{uuid.uuid4()}"}
        if request.service == "compute":
            headers["X-Compute-Request-Id"] = headers["X-Openstack-Request-Id"]
            headers |= version_headers(request)
        return Response(response.status, response.body, {**headers, **response.headers})


def _refused(request: Request, error: ApiError) -> Response:
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = f'Keystone uri="http://{request.headers.get("host", "")}/identity/v3"'
    body = body_of(request.service, error)
    if isinstance(body, str):
        headers["Content-Type"] = "text/html; charset=utf-8"
    return Response(error.status, body, headers)
