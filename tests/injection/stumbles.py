"""What can go wrong with one request, or with all from one on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from haos.lab.api.errors import ApiError, body_of
from haos.lab.api.routing import Request, Response
from tests.injection.bed import GIVE_UP_S, Tamper, WatchedCloud

Act = Callable[[WatchedCloud, Request], Response | None]
"""What is done instead of the genuine answer."""


@dataclass(frozen=True)
class Stumble:
    """One kind of trouble."""

    act: Act
    lasting: bool = False  # from the request on, for good; else that one alone
    then: Act | None = None  # what befalls the later ones, if that is something else
    patience: bool = False  # haos gets over it: the command ends as if nothing had been
    methods: tuple[str, ...] = ("GET", "POST", "PUT", "DELETE")
    services: tuple[str, ...] = ("identity", "network", "compute")
    stalls: bool = False

    def meets(self, method: str, path: str) -> bool:
        """Say whether such a request can meet it."""
        return method in self.methods and path.split("/")[1] in self.services

    def at(self, number: int) -> Tamper:
        """Let it happen to that request."""

        def tamper(cloud: WatchedCloud, count: int, request: Request) -> Response | None:
            if count == number:
                return self.act(cloud, request)
            if count > number and self.lasting and self.meets(request.method, request.path):
                return (self.then or self.act)(cloud, request)
            return cloud.genuine(request)

        return tamper


def refusing(status: int, kind: str = "", message: str = "so it is", headers: Mapping[str, str] = {}) -> Act:
    """Answer with an error in the service's own words."""

    def act(_: WatchedCloud, request: Request) -> Response:
        body = body_of(request.service, ApiError(status, message, kind))
        return Response(status, body, {"Date": DATE, **headers})

    return act


def page(status: int, headers: Mapping[str, str] = {}) -> Act:
    """Answer as a proxy before the service does."""
    html = f"<html><body><h1>{status}</h1>\nThe service is not here.</body></html>"
    return lambda _, __: Response(status, html, {"Content-Type": "text/html", "Date": DATE, **headers})


def hang_up(_: WatchedCloud, __: Request) -> None:
    """Do nothing, answer nothing."""


def done_and(act: Act) -> Act:
    """Do what was asked for, then answer otherwise."""

    def both(cloud: WatchedCloud, request: Request) -> Response | None:
        cloud.genuine(request)
        return act(cloud, request)

    return both


def late(act: Act) -> Act:
    """Answer, and do what was asked for only after the next request."""

    def both(cloud: WatchedCloud, request: Request) -> Response | None:
        cloud.late.append(request)
        return act(cloud, request)

    return both


def stall(act: Act) -> Act:
    """Let the client wait until it hangs up, then do that."""

    def stalling(cloud: WatchedCloud, request: Request) -> Response | None:
        assert cloud.hung_up.wait(GIVE_UP_S), "the client waits on and on"
        return act(cloud, request)

    return stalling


def expire(cloud: WatchedCloud, request: Request) -> Response | None:
    """Let every token run out just before."""
    cloud.expire_tokens()
    return cloud.genuine(request)


def dawdle(cloud: WatchedCloud, request: Request) -> Response | None:
    """Take a while."""
    time.sleep(0.02)
    return cloud.genuine(request)


DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
SOON = {"Retry-After": "Wed, 21 Oct 2026 07:28:05 GMT"}
SERVICES = ("network", "compute")
WRITES = ("POST", "PUT", "DELETE")

STUMBLES: dict[str, Stumble] = {
    "401: the token has run out": Stumble(expire, patience=True, services=SERVICES),
    "401 for good": Stumble(refusing(401, message="the request requires authentication."), lasting=True),
    "403": Stumble(refusing(403, "PolicyNotAuthorized", "rule:so_it_is is disallowed by policy")),
    "404": Stumble(refusing(404, "ResourceNotFound", "it could not be found."), patience=True, services=SERVICES),
    "404 at the login": Stumble(refusing(404, message="it could not be found."), services=("identity",)),
    "404 page": Stumble(page(404), patience=True, services=SERVICES),
    "404 page for good": Stumble(page(404), lasting=True),
    "409": Stumble(refusing(409, "Conflict", "it is in the way.")),
    "412": Stumble(
        refusing(412, "RevisionNumberConstraintFailed", "Constrained to 1, but current revision is 2"),
        patience=True, methods=("PUT",), services=("network",),
    ),
    "412 for good": Stumble(
        refusing(412, "RevisionNumberConstraintFailed", "Constrained to 1, but current revision is 2"),
        lasting=True, methods=("PUT",), services=("network",),
    ),
    "429, Retry-After: 0": Stumble(page(429, {"Retry-After": "0"}), patience=True),
    "429, Retry-After: 1": Stumble(page(429, {"Retry-After": "1"}), patience=True),
    "429, Retry-After: 86400": Stumble(page(429, {"Retry-After": "86400"}), patience=True),
    "429 for good": Stumble(page(429, {"Retry-After": "1"}), lasting=True),
    "429 for good, Retry-After: 86400": Stumble(page(429, {"Retry-After": "86400"}), lasting=True),
    "500": Stumble(refusing(500, "HTTPInternalServerError"), patience=True),
    "500 for good": Stumble(refusing(500, "HTTPInternalServerError"), lasting=True),
    "503, Retry-After a date": Stumble(page(503, SOON), patience=True),
    "503 for good": Stumble(page(503), lasting=True),
    "504 after the effect": Stumble(done_and(page(504)), patience=True),
    "504 before a late effect": Stumble(late(page(504)), patience=True, methods=WRITES),
    "reset before the effect": Stumble(hang_up, patience=True),
    "reset after the effect": Stumble(done_and(hang_up), patience=True),
    "reset for good": Stumble(hang_up, lasting=True),
    "reset for good after the effect": Stumble(done_and(hang_up), lasting=True, then=hang_up),
    "slow": Stumble(dawdle, patience=True),
    "timed out before the effect": Stumble(stall(hang_up), patience=True, stalls=True),
    "timed out after the effect": Stumble(stall(done_and(hang_up)), patience=True, stalls=True),
    "timed out before a late effect": Stumble(stall(late(hang_up)), patience=True, methods=WRITES, stalls=True),
}  # fmt: skip
