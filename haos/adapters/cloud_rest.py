"""One service's REST API: JSON in, JSON out, errors in haos's words, and patience that ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from keystoneauth1.adapter import Adapter

from haos.adapters.clock import SystemClock
from haos.adapters.cloud_access import forbidden
from haos.adapters.cloud_errors import BusyError, PassingError, translated
from haos.adapters.cloud_fields import parts, understood, unreadable
from haos.errors import AuthenticationError, CloudError, NotFoundError

if TYPE_CHECKING:
    import requests

T = TypeVar("T")
Json = dict[str, Any]

RETRIES = 3
DEADLINE_S = 60.0
"""A call with all its repetitions is given up after this."""
LONGEST_WAIT_S = 10.0
"""Where a service's Retry-After would go past the deadline, it is asked again after this, as long as that lasts."""
NOT_FOUND_PAUSE_S = 0.2
"""What is not found is asked for once more after this: a copy of the database may lag behind, or a proxy be wrong."""
_LONGEST_DOUBLING = 6

_clock = SystemClock()


class Rest:
    """One service. Reads are repeated when the service stumbles; writes only if surely nothing was done."""

    def __init__(self, adapter: Adapter, *, retries: int = RETRIES, microversion: str | None = None) -> None:
        self._adapter = adapter
        self._retries = retries
        self._microversion = microversion

    def get(self, path: str, what: str, query: Mapping[str, Any] | None = None) -> Json:
        """Read; `what` says what for ("list ports")."""
        return self._json(self._send("GET", path, what, PassingError, params=query), what)

    def ask(self, path: str, what: str, body: Mapping[str, Any]) -> Json:
        """POST what only reads."""
        return self._json(self._send("POST", path, what, PassingError, json=body), what)

    def write(
        self, method: str, path: str, what: str, body: Mapping[str, Any], *, revision: int | None = None
    ) -> Json:
        """Create or change, once. On LostAnswerError the caller must find out whether it took effect."""
        headers = {} if revision is None else {"If-Match": f"revision_number={revision}"}
        return self._json(self._send(method, path, what, BusyError, json=body, headers=headers), what)

    def order(self, method: str, path: str, what: str, body: Mapping[str, Any] | None = None) -> None:
        """Send what does no harm twice, and so is repeated as reads are; what is answered does not matter."""
        self._send(method, path, what, PassingError, json=body)

    def delete(self, path: str, what: str) -> None:
        """Delete; what is gone already is fine."""
        try:
            self._send("DELETE", path, what, PassingError)
        except NotFoundError:
            return

    def pages(self, path: str, what: str, query: Mapping[str, Any], *, key: str | None = None) -> list[Json]:
        """Read a list to its end; `key` names it in the body if the path does not."""
        key = key or path.strip("/").replace("-", "_")
        found: list[Json] = []
        asked, markers = dict(query), set[str]()
        while True:
            body = self.get(path, what, asked)
            page = parts(body, key, f"cannot {what}")
            found += page
            # The link itself may name an inner host: its marker is all that is needed.
            if not page or not _has_next(body.get(f"{key}_links")):
                return found
            marker = page[-1].get("id")
            if not isinstance(marker, str) or marker in markers:  # or it would go on without end
                raise unreadable(f"cannot {what}", f"the page after {marker!r} is the same again")
            markers.add(marker)
            asked = {**query, "marker": marker}

    def _send(
        self, method: str, path: str, what: str, repeat_on: type[PassingError], **options: Any
    ) -> requests.Response:
        end = _clock.now_s() + DEADLINE_S

        def once() -> requests.Response:
            timeout = max(1.0, min(self._adapter.session.timeout or DEADLINE_S, end - _clock.now_s()))
            try:
                with translated(what), understood(what):
                    return self._adapter.request(
                        path,
                        method,
                        microversion=self._microversion,
                        timeout=timeout,
                        connect_retries=0,
                        status_code_retries=0,
                        **options,
                    )
            except AuthenticationError as error:
                if refused := forbidden(what, self._adapter, method, path):
                    raise refused from error
                raise

        def believed() -> requests.Response:
            return patiently(once, repeat_on, attempts=self._retries + 1, deadline_s=end - _clock.now_s())

        try:
            return believed()
        except NotFoundError:
            _clock.sleep(NOT_FOUND_PAUSE_S)
            return believed()

    @staticmethod
    def _json(answer: requests.Response, what: str) -> Json:
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            where = answer.url.partition("?")[0]
            raise CloudError(f"cannot {what}: {where} did not answer as the API does", hint="openstack catalog list")
        return body


def patiently(
    action: Callable[[], T],
    errors: type[PassingError] | tuple[type[PassingError], ...],
    *,
    attempts: int,
    deadline_s: float,
) -> T:
    """Repeat an action on these errors, with growing and random pauses; raise the last one.

    No pause goes past the deadline, whatever a service asks for.
    """
    end = _clock.now_s() + deadline_s
    for attempt in count(1):
        try:
            return action()
        except errors as error:
            left_s = end - _clock.now_s()
            pause_s = _pause_s(error, attempt, left_s)
            if attempt >= attempts or pause_s >= left_s:
                raise
        _clock.sleep(pause_s)
    raise AssertionError("counting has no end")


def _pause_s(error: PassingError, attempt: int, left_s: float) -> float:
    """Return how long to wait before the next attempt; what the service asks for is obeyed if it fits."""
    if error.retry_after_s is not None:
        return error.retry_after_s if error.retry_after_s < left_s else LONGEST_WAIT_S
    longest_s = min(error.pause_s * 2 ** min(attempt - 1, _LONGEST_DOUBLING), 20 * error.pause_s)
    return random.uniform(0, longest_s)  # noqa: S311 - no secret: clients that stumbled together part ways


def _has_next(links: object) -> bool:
    entries = links if isinstance(links, list) else []
    return any(isinstance(link, Mapping) and link.get("rel") == "next" for link in entries)
