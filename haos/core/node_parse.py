"""What the node scripts print, parsed: lines of a key and base64 text, ended by `end`."""

from __future__ import annotations

import base64
import operator
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_interface
from typing import Any

from haos.core import guest_firewall, guestnet
from haos.core.guest_rules import Interface, Packet
from haos.core.keepalived import (
    PACKAGE_MARKER,
    parse_priorities,
    parse_priorities_of_text,
    parse_roles,
    parse_roles_of_text,
    vrids_of,
)
from haos.core.model import Address, Role
from haos.core.node import NodeFacts, Removed, Sight, Survey
from haos.core.security import BFD_PORT
from haos.core.texts import json_of, number_of

_VERSION = re.compile(r"Keepalived v(\d+(?:\.\d+)+)")
_REALTIME = 1 << 23 | 1 << 24
"""CAP_SYS_NICE and CAP_SYS_RESOURCE."""
_SYS_TIME = 1 << 25
_INITIAL_NAMESPACE = ["0", "0", "4294967295"]


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
        except ValueError:
            raise UnreadableError(f"line {line[:40]!r} is malformed") from None
        if not key or not space:
            raise UnreadableError(f"line {line[:40]!r} is malformed")
        parsed.append((key, text))
    return parsed


def parse_facts(output: str, mac: str) -> NodeFacts:
    """Return what the facts script saw; `mac` names the port's device."""
    seen = dict(parse_lines(output))
    devices = _devices(seen, mac)
    port = devices[0] if devices else None
    pairs = _named(seen, "pair:")
    return NodeFacts(
        hostname=_need(seen, "hostname").strip(),
        os_name=os_name(_need(seen, "os_release")),
        package_manager=seen.get("package_manager"),
        systemd=_need(seen, "systemd") == "yes",
        interface=port["ifname"] if port else None,
        addresses=_addresses(port) if port else (),
        keepalived=parse_version(seen["version"]) if "version" in seen else None,
        packager=seen.get("packager"),
        daemon_active=_need(seen, "active").strip() == "active",
        daemon_enabled=_need(seen, "enabled").strip() == "enabled",
        main_config=seen.get("main_config"),
        pair_files=pairs,
        withdrawn=frozenset(name for name in pairs if f"withdrawn:{name}" in seen),
        pending="pending" in seen,
        fault=seen.get("fault"),
        tested="tested" in seen,
        weights={name: weight for name, text in _named(seen, "weight:").items() if (weight := parse_weight(text))},
        drop_in=seen.get("drop_in"),
        release_script=seen.get("release_script"),
        package_by_haos=PACKAGE_MARKER in _need(seen, "markers").splitlines(),
        check_files=_named(seen, "check:"),
        modes=_modes(seen.get("modes", "")),
        features=parse_features(seen.get("version", "")),
        **_parse_config(seen),
        **_parse_host(seen),
        **(_parse_port(seen, port) if port else {}),
    )


def _parse_config(seen: Mapping[str, str]) -> dict[str, Any]:
    """Return what the present configuration of keepalived says, and what keepalived says of it."""
    config = re.sub(r"[#!].*", "", seen.get("others_config", ""))
    code, _, said = seen.get("config_test", "0").partition(" ")
    return {
        "other_instances": tuple(re.findall(r"^\s*vrrp_instance\s+([^\s{]+)", config, re.MULTILINE)),
        "other_vrids": frozenset(vrids_of(config)),
        "config_messages": tuple(line for line in said.splitlines() if line.strip()) if code != "0" else (),
        "script_security": bool(re.search(r"\benable_script_security\b", config)),
    }


def _parse_host(seen: Mapping[str, str]) -> dict[str, Any]:
    capabilities = _hexadecimal(seen.get("capabilities", ""))
    clock = seen.get("clock", "").strip()
    free_kb = number_of(seen.get("free_kb", ""))
    return {
        "realtime": _REALTIME & capabilities == _REALTIME and seen.get("uid_map", "").split() == _INITIAL_NAMESPACE,
        "clock_synchronised": clock == "yes" if clock and capabilities & _SYS_TIME else None,
        "free_mb": None if free_kb is None else free_kb // 1024,
        "tools": frozenset(seen.get("tools", "").split()),
        "selinux": seen.get("selinux", "").strip() or None,
        "root": seen.get("root", "0").strip() == "0",
        "systemd_version": guestnet.systemd_version(seen.get("systemd_version", "")),
    }


