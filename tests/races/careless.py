"""A Neutron that compares revisions and writes in two steps, as the real one."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

from haos.lab.api import Cloud
from haos.lab.api.routing import Request, Response

CARELESS_S = 0.1
"""How long it goes on taking a revision that is not the port's any more."""


@dataclass
class Careless:
    """Of two requests at once with one revision both are taken.

    The one that is taken though its revision is not the port's any more has its lists from before: it wins whole.
    """

    cloud: Cloud
    taken: int = 0  # requests that an atomic Neutron would have refused
    _changed_s: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Request) -> Response | None:
        """Answer a request."""
        if request.method != "PUT" or "/v2.0/ports/" not in request.target or "if-match" not in request.headers:
            return self.cloud.answer(request)
        port_id = request.target.rpartition("/")[2]
        with self._lock:
            since_s = time.monotonic() - self._changed_s.get(port_id, 0.0)
        answer = self.cloud.answer(request)
        if answer is not None and answer.status == 412 and since_s < CARELESS_S:
            headers = {name: value for name, value in request.headers.items() if name != "if-match"}
            answer = self.cloud.answer(replace(request, headers=headers))
            with self._lock:
                self.taken += answer is not None and answer.status == 200
        with self._lock:
            self._changed_s[port_id] = time.monotonic()
        return answer
