"""What every Neutron collection does alike: list, show, create, update, delete, revisions and quota."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from haos.lab.api import listing
from haos.lab.api.attributes import Converter, text
from haos.lab.api.errors import bad, neutron
from haos.lab.api.policy import check_write
from haos.lab.api.routing import Call, Caller, Doc, Request, Response, Route
from haos.lab.api.store import Store

PREFIX = "/network/v2.0"
READ_ONLY = frozenset({"id", "status", "tags", "revision_number", "created_at", "updated_at"})
STANDARD = frozenset({"name", "description", "project_id", "tenant_id"})
HIDDEN_FROM_MEMBERS = (
    "binding:host_id",
    "binding:vif_type",
    "binding:vif_details",
    "binding:profile",
    "resource_request",
)
FOREIGN_PROJECT = (
    "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires admin or advsvc"
    " privileges"
)
REVISION = "revision_number="
EVERYWHERE: Mapping[str, Converter] = {"name": text, "description": text}


@dataclass(frozen=True)
class Kind:
    """A resource's names, attributes and filters."""

    table: str
    singular: str
    not_found: str
    post: frozenset[str] = frozenset()
    put: frozenset[str] = frozenset()
    required: Sequence[str] = ()
    filters: frozenset[str] = frozenset()  # beside those that all have
    sort_keys: frozenset[str] = frozenset()  # likewise
    read_only: frozenset[str] = READ_ONLY
    converters: Mapping[str, Converter] = field(default_factory=dict)  # beside those for name and description

    @property
    def path(self) -> str:
        return f"{PREFIX}/{self.table.replace('_', '-')}"


