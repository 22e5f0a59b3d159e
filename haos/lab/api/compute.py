"""The Nova API: servers and what one can do to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode

from haos.lab.api import compute_records as records
from haos.lab.api.compute_create import create_server
from haos.lab.api.errors import ApiError
from haos.lab.api.instances import Instances
from haos.lab.api.listing import TAG_FILTERS, tags_match
from haos.lab.api.ports import Ports
from haos.lab.api.routing import Call, Caller, Doc, Response, Route
from haos.lab.api.store import Store

V21 = "/compute/v2.1"
SERVERS = f"{V21}/servers"
MAX_LIMIT = 1000  # nova.conf: api/max_limit
SORT_KEYS = {"created_at": "created", "updated_at": "updated", "display_name": "name", "uuid": "id", "name": "name"}
DENIED = "Policy doesn't allow os_compute_api:{} to be performed."


class ComputeApi:
    """Nova's servers."""

    def __init__(self, store: Store, instances: Instances, ports: Ports) -> None:
        self._store = store
        self._instances = instances
        self._ports = ports

    def routes(self) -> list[Route]:
        """Return every route under /servers."""
        one = f"{SERVERS}/{{id}}"
        return [
            Route("GET", SERVERS, self.list_brief),
            Route("GET", f"{SERVERS}/detail", self.list_full),
            Route("POST", SERVERS, self.create),
            Route("GET", one, self.show),
            Route("PUT", one, self.rename),
            Route("DELETE", one, self.delete),
            Route("POST", f"{one}/action", self.action),
            Route("GET", f"{one}/os-interface", self.interfaces),
            Route("GET", f"{one}/os-security-groups", self.groups),
            Route("GET", f"{one}/ips", self.addresses),
            Route("GET", f"{one}/metadata", self.metadata),
            Route("GET", f"{one}/tags", self.tags),
            Route("PUT", f"{one}/tags", self.replace_tags),
            Route("DELETE", f"{one}/tags", self.clear_tags),
            Route("GET", f"{one}/tags/{{tag}}", self.check_tag),
            Route("PUT", f"{one}/tags/{{tag}}", self.add_tag),
            Route("DELETE", f"{one}/tags/{{tag}}", self.remove_tag),
        ]

    def list_brief(self, call: Call) -> Response:
        """List ids and names."""
        return self._listed(call, lambda server: records.brief(server, _base(call)))

    def list_full(self, call: Call) -> Response:
        """List servers with all their details."""
        return self._listed(call, lambda server: self._full(server, call))

    def show(self, call: Call) -> Response:
        """Show one server."""
        return Response(200, {"server": self._full(self._find(call), call)})

    def create(self, call: Call) -> Response:
        """Make a server and order its boot."""
        _check_writer(call.caller, "servers:create")
        server = create_server(self._store, self._ports, call)
        self._instances.build(server)
        shown = {"id": server["id"], "links": records.links(server["id"], _base(call)), "OS-DCF:diskConfig": "MANUAL"}
        return Response(202, {"server": {**shown, "security_groups": [], "adminPass": "unused"}})

    def rename(self, call: Call) -> Response:
        """Change a server's name or description."""
        server = self._writable(call, "servers:update")
        body = call.request.json().get("server", {})
        values = {name: body[name] for name in ("name", "description") if name in body}
        return Response(200, {"server": self._full(self._store.change("servers", server["id"], **values), call)})

    def delete(self, call: Call) -> Response:
        """Order the end of a server."""
        self._instances.delete(self._writable(call, "servers:delete"), self._ports)
        return Response(204)

    def action(self, call: Call) -> Response:
        """Do to a server what the body says."""
        body = call.request.json()
        name = next(iter(body), "")
        if name == "os-getConsoleOutput":
            return self._console(self._find(call), body[name] or {})
        server = self._writable(call, f"servers:{name.removeprefix('os-')}")
        orders = {"os-start": "start", "os-stop": "stop", "pause": "pause", "unpause": "unpause"}
        if name in orders:
            self._instances.act(server, orders[name])
        elif name == "reboot":
            hard = str(body[name].get("type", "SOFT")).upper() == "HARD"
            self._instances.act(server, "reboot_hard" if hard else "reboot")
        elif name == "forceDelete":
            self._instances.delete(server, self._ports)
        else:
            raise ApiError(400, f"There is no such action: {name}")
        return Response(202)

    def interfaces(self, call: Call) -> Response:
        """List the server's ports."""
        ports = self._store.where("ports", device_id=self._find(call)["id"])
        shown = [
            {
                "port_id": port["id"],
                "net_id": port["network_id"],
                "mac_addr": port["mac_address"],
                "port_state": self._ports.view(call.caller, port)["status"],
                "fixed_ips": port["fixed_ips"],
            }
            for port in ports
        ]
        return Response(200, {"interfaceAttachments": shown})

    def groups(self, call: Call) -> Response:
        """List the security groups on the server's ports."""
        names = records.group_names(self._store, self._find(call))
        return Response(200, {"security_groups": [{"name": name, "rules": []} for name in names]})

    def addresses(self, call: Call) -> Response:
        """List the server's addresses."""
        return Response(200, {"addresses": records.addresses(self._store, self._find(call))})

    def metadata(self, call: Call) -> Response:
        """Show the server's metadata."""
        return Response(200, {"metadata": self._find(call)["metadata"]})

    def tags(self, call: Call) -> Response:
        """List the server's tags."""
        return Response(200, {"tags": self._find(call)["tags"]})

    def replace_tags(self, call: Call) -> Response:
        """Set all tags."""
        tags = sorted(set(call.request.json().get("tags", [])))
        self._set_tags(call, tags)
        return Response(200, {"tags": tags})

    def clear_tags(self, call: Call) -> Response:
        """Remove all tags."""
        self._set_tags(call, [])
        return Response(204)

    def check_tag(self, call: Call) -> Response:
        """Say whether a tag is there."""
        self._known_tag(call)
        return Response(204)

    def add_tag(self, call: Call) -> Response:
        """Add one tag: 201 if it is new, else 204."""
        tags, tag = self._find(call)["tags"], call.args["tag"]
        self._set_tags(call, sorted({*tags, tag}))
        return Response(204 if tag in tags else 201)

    def remove_tag(self, call: Call) -> Response:
        """Remove one tag."""
        tags = self._known_tag(call)
        self._set_tags(call, [tag for tag in tags if tag != call.args["tag"]])
        return Response(204)

    def _known_tag(self, call: Call) -> list[str]:
        server = self._find(call)
        if call.args["tag"] not in server["tags"]:
            raise ApiError(404, f"Server {server['id']} has no tag '{call.args['tag']}'")
        return list(server["tags"])

    def _set_tags(self, call: Call, tags: list[str]) -> None:
        server = self._writable(call, "os-server-tags:update")
        self._store.change("servers", server["id"], tags=tags)

    def _console(self, server: Doc, options: Doc) -> Response:
        if not server["_booted"]:
            raise ApiError(409, f"Instance {server['id']} is not ready")
        lines = self._instances.console(server["id"]).splitlines(keepends=True)
        length = options.get("length")
        if length is not None and int(length) >= 0:
            lines = lines[len(lines) - min(int(length), len(lines)) :]
        return Response(200, {"output": "".join(lines)})

    def _find(self, call: Call) -> Doc:
        server = self._store.get("servers", call.args["id"])
        if server is None or not _sees(call.caller, server):
            raise ApiError(404, f"Instance {call.args['id']} could not be found.")
        return server

    def _writable(self, call: Call, action: str) -> Doc:
        server = self._find(call)
        _check_writer(call.caller, action)
        return server

    def _full(self, server: Doc, call: Call) -> Doc:
        return records.full(self._store, server, self._instances.state(server), call, _base(call))

    def _listed(self, call: Call, view: Callable[[Doc], Doc]) -> Response:
        query = dict(call.request.query)
        everyone = query.get("all_tenants", query.get("all_projects", "0")).lower() in ("1", "true", "")
        if everyone and not call.caller.admin:
            raise ApiError(403, DENIED.format("servers:detail:get_all_tenants"))
        with self._store.lock:
            servers = [server for server in self._store.all("servers") if _sees(call.caller, server)]
        if not everyone:
            servers = [server for server in servers if server["project_id"] == call.caller.project_id]
        found = [server for server in servers if self._passes(server, query, call)]
        cut, more = _page(_ordered(found, query), query)
        body: Doc = {"servers": [view(server) for server in cut]}
        if more:
            kept = {**query, "marker": cut[-1]["id"]}
            href = f"http://{call.request.headers.get('host', '')}{call.request.path}?{urlencode(kept)}"
            body["servers_links"] = [{"rel": "next", "href": href}]
        return Response(200, body)

    def _passes(self, server: Doc, query: dict[str, str], call: Call) -> bool:
        if "name" in query and not _pattern("name", query["name"]).search(server["name"]):
            return False
        if "status" in query and self._instances.state(server).status != query["status"].upper():
            return False
        for key in ("ip", "ip6"):
            texts = [item["addr"] for items in records.addresses(self._store, server).values() for item in items]
            if key in query and not any(_pattern(key, query[key]).search(text) for text in texts):
                return False
        if records.version_of(call) < (2, 26):  # older versions do not know these and ignore them
            return True
        return all(tags_match(server["tags"], key, [query[key]]) for key in TAG_FILTERS if key in query)


