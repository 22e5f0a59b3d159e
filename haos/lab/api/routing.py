"""Requests, answers and the table that says who answers what: plain values, no sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from haos.lab.api.errors import ApiError

Doc = dict[str, Any]
"""A resource as the API shows it. Never changed in place: a change makes a new one and stores that."""


@dataclass(frozen=True)
class Request:
    """One HTTP request."""

    method: str
    target: str  # path and query as sent
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    raw: bytes = b""
    peer: str = "127.0.0.1"

    @property
    def path(self) -> str:
        return urlsplit(self.target).path.rstrip("/") or "/"

    @property
    def service(self) -> str:
        """The first part of the path: identity, compute, network, image or lab."""
        return self.path.split("/")[1]

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    def last(self, key: str) -> str | None:
        """Return the last value of a query parameter."""
        values = [value for name, value in self.query if name == key]
        return values[-1] if values else None

    def json(self) -> Doc:
        """Parse the body, which must be a JSON object."""
        try:
            body = json.loads(self.raw or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            text = "Body contains invalid data" if self.service == "network" else "Malformed request body"
            raise ApiError(400, text, "HTTPBadRequest")
        return body


@dataclass(frozen=True)
class Response:
    """One HTTP answer; a body that is None is sent as nothing at all."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """Return the bytes of the body: text as it is, all else as JSON."""
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Caller:
    """Whom a token stands for."""

    user_id: str
    project_id: str
    roles: frozenset[str]

    @property
    def admin(self) -> bool:
        return "admin" in self.roles

    @property
    def writer(self) -> bool:
        return bool(self.roles & {"admin", "member"})


@dataclass(frozen=True)
class Call:
    """A request on its way to its handler, with the parts of the path that the route names."""

    request: Request
    caller: Caller
    args: Mapping[str, str]


Handler = Callable[[Call], Response]

NOBODY = Caller("", "", frozenset())


@dataclass(frozen=True)
class Route:
    """Who answers a method on a path; `{name}` in the pattern stands for one part of it."""

    method: str
    pattern: str
    handler: Handler
    public: bool = False  # no token needed


class Table:
    """Every route of the cloud."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [(_compiled(route.pattern), route) for route in routes]

    def find(self, request: Request) -> tuple[Route, dict[str, str]]:
        """Return the route of a request and the path's named parts, or raise 404 or 405."""
        known = False
        heads = request.service != "compute"  # Nova knows no HEAD
        method = "GET" if request.method == "HEAD" and heads else request.method
        for pattern, route in self._routes:
            match = pattern.fullmatch(unquote(request.path))
            if match and route.method in (request.method, method):
                return route, match.groupdict()
            known = known or match is not None
        if known and request.service != "compute":  # Nova knows of no page there
            raise ApiError(405, "The method is not allowed for this resource.", "HTTPMethodNotAllowed")
        raise ApiError(404, "The resource could not be found.", "HTTPNotFound")


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern.replace(".", r"\.")))