class Collection:
    """One resource of Neutron. Subclasses say what is visible, and make, change and remove documents."""

    kind: Kind

    def __init__(self, store: Store) -> None:
        self.store = store

    def routes(self) -> list[Route]:
        """Return the five usual routes."""
        path, one = self.kind.path, f"{self.kind.path}/{{id}}"
        return [
            Route("GET", path, self.list),
            Route("GET", one, self.show),
            Route("POST", path, self.create),
            Route("PUT", one, self.update),
            Route("DELETE", one, self.delete),
        ]

    # What subclasses decide.

    def visible(self, caller: Caller, doc: Doc) -> bool:
        """Say whether the caller may see a document: by default the own project's."""
        return caller.admin or doc["project_id"] == caller.project_id

    def view(self, caller: Caller, doc: Doc) -> Doc:
        """Show a document."""
        shown = {key: value for key, value in doc.items() if not key.startswith("_")}
        if "project_id" in doc:
            shown["tenant_id"] = doc["project_id"]
        return shown

    def make(self, caller: Caller, body: Doc) -> Doc:
        """Create and store a document from a checked body."""
        raise neutron("HTTPNotFound")

    def change(self, caller: Caller, doc: Doc, body: Doc) -> Doc:
        """Change a document; attributes that hold the value already do not count as a change."""
        check_write(caller, f"update_{self.kind.singular}", body)
        values = {name: value for name, value in body.items() if doc.get(name) != value}
        return self.store.change(self.kind.table, doc["id"], **values) if values else doc

    def remove(self, caller: Caller, doc: Doc) -> None:
        """Delete a document."""
        check_write(caller, f"delete_{self.kind.singular}", {})
        self.store.drop(self.kind.table, doc["id"])

    # What is the same for all.

    def find(self, caller: Caller, key: str) -> Doc:
        """Return a visible document or raise the resource's own 404."""
        doc = self.store.get(self.kind.table, key)
        if doc is None or not self.visible(caller, doc):
            raise neutron(self.kind.not_found, id=key)
        return doc

    def list(self, call: Call) -> Response:
        """Answer GET on the collection."""
        query = [("project_id" if key == "tenant_id" else key, value) for key, value in call.request.query]
        filters = self._filters(call)
        self._check_marker(query)
        with self.store.lock:
            seen = [doc for doc in self.store.all(self.kind.table) if self.visible(call.caller, doc)]
            docs = [self.view(call.caller, doc) for doc in seen]
        found = [doc for doc in docs if listing.matches(doc, filters)]
        found = listing.ordered(found, query, self.kind.sort_keys | listing.COMMON_SORT_KEYS)
        url = f"http://{call.request.headers.get('host', '')}{call.request.path}"
        cut, links = listing.page(found, query, url)
        body: Doc = {self.kind.table: [listing.picked(doc, query) for doc in cut]}
        if links:
            body[f"{self.kind.table}_links"] = links
        return Response(200, body)

    def _filters(self, call: Call) -> dict[str, Any]:
        filters = listing.grouped(call.request.query)
        listing.check_filters(filters, self.kind.filters | listing.COMMON_FILTERS)
        return filters

    def _check_marker(self, query: Sequence[tuple[str, str]]) -> None:
        last = dict(query)
        marker = last.get("marker")
        if marker and "limit" in last and self.store.get(self.kind.table, marker) is None:
            raise neutron(self.kind.not_found, id=marker)

    def show(self, call: Call) -> Response:
        """Answer GET on one document."""
        self._filters(call)
        with self.store.lock:
            shown = self.view(call.caller, self.find(call.caller, call.args["id"]))
        return Response(200, {self.kind.singular: listing.picked(shown, call.request.query)})

    def create(self, call: Call) -> Response:
        """Answer POST: one document, or many at once of which all are made or none."""
        body = call.request.json()
        many = self.kind.table in body
        with self.store.transaction():
            bodies = [self.checked(call.caller, item) for item in self._sent(body)]
            for project_id in dict.fromkeys(item["project_id"] for item in bodies):
                more = sum(item["project_id"] == project_id for item in bodies)
                self.check_quota(project_id, more)
            made = [self.view(call.caller, doc) for doc in self.make_many(call.caller, bodies)]
            return Response(201, {self.kind.table: made} if many else {self.kind.singular: made[0]})

    def _sent(self, body: Doc) -> Sequence[object]:
        if self.kind.table not in body:
            return [self._unwrapped(body)]
        items = body[self.kind.table]
        if not items or not isinstance(items, list):
            raise bad("Resources required")
        return items

    def make_many(self, caller: Caller, bodies: Sequence[Doc]) -> Sequence[Doc]:
        """Create several documents."""
        return [self.make(caller, body) for body in bodies]

    def update(self, call: Call) -> Response:
        """Answer PUT on one document."""
        with self.store.transaction():
            sent = _owned(call.caller, self._unwrapped(call.request.json()))
            body = self._settled(sent, self.kind.put, "Cannot update read-only attribute {}")
            doc = self.find(call.caller, call.args["id"])
            changed = self.change(call.caller, doc, body)
            check_revision(call.request, doc)  # at last, as Neutron: what may not be changed at all is told first
            return Response(200, {self.kind.singular: self.view(call.caller, changed)})

    def delete(self, call: Call) -> Response:
        """Answer DELETE on one document."""
        with self.store.transaction():
            doc = self.find(call.caller, call.args["id"])
            self.remove(call.caller, doc)
            check_revision(call.request, doc)
        return Response(204)

    def check_quota(self, project_id: str, more: int) -> None:
        """Refuse what would be too many."""
        limit = self.store.quota(project_id, self.kind.singular)
        if 0 <= limit < self.store.used(project_id, self.kind.singular) + more:
            raise neutron("OverQuota", overs=[self.kind.singular])

    def _unwrapped(self, body: Mapping[str, Any]) -> Doc:
        inner = body.get(self.kind.singular)
        if inner is None:
            raise bad(f"Unable to find '{self.kind.singular}' in request body")
        if not isinstance(inner, dict):
            raise bad(f"Object '{self.kind.singular}' contains invalid data")
        return inner

    def checked(self, caller: Caller, sent: object) -> Doc:
        """Return what a request for a new document asks for, as Neutron would keep it; refuse what cannot be."""
        if not isinstance(sent, dict):
            raise bad(f"Object '{self.kind.singular}' contains invalid data")
        body = {"project_id": caller.project_id, **_owned(caller, sent)}
        settled = self._settled(body, self.kind.post, "Attribute '{}' not allowed in POST")
        for name in self.kind.required:
            if name not in body:
                raise bad(f"Failed to parse request. Required attribute '{name}' not specified")
        return settled

    def _settled(self, body: Doc, allowed: frozenset[str], refusal: str) -> Doc:
        """Refuse attributes that cannot be set, and turn the values of all others into what Neutron keeps."""
        known = self.kind.post | self.kind.put | STANDARD | self.kind.read_only
        unknown = [name for name in body if name not in known]
        if unknown:
            raise bad(f"Unrecognized attribute(s) '{', '.join(unknown)}'")
        for name in body:
            if name not in allowed | EVERYWHERE.keys():
                raise bad(refusal.format(name))
        converters = {**EVERYWHERE, **self.kind.converters}
        return {name: converters[name](name, value) if name in converters else value for name, value in body.items()}


def check_revision(request: Request, doc: Doc) -> None:
    """Compare `If-Match: revision_number=N`; any other entity tag is ignored, as Neutron does."""
    tags = (tag.strip().strip('"') for tag in request.headers.get("if-match", "").split(","))
    numbers = [tag.removeprefix(REVISION) for tag in tags if tag.startswith(REVISION)]
    if not all(re.fullmatch(r"-?\d+", number) for number in numbers):
        msg = "Revision number etag must be in the format of revision_number=<int>"
        raise neutron("BadRequest", resource="if-match", msg=msg)
    if numbers and int(numbers[0]) != doc["revision_number"]:
        raise neutron("RevisionNumberConstraintFailed", exp=numbers[0], cur=doc["revision_number"])


def _owned(caller: Caller, body: Mapping[str, Any]) -> Doc:
    """Give the project its present name, and let nobody but admins name another's."""
    named = dict(body)
    if "tenant_id" in named:
        named["project_id"] = named.pop("tenant_id")
    if named.get("project_id", caller.project_id) != caller.project_id and not caller.admin:
        raise bad(FOREIGN_PROJECT)
    return named