def _base(call: Call) -> str:
    return f"http://{call.request.headers.get('host', '')}{V21}"


def _sees(caller: Caller, server: Doc) -> bool:
    return caller.admin or bool(server["project_id"] == caller.project_id)


def _check_writer(caller: Caller, action: str) -> None:
    if not caller.writer:
        raise ApiError(403, DENIED.format(action))


def _pattern(name: str, text: str) -> re.Pattern[str]:
    try:
        # On MySQL and MariaDB Nova escapes every "|" of such a filter: alternatives find nothing.
        return re.compile(text.replace("|", r"\|"))
    except re.error:
        message = f"Invalid input for query parameters {name}. Value: {text}. '{text}' is not a 'regex'"
        raise ApiError(400, message) from None


def _ordered(servers: list[Doc], query: dict[str, str]) -> list[Doc]:
    key = SORT_KEYS.get(query.get("sort_key", "created_at"), "created")
    down = query.get("sort_dir", "desc") == "desc"
    return sorted(servers, key=lambda server: (server[key], server["id"]), reverse=down)


def _page(servers: list[Doc], query: dict[str, str]) -> tuple[list[Doc], bool]:
    text = query.get("limit", str(MAX_LIMIT))
    if not text.isdecimal():
        raise ApiError(400, f"Invalid input for query parameters limit. Value: {text}. '{text}' is not an integer")
    limit = min(int(text) or MAX_LIMIT, MAX_LIMIT)
    start = 0
    if "marker" in query:
        ids = [server["id"] for server in servers]
        if query["marker"] not in ids:
            raise ApiError(400, f"marker [{query['marker']}] not found")
        start = ids.index(query["marker"]) + 1
    cut = servers[start : start + limit]
    return cut, bool(cut) and start + limit < len(servers)
