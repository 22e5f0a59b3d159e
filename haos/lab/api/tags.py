"""Tags of Neutron resources."""

from __future__ import annotations

from collections.abc import Sequence

from haos.lab.api.attributes import wrong_text, wrong_texts
from haos.lab.api.collection import Collection, check_revision
from haos.lab.api.errors import ApiError, neutron
from haos.lab.api.policy import forbidden
from haos.lab.api.routing import Call, Doc, Response, Route

MAX_TAGS = 50


class Tags:
    """The tags of every taggable collection."""

    def __init__(self, collections: Sequence[Collection]) -> None:
        self._collections = {item.kind.path.rsplit("/", 1)[1]: item for item in collections}

    def routes(self) -> list[Route]:
        """Return the routes of all tags and of one tag."""
        every, one = "/network/v2.0/{collection}/{id}/tags", "/network/v2.0/{collection}/{id}/tags/{tag}"
        return [
            Route("GET", every, self.show),
            Route("PUT", every, self.replace),
            Route("DELETE", every, self.clear),
            Route("GET", one, self.check),
            Route("PUT", one, self.add),
            Route("DELETE", one, self.remove),
        ]

    def show(self, call: Call) -> Response:
        """List the tags."""
        _, doc = self._find(call, "get")
        return Response(200, {"tags": doc["tags"]})

    def check(self, call: Call) -> Response:
        """Say whether a tag is there."""
        tag = _one(call)
        _, doc = self._find(call, "get")
        if tag not in doc["tags"]:
            raise neutron("TagNotFound", tag=tag)
        return Response(204)

    def replace(self, call: Call) -> Response:
        """Set all tags."""
        tags = _sent(call)
        self._store(call, "update", tags)
        return Response(200, {"tags": tags})

    def clear(self, call: Call) -> Response:
        """Remove all tags."""
        self._store(call, "delete", [])
        return Response(204)

    def add(self, call: Call) -> Response:
        """Add one tag."""
        tag = _one(call)
        _, doc = self._find(call, "update")
        self._store(call, "update", list(dict.fromkeys([*doc["tags"], tag])))
        return Response(201)

    def remove(self, call: Call) -> Response:
        """Remove one tag."""
        tag = _one(call)
        _, doc = self._find(call, "delete")
        if tag not in doc["tags"]:
            raise neutron("TagNotFound", tag=tag)
        self._store(call, "delete", [item for item in doc["tags"] if item != tag])
        return Response(204)

    def _find(self, call: Call, verb: str) -> tuple[Collection, Doc]:
        """Return what the tags are of, if the caller may do with them what the verb says."""
        collection = self._collections.get(call.args["collection"])
        if collection is None:
            raise neutron("HTTPNotFound")
        doc = collection.store.get(collection.kind.table, call.args["id"])
        if doc is None:
            raise neutron("HTTPInternalServerError")  # where any other request would be answered with 404
        caller = call.caller
        own = caller.admin or doc["project_id"] == caller.project_id
        if not (collection.visible(caller, doc) if verb == "get" else caller.writer and own):
            raise forbidden(f"{verb}_{collection.kind.singular}:tags", {})
        return collection, doc

    def _store(self, call: Call, verb: str, tags: list[str]) -> None:
        collection, doc = self._find(call, verb)
        with collection.store.transaction():
            check_revision(call.request, doc)
            if len(tags) > MAX_TAGS:
                text = f"The number of tags exceed the per-resource limit of {MAX_TAGS}"
                raise neutron("BadRequest", resource=collection.kind.table, msg=text)
            if set(tags) != set(doc["tags"]):  # the same tags again do not count as a change
                collection.store.change(collection.kind.table, doc["id"], tags=tags)


def _sent(call: Call) -> list[str]:
    try:
        body = call.request.json()
    except ApiError:
        body = {}
    if "tags" not in body:
        raise neutron("InvalidInput", error_message="Invalid tags body")
    if wrong := wrong_texts(body["tags"]):
        raise neutron("InvalidInput", error_message=wrong)
    return list(body["tags"])


def _one(call: Call) -> str:
    tag = call.args["tag"]
    if wrong := wrong_text(tag):
        raise neutron("InvalidInput", error_message=wrong)
    return tag
