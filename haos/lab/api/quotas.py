"""Neutron's quotas of a project."""

from __future__ import annotations

from haos.lab.api.errors import neutron
from haos.lab.api.policy import forbidden
from haos.lab.api.routing import Call, Response, Route
from haos.lab.api.store import DEFAULT_QUOTA, Store

PREFIX = "/network/v2.0/quotas"


class Quotas:
    """Limits, with and without what is used."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the routes of limits, defaults, details and changes."""
        return [
            Route("GET", f"{PREFIX}/{{project}}", self.show),
            Route("GET", f"{PREFIX}/{{project}}/default", self.default),
            Route("GET", f"{PREFIX}/{{project}}/details.json", self.details),
            Route("GET", f"{PREFIX}/{{project}}/details", self.details),
            Route("PUT", f"{PREFIX}/{{project}}", self.change),
        ]

    def show(self, call: Call) -> Response:
        """Show the limits."""
        project = self._project(call)
        limits = {name: self._store.quota(project, name) for name in DEFAULT_QUOTA}
        return Response(200, {"quota": {**limits, "project_id": project}})

    def default(self, call: Call) -> Response:
        """Show the limits of a project that has none of its own."""
        return Response(200, {"quota": dict(DEFAULT_QUOTA)})

    def details(self, call: Call) -> Response:
        """Show limits and what is used."""
        project = self._project(call)
        with self._store.lock:
            details = {
                name: {
                    "limit": self._store.quota(project, name),
                    "used": self._store.used(project, name),
                    "reserved": 0,
                }
                for name in DEFAULT_QUOTA
            }
        return Response(200, {"quota": details})

    def change(self, call: Call) -> Response:
        """Set limits: for admins alone."""
        if not call.caller.admin:
            raise forbidden("update_quota", {})
        body = call.request.json().get("quota", {})
        limits = {name: int(value) for name, value in body.items() if name in DEFAULT_QUOTA}
        self._store.quotas.setdefault(call.args["project"], {}).update(limits)
        return self.show(call)

    def _project(self, call: Call) -> str:
        project = call.args["project"]
        if not (call.caller.admin or project == call.caller.project_id):
            raise neutron("PolicyNotAuthorized", rule="rule:get_quota")
        return project
