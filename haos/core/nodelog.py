"""What a node wrote down while a failover was tested: address events with its own wall clock. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address

from haos.core.fault import AddressEvent, NodeLog
from haos.core.model import Address
from haos.core.node_parse import UnreadableError, parse_lines
from haos.core.texts import seconds_of

_EVENT = re.compile(r"\[(?P<at>[0-9T:.-]+)\] (?P<gone>Deleted )?\d+: (?P<device>\S+) +inet6? (?P<address>[^ /]+)")
"""A line of `ip -ts -o monitor address`, its zone UTC."""


def parse_node_log(output: str) -> NodeLog:
    """Return what the `watched` script printed. Raises UnreadableError."""
    seen = dict(parse_lines(output))
    try:
        now_s = seconds_of(seen["now"])
        began = seen["began"].split()
        injected_s, healed_s = _stamps(seen["stamps"])
        boot = seen["boot"]
        if not began:
            return NodeLog(now_s, now_s, False, (), injected_s, healed_s, boot, whole=False)
        events = tuple(_changes(seen["log"], ip_address(began[1]), held=began[2] != "0"))
        whole = seen["whole"] == "yes"
        return NodeLog(now_s, seconds_of(began[0]), began[2] != "0", events, injected_s, healed_s, boot, whole)
    except (KeyError, IndexError, ValueError) as error:
        raise UnreadableError(f"the log of addresses is malformed: {error}") from error


def _stamps(text: str) -> tuple[float | None, float | None]:
    """Return when the latest fault came, and when it ended, if it has."""
    injected_s = healed_s = None
    for line in text.splitlines():
        what, _, at = line.partition(" ")
        if what == "injected":
            injected_s, healed_s = seconds_of(at), None
        elif what == "healed":
            healed_s = seconds_of(at)
    return injected_s, healed_s


def _changes(log: str, vip: Address, *, held: bool) -> Iterator[AddressEvent]:
    """Yield each change of whether any device has the VIP; an address that is set again changes nothing."""
    devices: set[str] = set()
    for line in log.splitlines():
        match = _EVENT.match(line)
        if match is None or ip_address(match["address"]) != vip:
            continue
        (devices.discard if match["gone"] else devices.add)(match["device"])
        if bool(devices) != held:
            held = bool(devices)
            yield AddressEvent(_epoch_s(match["at"]), held)


def _epoch_s(stamp: str) -> float:
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()
