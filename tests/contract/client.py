"""A bare HTTP client: it sends what it is told to and hides nothing of the answer."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 60


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str]  # names in lower case

    @property
    def fault(self) -> tuple[int, str, str]:
        """Status, type and message of an error of Neutron, Nova or Keystone."""
        [(kind, error)] = self.body.items()
        return self.status, error.get("type") or error.get("title") or kind, error["message"]


@dataclass(frozen=True)
class Credentials:
    """Who logs in, where and for which project."""

    auth_url: str  # with /v3
    username: str
    password: str
    project: str
    domain: str = "Default"

    def body(self) -> dict[str, Any]:
        """Return the body of the request for a token."""
        user = {"name": self.username, "domain": {"name": self.domain}, "password": self.password}
        scope = {"project": {"name": self.project, "domain": {"name": self.domain}}}
        return {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}


@dataclass
class Client:
    """One connection to each service, kept alive; with a token if it logged in."""

    auth_url: str
    token: str = ""
    project_id: str = ""
    user_id: str = ""
    endpoints: dict[str, str] = field(default_factory=dict)  # service type -> public URL
    _connections: dict[str, http.client.HTTPConnection] = field(default_factory=dict)

    def __call__(self, method: str, url: str, body: Any = None, **headers: str) -> Answer:
        """Send a request to a whole URL; `If_Match="…"` is the header If-Match, a body of bytes is sent as it is."""
        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("X-Auth-Token", self.token)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return self._sent(parts.netloc, method, path or "/", data, sent)

    def _sent(self, netloc: str, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        known = netloc in self._connections
        connection = self._connections.setdefault(netloc, http.client.HTTPConnection(netloc, timeout=TIMEOUT_S))
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not known:
                raise
            self._connections.pop(netloc).close()  # idle for too long: the service closed it
            return self._sent(netloc, method, path, data, headers)
        raw = response.read()
        return Answer(response.status, _parsed(raw), {name.lower(): value for name, value in response.getheaders()})

    def neutron(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request to Neutron; the path is that after /v2.0."""
        return self(method, f"{self.endpoints['network']}/v2.0{path}", body, **headers)

    def nova(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request to Nova; the path is that after /v2.1."""
        return self(method, f"{self.endpoints['compute']}{path}", body, **headers)

    def keystone(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request to Keystone; the path is that after /v3."""
        return self(method, f"{self.auth_url}{path}", body, **headers)

    def login(self, who: Credentials) -> Answer:
        """Get a token, and with it the services' places."""
        answer = self.keystone("POST", "/auth/tokens", who.body())
        if answer.status == 201:
            token = answer.body["token"]
            self.token = answer.headers["x-subject-token"]
            self.project_id, self.user_id = token["project"]["id"], token["user"]["id"]
            self.endpoints = {service["type"]: _public(service) for service in token["catalog"]}
        return answer

    def twin(self, token: str | None = None) -> Client:
        """Make a client with connections of its own and the same token, or another one ("" for none)."""
        same = self.token if token is None else token
        return Client(self.auth_url, same, self.project_id, self.user_id, self.endpoints)

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


def _public(service: dict[str, Any]) -> str:
    urls = [place["url"] for place in service["endpoints"] if place["interface"] == "public"]
    return str(urls[0]).rstrip("/")


def _parsed(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
