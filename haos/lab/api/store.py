"""The cloud's memory: every resource as the document the API shows, with revisions and times."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from haos.lab.api.routing import Doc

TABLES = (
    "networks",
    "subnets",
    "ports",
    "security_groups",
    "security_group_rules",
    "floatingips",
    "routers",
    "servers",
)
REVISED = frozenset(TABLES) - {"servers"}
DEFAULT_QUOTA = {
    "network": 100,
    "subnet": 100,
    "subnetpool": -1,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "security_group": 10,
    "security_group_rule": 100,
    "rbac_policy": 10,
}


def new_id() -> str:
    """Make the id of a new resource."""
    return str(uuid.uuid4())


def now() -> str:
    """Say what time it is, as OpenStack writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Store:
    """Tables of documents. Whoever reads or writes more than one document holds `lock`.

    A key that starts with "_" is the lab's own and is never shown.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.quotas: dict[str, dict[str, int]] = {}
        self._tables: dict[str, dict[str, Doc]] = {name: {} for name in TABLES}
        self._order = itertools.count(1)

    def next_order(self) -> int:
        """Return a number greater than any before."""
        return next(self._order)

    def all(self, table: str) -> list[Doc]:
        """Return every document of a table, oldest first."""
        with self.lock:
            return list(self._tables[table].values())

    def get(self, table: str, key: str) -> Doc | None:
        """Return one document, None if there is none."""
        return self._tables[table].get(key)

    def where(self, table: str, **values: object) -> list[Doc]:
        """Return the documents that have these values."""
        return [doc for doc in self.all(table) if all(doc.get(name) == value for name, value in values.items())]

    def add(self, table: str, doc: Doc) -> Doc:
        """Store a new document; it gets an id, times and its first revision if it has none."""
        born = now()
        if table in REVISED:
            extra = {"revision_number": 1, "created_at": born, "updated_at": born}
            doc = {"id": new_id(), "description": "", **extra, **doc}
        with self.lock:
            self._tables[table][doc["id"]] = doc
        return doc

    def change(self, table: str, key: str, **values: object) -> Doc:
        """Store a changed document; a revised table counts the change."""
        with self.lock:
            doc = {**self._tables[table][key], **values}
            if table in REVISED:
                doc["revision_number"] += 1
                doc["updated_at"] = now()
            self._tables[table][key] = doc
        return doc

    def drop(self, table: str, key: str) -> None:
        """Forget a document; one that is gone already is fine."""
        with self.lock:
            self._tables[table].pop(key, None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock; if the block raises, every table is as it was before."""
        with self.lock:
            saved = {name: dict(table) for name, table in self._tables.items()}
            try:
                yield
            except BaseException:
                self._tables = saved
                raise

    def quota(self, project_id: str, resource: str) -> int:
        """Return how many of a resource a project may have; -1 is no limit."""
        return self.quotas.get(project_id, {}).get(resource, DEFAULT_QUOTA[resource])

    def used(self, project_id: str, resource: str) -> int:
        """Count what a project has of a resource."""
        table = f"{resource}s"
        return len(self.where(table, project_id=project_id)) if table in self._tables else 0
