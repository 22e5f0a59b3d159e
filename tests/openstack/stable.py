"""What is recorded of a real cloud, made the same at each recording: ids, times, places and names that differ."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

BASE = "http://cloud.test"
MOMENT = "2026-11-23T14:53:30"
NEVER = "2999-12-31T23:59:59.000000Z"
"""When the recorded token expires: its tests would fail an hour after the recording."""
NUMBERS = {"revision_number": 4, "standard_attr_id": 1}
"""What counts up, in the cloud or while it works."""
RECENT = timedelta(days=2)
"""What is older is no time of the recording: when an API was last changed, for one."""

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?=[.Z\"])")
_REVISION = re.compile(r"(?<=current revision is )\d+")
_ID = re.compile(r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{56}|[0-9a-f]{32})\b")

Order = Callable[[Any], tuple[str, ...]]
ORDERS: dict[str, Order] = {
    "catalog": lambda item: (item["type"],),
    "endpoints": lambda item: (item["interface"],),
    "extensions": lambda item: (item["alias"],),
    "roles": lambda item: (item["name"],),
    "security_group_rules": lambda item: (item["direction"], item["ethertype"], str(item["protocol"])),
}
"""List -> how it is put in order where the service has none."""


class Stable:
    """Turns bodies into text. What was named with `know` gets that name, every other id one by its turn."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._known: dict[str, str] = {}
        self._given: dict[str, str] = {}

    def know(self, real: str, name: str) -> None:
        """Write this name wherever the real one stands: an id, a URL, an address."""
        self._known[real] = name

    def text(self, body: Any) -> str:
        """Return a body as a fixture holds it."""
        text = json.dumps(_fixed(_ordered(body)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        for real in sorted(self._known, key=len, reverse=True):
            text = re.sub(rf"(?<![\w.]){re.escape(real)}(?![\w]|\.\d)", self._known[real], text)
        text = _TIME.sub(self._moment, text)
        text = _REVISION.sub(str(NUMBERS["revision_number"]), text)
        return _ID.sub(self._id, text)

    def _moment(self, found: re.Match[str]) -> str:
        when = datetime.fromisoformat(found.group()).replace(tzinfo=UTC)
        return MOMENT if abs(when - self._now) < RECENT else found.group()

    def _id(self, found: re.Match[str]) -> str:
        real = found.group()
        if real in self._known.values():
            return real
        turn = uuid5(NAMESPACE_URL, f"haos/fixtures/{len(self._given)}")
        return self._given.setdefault(real, _shaped(turn, real))


def _shaped(made: UUID, real: str) -> str:
    if "-" in real:
        return str(made)
    return (made.hex * 2)[: len(real)]


def _ordered(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _ordered(item, key) for key, item in value.items()}
    if isinstance(value, list):
        items = [_ordered(item) for item in value]
        return sorted(items, key=ORDERS[name]) if name in ORDERS else items
    return value


def _fixed(value: Any, name: str = "") -> Any:
    """Return the body with what counts or is drawn by lot replaced."""
    if name == "audit_ids":
        return ["zZ0N7oTYpUK-e6XM7Ytf0O"]
    if name == "expires_at":
        return NEVER
    if name in NUMBERS:
        return NUMBERS[name]
    if isinstance(value, dict):
        return {key: _fixed(item, key) for key, item in value.items()}
    return [_fixed(item) for item in value] if isinstance(value, list) else value
