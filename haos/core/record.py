"""The record: what haos must know of a pair tomorrow, in the 255 characters of a port's description.

    haos/1 n=web m=garp a=300 d=5 v=1 N=kTxBMQzDTfSffrTPSuiFyg:240:p,4iDi2fTeSUGS4GQO41KqTw:230:pgk

n name · m mode · a advertisement interval in ms · d preempt delay in s, or n for none at all (nopreempt) · v whether
a trial failover was seen to work · b=1 BFD · r=VRID the port was adopted: it goes back to its owner, and its MAC says
nothing of the VRID · o=VRID the port is haos's own, but its MAC says nothing of the VRID either · f the floating IP
that haos gave it: "made", or one of the project's in hexadecimal · N the members in order: port id (16 bytes in
base64url) : priority : what haos added (p address pair, v the one with the virtual MAC, g security group, k package).
The VIP, the network and, where it says it, the VRID are not repeated: they are the port's own fixed IP, network and
MAC. The schema version comes first, so that an older haos can refuse what it does not know. Service checks are not
here: what runs on a node never comes from the cloud.

A node's own file carries the record too, as it was when the file was written (core/witness.py).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from uuid import UUID

from haos.core import vrrp
from haos.core.model import RESERVATION_OWNER, Added, Member, Mode, OwnFloatingIp, Pair, Port, Timing, vrid_of
from haos.core.names import NAME, device_id, rebuild_command
from haos.errors import RecordError, UsageError

SCHEMA = "haos/1"
MAX_LENGTH = 255  # Neutron's limit for a description
MAX_MEMBERS = 5

_RECORD = re.compile(
    rf"{SCHEMA} n=(?P<name>{NAME.pattern}) m=(?P<mode>garp|vmac) a=(?P<interval>[0-9]{{1,5}}) "
    r"d=(?P<delay>[0-9]{1,4}|n) v=(?P<verified>[01])(?P<bfd> b=1)?(?: (?P<whose>[or])=(?P<vrid>[0-9]{1,3}))?"
    r"(?: f=(?P<floating>made|[0-9a-f]{8}))? "
    r"N=(?P<members>[A-Za-z0-9_:,-]+)"
)
_MEMBER = re.compile(r"(?P<port>[A-Za-z0-9_-]{22}):(?P<priority>[0-9]{1,3}):(?P<added>p?v?g?k?)")
_LETTERS = {"p": Added.PAIR, "v": Added.VMAC, "g": Added.GROUP, "k": Added.PACKAGE}


@dataclass(frozen=True)
class Record:
    """What the text alone says, without the port that carries it."""

    name: str
    mode: Mode
    timing: Timing
    members: tuple[Member, ...]
    verified: bool = False
    adopted: bool = False
    plain_mac: bool = False
    vrid: int | None = None  # where the port's MAC does not say it
    floating: OwnFloatingIp | None = None


def encode(pair: Pair) -> str:
    """Return the record of a pair, at most 255 characters for five nodes."""
    vrid = pair.vrid if pair.adopted or pair.plain_mac else None
    text = write(
        Record(
            pair.name,
            pair.mode,
            pair.timing,
            pair.members,
            pair.verified,
            pair.adopted,
            pair.plain_mac and not pair.adopted,
            vrid,
            pair.floating,
        )
    )
    if len(text) > MAX_LENGTH:
        raise RecordError(
            f"the record of pair {pair.name} needs {len(text)} characters, {MAX_LENGTH} fit",
            hint="use a shorter --name",
        )
    return text


def write(said: Record) -> str:
    """Return the text of a record, however long."""
    timing = said.timing
    members = ",".join(_encode_member(member) for member in said.members)
    interval_ms = round(timing.advertisement_interval_s * 1000)
    when = f"a={interval_ms} d={timing.preempt_delay_s if timing.preempt else 'n'}"
    vrid = "" if said.vrid is None else f" {'r' if said.adopted else 'o'}={said.vrid}"
    more = (" b=1" if timing.bfd else "") + vrid + _encode_floating(said.floating)
    return f"{SCHEMA} n={said.name} m={said.mode} {when} v={said.verified:d}{more} N={members}"


@lru_cache  # the same few are read again at every look
def read(text: str) -> Record:
    """Return what a record says; every field is checked. Raises ValueError, which says what is wrong."""
    match = _RECORD.fullmatch(text)
    if not match:
        raise ValueError("it is not a record of this version of haos")
    said = Record(
        name=match["name"],
        mode=Mode(match["mode"]),
        timing=_decode_timing(match),
        members=_decode_members(match["members"]),
        verified=match["verified"] == "1",
        adopted=match["whose"] == "r",
        plain_mac=match["whose"] == "o",
        vrid=None if match["vrid"] is None else _decode_vrid(match["vrid"]),
        floating=_decode_floating(match["floating"]),
    )
    _check_numbers(said)
    if write(said) != text:
        raise ValueError("haos would not have spelled it so")
    return said


def _check_numbers(said: Record) -> None:
    """Refuse what no pair can have; but one node may stand right before who takes its place, with one priority."""
    priorities = [member.priority for member in said.members]
    places = [one for one, before in zip(priorities, [None, *priorities], strict=False) if one != before]
    if len(places) < len(priorities) - 1:
        raise ValueError("more than two nodes have the same priority")
    try:
        vrrp.check_timing(said.timing, len(priorities) if said.timing.bfd else len(places))
        vrrp.check_priorities(places, len(places))
    except UsageError as error:
        raise ValueError(error.reason) from error


def names_more(text: str, other: str) -> bool:
    """Say whether a record names a member, or something that haos added there, that another one does not."""
    mine, theirs = _additions(text), _additions(other)
    return any(not set(added) <= set(theirs.get(port, "")) or port not in theirs for port, added in mine.items())


def _additions(text: str) -> dict[str, str]:
    members = text.partition(" N=")[2].split(",")
    return {match["port"]: match["added"] for part in members if (match := _MEMBER.fullmatch(part))}


def decode(port: Port) -> Pair:
    """Return the pair that a reservation port stands for. Raises RecordError."""
    try:
        said = read(port.description)
        if len(port.fixed_ips) != 1:
            raise ValueError(f"the port has {len(port.fixed_ips)} addresses, and the VIP is one")
        if port.device_owner != RESERVATION_OWNER or port.device_id != device_id(said.name):
            raise ValueError("it does not belong to this port")
        vip = port.fixed_ips[0].address
        vrid = _vrid_on(port, said, vip.version)
    except ValueError as error:
        raise _unreadable(port, str(error)) from error
    return Pair(
        name=said.name,
        network_id=port.network_id,
        project_id=port.project_id,
        vip=vip,
        vrid=vrid,
        members=said.members,
        mode=said.mode,
        timing=said.timing,
        reservation_id=port.id,
        verified=said.verified,
        adopted=said.adopted,
        plain_mac=said.plain_mac,
        floating=said.floating,
    )


def _encode_floating(floating: OwnFloatingIp | None) -> str:
    if floating is None:
        return ""
    # In hexadecimal it is never longer than eight characters: more would not fit beside five nodes.
    return " f=made" if floating.taken is None else f" f={int(floating.taken):08x}"


def _decode_floating(text: str | None) -> OwnFloatingIp | None:
    if text is None:
        return None
    return OwnFloatingIp(None if text == "made" else IPv4Address(int(text, 16)))


def _decode_vrid(text: str) -> int:
    if not 1 <= int(text) <= 255:
        raise ValueError(f"VRID {text} is out of range")
    return int(text)


def _vrid_on(port: Port, said: Record, version: int) -> int:
    of_mac = vrid_of(port.mac)
    if of_mac is not None and of_mac[1] == version:
        if said.vrid not in (None, of_mac[0]):
            raise ValueError(f"it says VRID {said.vrid}, its MAC address {of_mac[0]}")
        return of_mac[0]
    if said.vrid is None:
        raise ValueError("its MAC address is not a virtual router's")
    return said.vrid


def _decode_timing(match: re.Match[str]) -> Timing:
    preempt = match["delay"] != "n"
    delay_s = int(match["delay"]) if preempt else Timing.preempt_delay_s
    return Timing(int(match["interval"]) / 1000, delay_s, preempt, match["bfd"] is not None)


@lru_cache
def port_code(port_id: str) -> str:
    """Return a port's id as a record spells it."""
    return base64.urlsafe_b64encode(UUID(port_id).bytes).decode().rstrip("=")


