"""What a run has done: the undos that would take it back, and what it has made or found on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from haos.core.changes import CleanNode, DeleteGroup, DeletePort, ReleasePort, RestoreNode, Undo
from haos.core.model import FloatingIp, Port, SecurityGroup


@dataclass
class Ledger:
    """What this run has done, as the undos that take it back; written before each effect.

    Only what the cloud gives an id to (reservation, group) can be written after it: an answer that is lost is looked
    up by the adapter, and once more by the undo where that is in vain; a reservation or group of a killed run is
    found by the next one.
    """

    reservation: Port | None
    group: SecurityGroup | None
    floating: FloatingIp | None = None
    undos: list[Undo] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def note(self, undo: Undo) -> None:
        """Remember an undo; of those for one node the one that takes back most stands."""
        with self.lock:
            if isinstance(undo, CleanNode | RestoreNode):
                same = [
                    old for old in self.undos if isinstance(old, CleanNode | RestoreNode) and old.node == undo.node
                ]
                if any(isinstance(old, RestoreNode) or old.removal.purge_package for old in same):
                    return
                self.undos = [old for old in self.undos if old not in same]
            self.undos.append(undo)

    def forget(self, undo: Undo) -> None:
        """Forget an undo whose effect did not take place."""
        with self.lock:
            self.undos = [old for old in self.undos if old != undo]

    @property
    def reserved(self) -> bool:
        """Whether this run has made the reservation, or claimed it: the pair is its own."""
        return any(isinstance(undo, DeletePort | ReleasePort) for undo in self.undos)

    @property
    def made_group(self) -> bool:
        """Whether the group in use is this run's."""
        return self.group is not None and DeleteGroup(self.group.id) in self.undos
