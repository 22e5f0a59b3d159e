"""Tags of Neutron resources."""

from __future__ import annotations

from collections.abc import Sequence

from haos.lab.api.collection import Collection, check_revision
from haos.lab.api.errors import ApiError, neutron
from haos.lab.api.policy import forbidden
from haos.lab.api.routing import Call, Doc, Response, Route

MAX_TAG_LENGTH = 255
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
        _, doc = self._find(call)
        return Response(200, {"tags": doc["tags"]})

    def check(self, call: Call) -> Response:
        """Say whether a tag is there."""
        _, doc = self._find(call)
        if call.args["tag"] not in doc["tags"]:
            raise neutron("TagNotFound", tag=call.args["tag"])
        return Response(204)

    def replace(self, call: Call) -> Response:
        """Set all tags."""
        body = call.request.json()
        if "tags" not in body:
            raise neutron("InvalidInput", error_message="Invalid tags body")
        tags = _checked(body["tags"])
        self._store(call, tags)
        return Response(200, {"tags": tags})

    def clear(self, call: Call) -> Response:
        """Remove all tags."""
        self._store(call, [])
        return Response(204)

    def add(self, call: Call) -> Response:
        """Add one tag."""
        _, doc = self._find(call)
        self._store(call, _checked(list(dict.fromkeys([*doc["tags"], call.args["tag"]]))))
        return Response(201)

    def remove(self, call: Call) -> Response:
        """Remove one tag."""
        _, doc = self._find(call)
        tag = call.args["tag"]
        if tag not in doc["tags"]:
            raise neutron("TagNotFound", tag=tag)
        self._store(call, [item for item in doc["tags"] if item != tag])
        return Response(204)

    def _find(self, call: Call) -> tuple[Collection, Doc]:
        collection = self._collections.get(call.args["collection"])
        if collection is None:
            raise neutron("HTTPNotFound")
        return collection, collection.find(call.caller, call.args["id"])

    def _store(self, call: Call, tags: list[str]) -> None:
        collection, doc = self._find(call)
        with collection.store.transaction():
            own = call.caller.admin or doc["project_id"] == call.caller.project_id
            if not call.caller.writer or not own:
                raise forbidden(f"update_{collection.kind.singular}:tags", {})
            check_revision(call.request, doc)
            if set(tags) != set(doc["tags"]):  # the same tags again do not count as a change
                collection.store.change(collection.kind.table, doc["id"], tags=tags)


def _checked(tags: object) -> list[str]:
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise neutron("InvalidInput", error_message=f"'{tags}' is not a list")
    if len(set(tags)) < len(tags):
        raise neutron("InvalidInput", error_message=f"Duplicate items in the list: '{', '.join(tags)}'")
    for tag in tags:
        if len(tag) > MAX_TAG_LENGTH:
            text = f"'{tag}' exceeds maximum length of {MAX_TAG_LENGTH}"
            raise neutron("InvalidInput", error_message=text)
    if len(tags) > MAX_TAGS:
        raise ApiError(400, f"The number of tags exceed the per-resource limit of {MAX_TAGS}", "BadRequest")
    return list(tags)
