"""Faults on order: canned answers, delays and lost answers for requests that match."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from haos.lab.api.errors import ApiError
from haos.lab.api.routing import Doc, Request, Response


@dataclass
class Fault:
    """What to do to the next `times` requests that match (None: to every one)."""

    path: str = ".*"  # a regular expression, searched in path and query
    method: str = ""  # empty: any
    times: int | None = 1
    status: int | None = None  # answer this instead of doing the work
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    delay_s: float = 0.0
    drop: str = ""  # "before": hang up and do nothing; "after": do the work, then hang up

    def matches(self, request: Request) -> bool:
        """Say whether a request is meant."""
        return self.method in ("", request.method) and re.search(self.path, request.target) is not None

    def answer(self) -> Response | None:
        """Return the canned answer, if there is one."""
        return Response(self.status, self.body, dict(self.headers)) if self.status is not None else None


class Faults:
    """Every fault that is still to come, in the order in which they were set."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Set a fault."""
        with self._lock:
            self._waiting.append(fault)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._waiting.clear()

    def listed(self) -> list[Doc]:
        """Show those that are still to come."""
        with self._lock:
            return [dict(vars(fault)) for fault in self._waiting]

    def take(self, request: Request) -> Fault | None:
        """Return the first fault for a request and count it."""
        with self._lock:
            for fault in self._waiting:
                if not fault.matches(request):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                return fault
        return None


def parsed(body: Doc) -> Fault:
    """Make a fault of a JSON body, or raise 400."""
    unknown = set(body) - set(Fault.__dataclass_fields__)
    if unknown or body.get("drop", "") not in ("", "before", "after"):
        raise ApiError(400, f"not a fault: {body}")
    try:
        re.compile(body.get("path", ".*"))
        return Fault(**body)
    except (re.error, TypeError) as error:
        raise ApiError(400, f"not a fault: {error}") from None
