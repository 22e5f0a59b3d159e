"""Keystone's projects, users, domains and the rest: what an admin lists and others see of themselves alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from haos.lab.api.catalog import REGION, SERVICES, base_of, fixed_id
from haos.lab.api.errors import ApiError
from haos.lab.api.routing import Call, Caller, Doc, Response, Route
from haos.lab.api.seed import ADMIN, CloudSeed

V3 = "/identity/v3"
DOMAIN = {"id": "default", "name": "Default"}


def forbidden(action: str) -> ApiError:
    """Make Keystone's 403."""
    return ApiError(403, f"You are not authorized to perform the requested action: identity:{action}.")


def role_id(name: str) -> str:
    """Return a role's id."""
    return fixed_id("role", name)


@dataclass(frozen=True)
class Kind:
    """One collection, and which of its documents are a caller's own."""

    singular: str
    docs: Callable[[], list[Doc]]
    own: Callable[[Caller, str], bool]  # whether a caller who is no admin may see the one with this id
    listed_to_all: bool = False


class Directory:
    """Who and what there is, as far as the caller may know."""

    def __init__(self, seed: CloudSeed) -> None:
        self._seed = seed

    def routes(self) -> list[Route]:
        """Return these routes."""
        kinds = (
            Kind("project", self._projects, lambda caller, key: key == caller.project_id),
            Kind("user", self._users, lambda caller, key: key == caller.user_id),
            Kind("domain", _domains, lambda caller, key: key == DOMAIN["id"]),
            Kind("role", _roles, lambda caller, key: False),
            Kind("service", _services, lambda caller, key: False),
            Kind("region", _regions, lambda caller, key: True, listed_to_all=True),
        )
        lists = [Route("GET", f"{V3}/{kind.singular}s", _list(kind)) for kind in kinds]
        shows = [Route("GET", f"{V3}/{kind.singular}s/{{id}}", _show(kind)) for kind in kinds]
        own = [
            Route("GET", f"{V3}/auth/projects", self.own_projects),
            Route("GET", f"{V3}/users/{{id}}/projects", self.own_projects),
        ]
        return [*lists, *shows, *own]

    def own_projects(self, call: Call) -> Response:
        """List the projects in which the caller has a role."""
        user_id = call.args.get("id", call.caller.user_id)
        if user_id != call.caller.user_id and not call.caller.admin:
            raise forbidden("list_user_projects")
        names = next((user.projects for user in self._seed.users if user.id == user_id), ())
        return _listed(call, "project", [doc for doc in self._projects() if doc["name"] in names])

    def _projects(self) -> list[Doc]:
        fixed: Doc = {"domain_id": "default", "parent_id": "default", "description": "", "enabled": True}
        fixed |= {"is_domain": False, "tags": [], "options": {}}
        return [{"id": key, "name": name, **fixed} for name, key in self._seed.projects.items()]

    def _users(self) -> list[Doc]:
        fixed: Doc = {"domain_id": "default", "enabled": True, "options": {}, "password_expires_at": None}
        return [{"id": user.id, "name": user.name, **fixed} for user in self._seed.users]


def _list(kind: Kind) -> Callable[[Call], Response]:
    def every(call: Call) -> Response:
        if not call.caller.admin and not kind.listed_to_all:
            raise forbidden(f"list_{kind.singular}s")
        wanted = call.request.last("name")
        return _listed(call, kind.singular, [doc for doc in kind.docs() if wanted in (None, doc.get("name"))])

    return every


def _show(kind: Kind) -> Callable[[Call], Response]:
    def one(call: Call) -> Response:
        key = call.args["id"]
        if not call.caller.admin and not kind.own(call.caller, key):
            raise forbidden(f"get_{kind.singular}")
        for doc in kind.docs():
            if doc["id"] == key:
                return Response(200, {kind.singular: _linked(call, kind.singular, doc)})
        raise ApiError(404, f"Could not find {kind.singular}: {key}.")

    return one


def _listed(call: Call, singular: str, docs: list[Doc]) -> Response:
    links = {"self": f"{base_of(call)}{call.request.path}", "next": None, "previous": None}
    return Response(200, {f"{singular}s": [_linked(call, singular, doc) for doc in docs], "links": links})


def _linked(call: Call, singular: str, doc: Doc) -> Doc:
    return {**doc, "links": {"self": f"{base_of(call)}{V3}/{singular}s/{doc['id']}"}}


def _domains() -> list[Doc]:
    return [{**DOMAIN, "description": "The default domain", "enabled": True, "tags": [], "options": {}}]


def _roles() -> list[Doc]:
    fixed: Doc = {"description": None, "domain_id": None, "options": {"immutable": True}}
    return [{"id": role_id(name), "name": name, **fixed} for name in ADMIN]


def _services() -> list[Doc]:
    return [{"id": fixed_id(name), "name": name, "type": kind, "enabled": True} for kind, name, _ in SERVICES]


def _regions() -> list[Doc]:
    return [{"id": REGION, "description": "", "parent_region_id": None}]
