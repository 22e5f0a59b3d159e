"""The Nova API: servers, listed, shown, made, renamed and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain

from haos.lab.api import compute_query as queries
from haos.lab.api import compute_records as records
from haos.lab.api.catalog import base_of
from haos.lab.api.compute_base import SERVERS, Servers, base, check_known, check_writer, denied, inner, sees
from haos.lab.api.compute_create import create_server
from haos.lab.api.microversions import version_of
from haos.lab.api.routing import Call, Doc, Response, Route
from haos.lab.api.store import now

UPDATABLE = frozenset({"name", "description", "OS-DCF:diskConfig", "accessIPv4", "accessIPv6", "hostname"})


class ComputeApi(Servers):
    """Nova's servers."""

    def routes(self) -> list[Route]:
        """Return these routes."""
        one = f"{SERVERS}/{{id}}"
        return [
            Route("GET", SERVERS, self.list_brief),
            Route("GET", f"{SERVERS}/detail", self.list_full),
            Route("POST", SERVERS, self.create),
            Route("GET", one, self.show),
            Route("PUT", one, self.rename),
            Route("DELETE", one, self.delete),
        ]

    def list_brief(self, call: Call) -> Response:
        """List ids and names."""
        return self._listed(call, "index", lambda server: records.brief(server, base(call)))

    def list_full(self, call: Call) -> Response:
        """List servers with all their details."""
        return self._listed(call, "detail", lambda server: self._full(server, call))

    def show(self, call: Call) -> Response:
        """Show one server."""
        return Response(200, {"server": self._full(self.find(call), call)})

    def create(self, call: Call) -> Response:
        """Make a server and order its boot."""
        check_writer(call.caller, "servers:create")
        body = inner(call, "server")
        server = create_server(self.store, self.ports, call, body)
        self.instances.build(server)
        links = records.links("servers", server["id"], base(call))
        shown = {"id": server["id"], "links": links, "OS-DCF:diskConfig": "MANUAL", "adminPass": "unused"}
        named = [{"name": item["name"]} for item in body.get("security_groups") or [{"name": "default"}]]
        return Response(202, {"server": {**shown, "security_groups": named}}, {"Location": links[0]["href"]})

    def rename(self, call: Call) -> Response:
        """Change a server's name or description."""
        server = self.writable(call, "servers:update")
        body = inner(call, "server")
        check_known("server", body, UPDATABLE)
        values = {name: body[name] for name in ("name", "description") if name in body}
        changed = self.store.change("servers", server["id"], **values, updated=now())
        return Response(200, {"server": records.as_updated(self._full(changed, call), version_of(call.request))})

    def delete(self, call: Call) -> Response:
        """Order the end of a server."""
        self.instances.delete(self.writable(call, "servers:delete"), self.ports)
        return Response(204)

    def _full(self, server: Doc, call: Call) -> Doc:
        state, version = self.instances.state(server), version_of(call.request)
        return records.full(self.store, server, state, version, caller=call.caller, base=base(call))

    def _listed(self, call: Call, rule: str, view: Callable[[Doc], Doc]) -> Response:
        query = queries.checked(dict(call.request.query))
        everyone = queries.everybodys(query)
        if everyone and not call.caller.admin:
            raise denied(f"servers:{rule}:get_all_tenants")
        with self.store.lock:
            servers = [server for server in self.store.all("servers") if sees(call.caller, server)]
        if not everyone:
            servers = [server for server in servers if server["project_id"] == call.caller.project_id]
        version = version_of(call.request)
        found = [server for server in servers if self._passes(server, query, version)]
        url = f"{base_of(call)}{call.request.path}"
        cut, links = queries.page(queries.ordered(found, query), query, url)
        body: Doc = {"servers": [view(server) for server in cut]}
        return Response(200, {**body, "servers_links": links} if links else body)

    def _passes(self, server: Doc, query: queries.Query, version: tuple[int, int]) -> bool:
        def texts() -> Iterable[str]:
            known = records.addresses(self.store, server).values()
            return (item["addr"] for item in chain.from_iterable(known))

        return queries.passes(server, self.instances.state(server).status, texts, query, version)