def _hexadecimal(text: str) -> int:
    """Return a number as the kernel prints sets of bits; none of it where it is no such number."""
    match = re.fullmatch(r"\s*([0-9a-f]{1,32})\s*", text)
    return int(match[1], 16) if match else 0


def _parse_port(seen: Mapping[str, str], port: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the node does to the port's device: who configures it, and what of VRRP it drops there."""
    manager, network_file = guestnet.manager_of(seen, port["ifname"], port["ifindex"])
    networks = sorted(_interfaces(port), key=lambda one: -one.network.prefixlen)  # a VIP names no subnet
    packets = {network.version: Packet(port["ifname"], network) for network in networks}
    blocked = {version: guest_firewall.judge(seen, packet) for version, packet in packets.items()}
    bfd = {version: guest_firewall.judge(seen, replace(packet, port=BFD_PORT)) for version, packet in packets.items()}
    v4, v6 = blocked.get(4), blocked.get(6)
    return {
        "net_manager": manager,
        "network_file": network_file,
        "network_keeps": guestnet.keeps(seen.get(f"network_texts:{port['ifindex']}", "")),
        "keep_file": seen.get(f"keep:{guestnet.keep_path(network_file)}") if network_file else None,
        "firewall": v4.reason if v4 else None,
        "firewall_remedy": v4.remedy if v4 else None,
        "firewall_v6": v6.reason if v6 else None,
        "firewall_v6_remedy": v6.remedy if v6 else None,
        "firewall_bfd": {version: why for version, why in bfd.items() if why},
    }


def _modes(text: str) -> dict[str, str]:
    """Return path -> "MODE UID GID" of the lines "MODE UID GID PATH"."""
    words = (line.split(" ", 3) for line in text.splitlines())
    return {path: " ".join(kept) for *kept, path in words if kept}


def parse_features(version: str) -> frozenset[str]:
    """Return what keepalived was built with, from the options that `--version` lists: "vmac", "json", "bfd", …"""
    words = " ".join(re.findall(r"^(?:Config|Build|System|Runtime) options: (.*)$", version, re.MULTILINE)).lower()
    return frozenset({*words.split(), *re.findall(r"\b(?:vrrp|with)_(\w+)", words)})


def parse_weight(text: str) -> int:
    """Return the number that a weight file holds, as keepalived reads it: what is none counts as 0."""
    match = re.match(r"\s*([+-]?\d{1,9})", text)
    return int(match[1]) if match else 0


def parse_survey(output: str) -> Survey:
    """Return who answered on the segment, and which virtual routers were heard."""
    lines = parse_lines(output)
    try:
        answers = dict(text.split() for key, text in lines if key == "answer")
        heard = [text.split() for key, text in lines if key == "heard"]
        return Survey(
            {ip_address(address): mac for address, mac in answers.items()},
            frozenset((int(vrid), int(version)) for vrid, version in heard) if ("listened", "yes") in lines else None,
        )
    except ValueError:
        raise UnreadableError("an answer from the segment is malformed") from None


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
    priorities = {**parse_priorities_of_text(seen.get("text", "")), **parse_priorities(seen.get("json", ""))}
    return Sight(_role(seen, instance, active), holds, active, priorities.get(instance))


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


def _named(seen: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key.removeprefix(prefix): text for key, text in seen.items() if key.startswith(prefix)}


def _need(seen: Mapping[str, str], key: str) -> str:
    if key not in seen:
        raise UnreadableError(f"{key!r} is missing")
    return seen[key]


def _devices(seen: Mapping[str, str], mac: str) -> Sequence[Mapping[str, Any]]:
    """Return the devices with that MAC, the port's first: a VLAN or bridge above it shares its MAC."""
    try:
        devices = json_of(_need(seen, "addresses"))
        ours = [device for device in devices if device.get("address", "").lower() == mac.lower()]
        if not all(isinstance(device["ifname"], str) and device["ifname"] for device in ours):
            raise TypeError
        return sorted(
            ours, key=lambda device: (not _addresses(device), "link" in device, operator.index(device["ifindex"]))
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnreadableError("the list of addresses is malformed") from None


def _interfaces(device: Mapping[str, Any]) -> tuple[Interface, ...]:
    infos = [info for info in device.get("addr_info", ()) if info.get("scope") != "link" and "local" in info]
    return tuple(
        ip_interface("/".join(str(info[key]) for key in ("local", "prefixlen") if key in info)) for info in infos
    )


def _addresses(device: Mapping[str, Any]) -> tuple[Address, ...]:
    return tuple(interface.ip for interface in _interfaces(device))
