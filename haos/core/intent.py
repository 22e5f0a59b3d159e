"""The intent: what a fault made through the cloud's API leaves on the reservation port, so that anybody can undo it.

    haos-fault:port-down:kTxBMQzDTfSffrTPSuiFyg:1795470603

The fault, the port of the node that it hits (as the record spells it) and until when it lasts at the most (seconds
since the epoch): a tag, since those can be put on and taken off one by one, in at most the 60 characters that every
Neutron allows. Anybody who may write to the port may write a tag: only faults that haos knows, on ports that are the
pair's own, are ever acted on.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from haos.core.model import Pair, Port
from haos.core.record import port_code, port_id_of

PREFIX = "haos-fault"
MAX_LENGTH = 60
_TAG = re.compile(rf"{PREFIX}:(?P<fault>[a-z-]{{1,15}}):(?P<port>[A-Za-z0-9_-]{{22}}):(?P<until>[1-9][0-9]{{0,9}})")


class CloudFault(enum.StrEnum):
    """The faults that are made through the cloud's API, by their names."""

    PORT_DOWN = "port-down"
    POWER_OFF = "power-off"
    PAUSE = "pause"


@dataclass(frozen=True)
class Intent:
    """A fault that was announced, and undone by nobody yet."""

    fault: CloudFault
    port_id: str
    until_s: int  # seconds since the epoch

    @property
    def tag(self) -> str:
        """How it is written on the reservation port."""
        return f"{PREFIX}:{self.fault}:{port_code(self.port_id)}:{self.until_s}"

    @property
    def until(self) -> str:
        """The announced time, for people."""
        return f"{datetime.fromtimestamp(self.until_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def decode(tag: str) -> Intent | None:
    """Return what a tag announces; None for every tag that haos would not have written."""
    match = _TAG.fullmatch(tag)
    port_id = port_id_of(match["port"]) if match else None
    if match is None or port_id is None or match["fault"] not in list(CloudFault):
        return None
    intent = Intent(CloudFault(match["fault"]), port_id, int(match["until"]))
    return intent if intent.tag == tag else None


def intents_of(port: Port) -> tuple[Intent, ...]:
    """Return the faults that are announced on a reservation port, whatever they would hit."""
    return tuple(intent for tag in port.tags if (intent := decode(tag)))


def pending(pair: Pair, reservation: Port) -> tuple[Intent, ...]:
    """Return the faults that are announced for the pair's own members."""
    return tuple(intent for intent in intents_of(reservation) if intent.port_id in _ports(pair))


def strange_tags(pair: Pair, reservation: Port) -> tuple[str, ...]:
    """Return the tags that look like an announced fault and are none of the pair's: never to be acted on."""
    known = {intent.tag for intent in pending(pair, reservation)}
    return tuple(tag for tag in reservation.tags if tag.startswith(f"{PREFIX}:") and tag not in known)


def where(intent: Intent, names: Mapping[str, str]) -> str:
    """Return the name of the instance that is hit; `names` are those that are known, by port id."""
    return names.get(intent.port_id, f"port {intent.port_id}")


def naming(pair: Pair, reservation: Port, names: Mapping[str, str]) -> tuple[str, ...]:
    """Say of each pending fault what it is; `names` as in `where`."""
    return tuple(
        f"fault {intent.fault} on {where(intent, names)} was announced until {intent.until} and is still there: "
        "a failover-test is at work, or died"
        for intent in pending(pair, reservation)
    )


def restore_hint(pair: Pair) -> str:
    """Return the command that undoes what is pending."""
    return f"undo: haos failover-test --restore {pair.name}"


def _ports(pair: Pair) -> Collection[str]:
    return {member.port_id for member in pair.members}
