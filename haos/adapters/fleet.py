"""Connections to instances, each made once, at the first need, and kept for the whole run."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from haos.adapters.node import Node
from haos.adapters.openssh import Connection, SshGateway
from haos.adapters.prober import RemoteObserver
from haos.core.model import Instance
from haos.errors import HaosError


class SshFleet:
    """The `Fleet` of a real cloud. Threads may share it; different instances are connected to side by side."""

    def __init__(self, gateway: SshGateway) -> None:
        self._gateway = gateway
        self._lock = Lock()
        self._doors: dict[str, Lock] = {}
        self._connections: dict[str, Connection] = {}
        self._nodes: dict[str, Node] = {}
        self._observers: dict[str, RemoteObserver] = {}

    def node(self, instance: Instance) -> Node:
        """Return the agent of a node; it remembers what it learned of the node."""
        connection = self._connection(instance)
        with self._lock:
            return self._nodes.setdefault(instance.id, Node(connection, instance.name))

    def observer(self, instance: Instance) -> RemoteObserver:
        """Return the observer; it remembers what it can."""
        connection = self._connection(instance)
        with self._lock:
            return self._observers.setdefault(instance.id, RemoteObserver(connection))

    def awaited(self, instance: Instance) -> HaosError | None:
        """Return why an instance that is being connected to has not been reached so far."""
        return self._gateway.awaited(instance)

    def renew(self, instance: Instance) -> None:
        """Drop the connection to an instance that was cut off or restarted: the next call connects anew."""
        with self._lock:
            connection = self._connections.pop(instance.id, None)
            self._nodes.pop(instance.id, None)
            self._observers.pop(instance.id, None)
        if connection is not None:
            connection.close()

    def trust_anew(self, instance: Instance, fingerprints: Sequence[str]) -> None:
        """Keep the host keys of a rebuilt instance that its console log shows; the next call connects with them."""
        self._gateway.trust_anew(instance, fingerprints)
        self.renew(instance)

    def close(self) -> None:
        """Close every connection."""
        self._gateway.close()

    def _connection(self, instance: Instance) -> Connection:
        with self._lock:
            door = self._doors.setdefault(instance.id, Lock())
        with door:
            if instance.id not in self._connections:
                self._connections[instance.id] = self._gateway.connect(instance)
            return self._connections[instance.id]
