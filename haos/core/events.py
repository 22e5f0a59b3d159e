"""What happens to a pair while somebody watches it: the differences between two looks, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from haos.core.status import PairStatus, Trouble


@dataclass(frozen=True)
class Event:
    """Something that happened to a pair."""

    kind: str  # moved | outage | dark | answers | both | one (by the observer); role | record | trouble | mended
    text: str
    at_s: float  # on the clock of whoever tells
    origin: str | None = None  # of a move: node names
    target: str | None = None
    gone_s: float | None = None  # how long the VIP was not answered; None where that is not known


_TOLD_OTHERWISE = {"role", "vip", "no-active", "no-backup"}
"""Codes of troubles that the change of a role tells already."""
_VAGUE = {"unreachable", "observer", "cloud"}
"""Codes whose reason may differ from one attempt to the next."""


def changes(before: PairStatus, after: PairStatus, at_s: float) -> Iterator[Event]:
    """Yield what differs between two looks, but for what the observer itself tells (haos.core.wire)."""
    if before.pair != after.pair:
        yield Event("record", "its record was changed", at_s)
    roles = {node.port_id: node.role for node in before.nodes}
    for node in after.nodes:
        was = roles.get(node.port_id)
        if was is not None and was is not node.role:
            yield Event("role", f"{node.name}: {was} -> {node.role}", at_s)
    seen = {node.name for node in after.nodes if node.keepalived_running is not None}
    old, new = _told(before), _told(after)
    for key, trouble in new.items():
        if key not in old:
            yield Event("trouble", str(trouble), at_s)
    for key, trouble in old.items():
        replaced = any(other[:2] == key[:2] for other in new)
        if key not in new and not replaced and (trouble.code != "unreachable" or trouble.where in seen):
            yield Event("mended", _mended(trouble), at_s)


def _told(status: PairStatus) -> dict[tuple[str, str, str], Trouble]:
    return {
        (trouble.code, trouble.where, "" if trouble.code in _VAGUE else trouble.reason): trouble
        for trouble in status.troubles
        if trouble.code not in _TOLD_OTHERWISE and (trouble.code != "observer" or trouble.where)
    }


def _mended(trouble: Trouble) -> str:
    if trouble.code in _VAGUE:
        return f"{trouble.where or 'the cloud'} answers again"
    where = f"{trouble.where}: " if trouble.where else ""
    return f"{where}no longer so: {trouble.reason}"
