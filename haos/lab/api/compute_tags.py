"""The tags of servers."""

from __future__ import annotations

import re

from haos.lab.api.compute_base import SERVERS, Servers, denied, inner
from haos.lab.api.compute_query import FIRST_WITH_TAGS
from haos.lab.api.errors import NO_SUCH_PAGE, ApiError
from haos.lab.api.microversions import version_of
from haos.lab.api.routing import Call, Doc, Handler, Response, Route

MAX_LENGTH = 60


class TagsApi(Servers):
    """/servers/{id}/tags."""

    def routes(self) -> list[Route]:
        """Return these routes."""
        path = f"{SERVERS}/{{id}}/tags"
        table: list[tuple[str, str, Handler]] = [
            ("GET", path, self.list),
            ("PUT", path, self.replace),
            ("DELETE", path, self.clear),
            ("GET", f"{path}/{{tag}}", self.check),
            ("PUT", f"{path}/{{tag}}", self.add),
            ("DELETE", f"{path}/{{tag}}", self.remove),
        ]
        return [Route(method, pattern, _since(handler)) for method, pattern, handler in table]

    def list(self, call: Call) -> Response:
        """List the server's tags."""
        return Response(200, {"tags": self.find(call)["tags"]})

    def replace(self, call: Call) -> Response:
        """Set all tags."""
        server = self._changeable(call, "update_all")
        tags = sorted({_checked(tag) for tag in inner(call, "tags")})
        self.store.change("servers", server["id"], tags=tags)
        return Response(200, {"tags": tags})

    def clear(self, call: Call) -> Response:
        """Remove all tags."""
        self.store.change("servers", self._changeable(call, "delete_all")["id"], tags=[])
        return Response(204)

    def check(self, call: Call) -> Response:
        """Say whether a tag is there."""
        server, tag = self.find(call), call.args["tag"]
        if tag not in server["tags"]:
            raise ApiError(404, f"Server {server['id']} has no tag '{tag}'")
        return Response(204)

    def add(self, call: Call) -> Response:
        """Add one tag: 201 if it is new, else 204."""
        server, tag = self._changeable(call, "update"), _checked(call.args["tag"])
        if tag in server["tags"]:
            return Response(204)
        self.store.change("servers", server["id"], tags=sorted([*server["tags"], tag]))
        return Response(201)

    def remove(self, call: Call) -> Response:
        """Remove one tag."""
        server, tag = self._changeable(call, "delete"), call.args["tag"]
        if tag not in server["tags"]:
            raise ApiError(404, f"Instance {server['id']} has no tag '{tag}'")
        self.store.change("servers", server["id"], tags=[own for own in server["tags"] if own != tag])
        return Response(204)

    def _changeable(self, call: Call, rule: str) -> Doc:
        """Return the server; of another project's Nova says here that it is forbidden, not that it is not there."""
        server = self.store.get("servers", call.args["id"])
        if server is None:
            raise ApiError(404, f"Instance {call.args['id']} has no mapping to a cell.")
        caller = call.caller
        if not caller.admin and not (caller.writer and server["project_id"] == caller.project_id):
            raise denied(f"os-server-tags:{rule}")
        return server


def _since(handler: Handler) -> Handler:
    def guarded(call: Call) -> Response:
        if version_of(call.request) < FIRST_WITH_TAGS:
            raise ApiError(404, "The resource could not be found.")
        return handler(call)

    return guarded


def _checked(tag: str) -> str:
    if "/" in tag:  # no path leads there
        raise ApiError(404, "The resource could not be found.", NO_SUCH_PAGE)
    why = ""
    if not re.fullmatch("[^,/]*", tag):
        why = f"'{tag}' does not match '^[^,/]*$'"
    elif len(tag) > MAX_LENGTH:
        why = f"'{tag}' is too long"
    if why:
        must = "It must be a non empty string without characters '/' and ','."
        raise ApiError(400, f"Tag '{tag}' is invalid. {must} Validation error message: {why}")
    return tag
