"""Neutron's quotas of a project."""

from __future__ import annotations

from haos.lab.api.errors import bad, invalid, neutron
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
            Route("GET", f"{PREFIX}/project", _project),
            Route("GET", f"{PREFIX}/{{project}}", self.show),
            Route("GET", f"{PREFIX}/{{project}}/default", self.default),
            Route("GET", f"{PREFIX}/{{project}}/details.json", self.details),
            Route("GET", f"{PREFIX}/{{project}}/details", self.details),
            Route("PUT", f"{PREFIX}/{{project}}", self.change),
            Route("DELETE", f"{PREFIX}/{{project}}", self.reset),
        ]

    def show(self, call: Call) -> Response:
        """Show the limits."""
        _check_reader(call)
        return self._limits(call.args["project"])

    def default(self, call: Call) -> Response:
        """Show the limits of a project that has none of its own."""
        _check_reader(call)
        return Response(200, {"quota": dict(DEFAULT_QUOTA)})

    def details(self, call: Call) -> Response:
        """Show limits and what is used."""
        project = call.args["project"]
        if not (call.caller.admin or project == call.caller.project_id):
            reason = "Only admin is authorized to access quotas for another project"
            raise neutron("AdminRequired", reason=reason)
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
        project = call.args["project"]
        limits = {name: _limit(name, value) for name, value in call.request.json().get("quota", {}).items()}
        for name, limit in limits.items():
            used = self._store.used(project, name)
            if 0 <= limit < used:
                text = f"Quota limit {limit} for {name} must be greater than or equal to already used {used}"
                raise bad(text)
        self._store.quotas.setdefault(project, {}).update(limits)
        return self._limits(project)

    def reset(self, call: Call) -> Response:
        """Give a project the default limits again: for admins alone."""
        if not call.caller.admin:
            raise forbidden("delete_quota", {})
        self._store.quotas.pop(call.args["project"], None)
        return Response(204)

    def _limits(self, project: str) -> Response:
        return Response(200, {"quota": {name: self._store.quota(project, name) for name in DEFAULT_QUOTA}})


def _project(call: Call) -> Response:
    return Response(200, {"project": {"project_id": call.caller.project_id}})


def _check_reader(call: Call) -> None:
    if not (call.caller.admin or call.args["project"] == call.caller.project_id):
        raise forbidden("get_quota", {})


def _limit(name: str, value: object) -> int:
    if name not in DEFAULT_QUOTA:
        raise bad(f"Unrecognized attribute(s) '{name}'")
    try:
        limit = int(str(value))
    except ValueError:
        raise neutron("InvalidInput", error_message=f"'{value}' is not an integer") from None
    if limit < -1:
        raise invalid(name, f"'{limit}' is too small - must be at least '-1'")
    return limit