@lru_cache
def port_id_of(code: str) -> str | None:
    """Return the id of a port as a record spells it; None if it is none."""
    try:
        return str(UUID(bytes=base64.urlsafe_b64decode(code + "==")))
    except (ValueError, binascii.Error):
        return None


def _encode_member(member: Member) -> str:
    port = port_code(member.port_id)
    added = "".join(letter for letter, flag in _LETTERS.items() if flag in member.added)
    return f"{port}:{member.priority}:{added}"


def _decode_members(text: str) -> tuple[Member, ...]:
    members = tuple(_decode_member(part) for part in text.split(","))
    if len({member.port_id for member in members}) < len(members) or not 2 <= len(members) <= MAX_MEMBERS:
        raise ValueError(f"it does not name two to {MAX_MEMBERS} different ports")
    return members


def _decode_member(text: str) -> Member:
    match = _MEMBER.fullmatch(text)
    port_id = port_id_of(match["port"]) if match else None
    if match is None or port_id is None:
        raise ValueError(f"member {text!r} is malformed")
    added = Added.NOTHING
    for letter in match["added"]:
        added |= _LETTERS[letter]
    return Member(port_id, int(match["priority"]), added)


def _unreadable(port: Port, why: str) -> RecordError:
    called = port.device_id.removeprefix(device_id(""))
    anew = rebuild_command(called if NAME.fullmatch(called) else "PAIR", port.network_id)
    return RecordError(
        f"the record on reservation port {port.name or port.id} ({port.id}) cannot be trusted: {why}",
        hint=f"{anew} writes it anew; look at it: openstack port show {port.id}",
    )
