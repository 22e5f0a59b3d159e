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
"""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import IPv4Address
from uuid import UUID

from haos.core.model import RESERVATION_OWNER, Added, Member, Mode, OwnFloatingIp, Pair, Port, Timing, vrid_of
from haos.core.names import NAME, device_id
from haos.errors import RecordError

SCHEMA = "haos/1"
MAX_LENGTH = 255  # Neutron's limit for a description

_RECORD = re.compile(
    rf"{SCHEMA} n=(?P<name>{NAME.pattern}) m=(?P<mode>garp|vmac) a=(?P<interval>[0-9]{{1,5}}) "
    r"d=(?P<delay>[0-9]{1,4}|n) v=(?P<verified>[01])(?P<bfd> b=1)?(?: (?P<whose>[or])=(?P<vrid>[0-9]{1,3}))?"
    r"(?: f=(?P<floating>made|[0-9a-f]{8}))? "
    r"N=(?P<members>[A-Za-z0-9_:,-]+)"
)
_MEMBER = re.compile(r"(?P<port>[A-Za-z0-9_-]{22}):(?P<priority>[0-9]{1,3}):(?P<added>p?v?g?k?)")
_LETTERS = {"p": Added.PAIR, "v": Added.VMAC, "g": Added.GROUP, "k": Added.PACKAGE}


def encode(pair: Pair) -> str:
    """Return the record of a pair, at most 255 characters for five nodes."""
    timing = pair.timing
    members = ",".join(_encode_member(member) for member in pair.members)
    interval_ms = round(timing.advertisement_interval_s * 1000)
    when = f"a={interval_ms} d={timing.preempt_delay_s if timing.preempt else 'n'}"
    more = (" b=1" if timing.bfd else "") + _encode_vrid(pair) + _encode_floating(pair)
    text = f"{SCHEMA} n={pair.name} m={pair.mode} {when} v={pair.verified:d}{more} N={members}"
    if len(text) > MAX_LENGTH:
        raise RecordError(
            f"the record of pair {pair.name} needs {len(text)} characters, {MAX_LENGTH} fit",
            hint="use a shorter --name",
        )
    return text


def decode(port: Port) -> Pair:
    """Return the pair that a reservation port stands for; every field is checked. Raises RecordError."""
    match = _RECORD.fullmatch(port.description)
    if not match or len(port.fixed_ips) != 1:
        raise _unreadable(port, "it is not a record of this version of haos")
    name, vip = match["name"], port.fixed_ips[0].address
    if port.device_owner != RESERVATION_OWNER or port.device_id != device_id(name):
        raise _unreadable(port, "it does not belong to this port")
    return Pair(
        name=name,
        network_id=port.network_id,
        project_id=port.project_id,
        vip=vip,
        vrid=_decode_vrid(port, match["vrid"], vip.version),
        members=_decode_members(port, match["members"]),
        mode=Mode(match["mode"]),
        timing=_decode_timing(port, match),
        reservation_id=port.id,
        verified=match["verified"] == "1",
        adopted=match["whose"] == "r",
        plain_mac=match["whose"] == "o",
        floating=_decode_floating(match["floating"]),
    )


def _encode_vrid(pair: Pair) -> str:
    if pair.adopted:
        return f" r={pair.vrid}"
    return f" o={pair.vrid}" if pair.plain_mac else ""


def _encode_floating(pair: Pair) -> str:
    if pair.floating is None:
        return ""
    # In hexadecimal it is never longer than eight characters: more would not fit beside five nodes.
    return " f=made" if pair.floating.taken is None else f" f={int(pair.floating.taken):08x}"


def _decode_floating(text: str | None) -> OwnFloatingIp | None:
    if text is None:
        return None
    return OwnFloatingIp(None if text == "made" else IPv4Address(int(text, 16)))


def _decode_vrid(port: Port, text: str | None, version: int) -> int:
    of_mac = vrid_of(port.mac)
    if text is not None:
        if not 1 <= int(text) <= 255:
            raise _unreadable(port, f"VRID {text} is out of range")
        return int(text)
    if of_mac is None or of_mac[1] != version:
        raise _unreadable(port, "its MAC address is not a virtual router's")
    return of_mac[0]


def _decode_timing(port: Port, match: re.Match[str]) -> Timing:
    interval_ms = int(match["interval"])
    preempt = match["delay"] != "n"
    delay_s = int(match["delay"]) if preempt else Timing.preempt_delay_s
    if delay_s > 1000:  # keepalived's limit
        raise _unreadable(port, f"a preempt delay of {delay_s} s is out of range")
    if not 10 <= interval_ms <= 40_950:  # keepalived's and RFC 9568's range for IPv4 and IPv6
        raise _unreadable(port, f"an advertisement interval of {interval_ms} ms is out of range")
    return Timing(interval_ms / 1000, delay_s, preempt, match["bfd"] is not None)


def port_code(port_id: str) -> str:
    """Return a port's id as a record spells it."""
    return base64.urlsafe_b64encode(UUID(port_id).bytes).decode().rstrip("=")


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


def _decode_members(port: Port, text: str) -> tuple[Member, ...]:
    members = []
    for part in text.split(","):
        match = _MEMBER.fullmatch(part)
        if not match or not 1 <= int(match["priority"]) <= 254:
            raise _unreadable(port, f"member {part!r} is malformed")
        added = Added.NOTHING
        for letter in match["added"]:
            added |= _LETTERS[letter]
        port_id = port_id_of(match["port"])
        if port_id is None:
            raise _unreadable(port, f"member {part!r} is malformed")
        members.append(Member(port_id, int(match["priority"]), added))
    if len({member.port_id for member in members}) < len(members) or len(members) < 2:
        raise _unreadable(port, "it does not name two or more different ports")
    return tuple(members)


def _unreadable(port: Port, why: str) -> RecordError:
    return RecordError(
        f"the record on reservation port {port.name or port.id} ({port.id}) cannot be trusted: {why}",
        hint=f"look at it: openstack port show {port.id} -c description -c device_id -c mac_address",
    )
