"""What the node scripts print, parsed: lines of a key and base64 text, ended by `end`."""

from __future__ import annotations

import base64
import binascii
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from haos.core.keepalived import PACKAGE_MARKER, parse_roles, parse_roles_of_text
from haos.core.model import Address, Role
from haos.core.node import NodeFacts, Removed, Sight

_VERSION = re.compile(r"Keepalived v(\d+(?:\.\d+)+)")
_PAIR = re.compile(r"pair:(.+)")


class UnreadableError(ValueError):
    """A script printed what it never prints."""


def parse_lines(output: str) -> list[tuple[str, str]]:
    """Return the (key, text) lines in order; raises UnreadableError if any is malformed or the end is missing."""
    lines = output.splitlines()
    if not lines or lines[-1] != "end":
        raise UnreadableError("the output is cut short")
    parsed = []
    for line in lines[:-1]:
        key, space, encoded = line.partition(" ")
        try:
            text = base64.b64decode(encoded, validate=True).decode("utf-8", "surrogateescape")
        except binascii.Error:
            raise UnreadableError(f"line {line[:40]!r} is malformed") from None
        if not key or not space:
            raise UnreadableError(f"line {line[:40]!r} is malformed")
        parsed.append((key, text))
    return parsed


def parse_facts(output: str, mac: str) -> NodeFacts:
    """Return what the facts script saw; `mac` names the port's device."""
    seen = dict(parse_lines(output))
    devices = _devices(seen, mac)
    pairs = {match[1]: text for key, text in seen.items() if (match := _PAIR.fullmatch(key))}
    return NodeFacts(
        hostname=_need(seen, "hostname").strip(),
        os_name=os_name(_need(seen, "os_release")),
        package_manager=seen.get("package_manager"),
        systemd=_need(seen, "systemd") == "yes",
        interface=devices[0]["ifname"] if devices else None,
        addresses=_addresses(devices[0]) if devices else (),
        keepalived=parse_version(seen["version"]) if "version" in seen else None,
        daemon_active=_need(seen, "active").strip() == "active",
        daemon_enabled=_need(seen, "enabled").strip() == "enabled",
        main_config=seen.get("main_config"),
        pair_files=pairs,
        withdrawn=frozenset(name for name in pairs if f"withdrawn:{name}" in seen),
        drop_in=seen.get("drop_in"),
        release_script=seen.get("release_script"),
        package_by_haos=PACKAGE_MARKER in _need(seen, "markers").splitlines(),
    )


def parse_version(text: str) -> str:
    """Return "2.2.7" of what `keepalived --version` says."""
    match = _VERSION.search(text)
    if not match:
        raise UnreadableError(f"{text[:60]!r} is no version of keepalived")
    return match[1]


def os_name(os_release: str) -> str:
    """Return PRETTY_NAME of os-release(5)."""
    for line in os_release.splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            try:
                return " ".join(shlex.split(value))
            except ValueError:
                return value
    return "Linux"


def parse_sight(output: str, instance: str) -> Sight:
    """Return the node's view of one instance; UNKNOWN wherever keepalived did not say."""
    seen = dict(parse_lines(output))
    active = _need(seen, "active").strip() == "active"
    holds = bool(_need(seen, "holders").strip())
    return Sight(_role(seen, instance, active), holds, active)


def _role(seen: Mapping[str, str], instance: str, active: bool) -> Role:
    process = _need(seen, "process").strip()
    if not process:
        return Role.STOPPED
    if not active:
        return Role.UNKNOWN  # it is starting, stopping, or not the unit's
    if "json" in seen:
        roles = parse_roles(seen["json"])
        return Role.UNKNOWN if roles is None else roles.get(instance, Role.STOPPED)
    if "text" in seen and (role := parse_roles_of_text(seen["text"]).get(instance)):
        return role
    # With no instance left keepalived writes no JSON; a process that was stopped (T) writes none either.
    idle = process in {"S", "R"} and _need(seen, "configured") == "no"
    return Role.STOPPED if idle else Role.UNKNOWN


def parse_removed(output: str) -> Removed:
    """Return what a removal did and left."""
    lines = parse_lines(output)
    return Removed(
        tuple(text for key, text in lines if key == "done"), tuple(text for key, text in lines if key == "left")
    )


def _need(seen: Mapping[str, str], key: str) -> str:
    if key not in seen:
        raise UnreadableError(f"{key!r} is missing")
    return seen[key]


def _devices(seen: Mapping[str, str], mac: str) -> Sequence[Mapping[str, Any]]:
    """Return the devices with that MAC, the port's first: a VLAN or bridge above it shares its MAC."""
    try:
        devices = json.loads(_need(seen, "addresses"))
        return sorted(
            (device for device in devices if device.get("address", "").lower() == mac.lower()),
            key=lambda device: (not _addresses(device), "link" in device, device["ifindex"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableError("the list of addresses is malformed") from None


def _addresses(device: Mapping[str, Any]) -> tuple[Address, ...]:
    infos = [info for info in device.get("addr_info", ()) if info.get("scope") != "link" and "local" in info]
    return tuple(ip_address(info["local"]) for info in infos)
