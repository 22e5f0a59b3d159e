"""keepalived's places and names, its main file, and its words translated (MASTER, BACKUP, FAULT -> Role).

All settings of a pair are per instance: `global_defs` in an included file rewrite the instances of others (measured
on 2.2.7: a foreign VRRPv2 pair turned v3 and held its VIP on both nodes). Only a keepalived.conf of haos's own making
has `global_defs`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from haos.core.model import Role
from haos.core.names import check_name
from haos.core.node import NodeFacts, NodeFile
from haos.core.texts import json_of

FOLDER = "/etc/keepalived"
MAIN_PATH = f"{FOLDER}/keepalived.conf"
HAOS_FOLDER = f"{FOLDER}/haos.d"
DROP_IN_PATH = "/etc/systemd/system/keepalived.service.d/haos.conf"
RELEASE_PATH = f"{HAOS_FOLDER}/release-vips"
PACKAGE_MARKER = f"{HAOS_FOLDER}/.package-by-haos"
WITHDRAWN_SUFFIX = ".withdrawn"
"""After `.conf`, so that the include's glob does not match."""

INCLUDE_LINE = f"include {HAOS_FOLDER}/*.conf # added by haos"
MAIN_MARKER = "# Made by haos: it goes with the last pair, unless somebody else has added to it."

_REALTIME = ("vrrp_rt_priority 50", "vrrp_no_swap", "vrrp_rlimit_rttime 1000000")
"""keepalived's own limit is 10 ms: its VRRP process was killed by it on becoming Active (measured, 2.2.7)."""
_ROLES = {0: Role.UNKNOWN, 1: Role.BACKUP, 2: Role.ACTIVE, 3: Role.FAULT}
_WORDS = {"BACKUP": Role.BACKUP, "MASTER": Role.ACTIVE, "FAULT": Role.FAULT}


def instance_name(pair: str) -> str:
    """Return the name of a pair's vrrp_instance, as it stands in keepalived's log and dumps."""
    return f"haos_{check_name(pair)}"


def pair_path(pair: str) -> str:
    """Return where a pair's file lies on a node."""
    return f"{HAOS_FOLDER}/{check_name(pair)}.conf"


def check_path(pair: str, number: int) -> str:
    """Return where the script of a pair's service check lies on a node; they are counted from 1."""
    return f"{HAOS_FOLDER}/{check_name(pair)}.check-{number}"


def weight_path(pair: str) -> str:
    """Return where a number lies that keepalived adds to a pair's priority on a node, while the VIP is moved."""
    return f"{HAOS_FOLDER}/{check_name(pair)}.weight"


def vmac_link(vrid: int, version: int) -> str:
    """Return the name of the virtual router's own link, as keepalived itself would call it."""
    return f"vrrp.{vrid}" if version == 4 else f"vrrp6.{vrid}"


def main_file(*, realtime: bool = False) -> NodeFile:
    """Render the keepalived.conf of a node that had none.

    `realtime` only where root has CAP_SYS_RESOURCE too: without it keepalived 2.2.7 cannot restore the limit on
    real-time processing after a reload, and its VRRP process is killed (measured).
    """
    lines = (
        MAIN_MARKER,
        "global_defs {",
        "    enable_script_security",
        "    script_user root",
        *(f"    {line}" for line in _REALTIME if realtime),
        "}",
        INCLUDE_LINE,
    )
    return NodeFile(MAIN_PATH, lines_text(lines))


def main_lines() -> tuple[str, ...]:
    """Return every line, stripped, that haos may have written into a keepalived.conf of its own."""
    return tuple(line.strip() for line in main_file(realtime=True).text.splitlines())


def is_ours(main_config: str) -> bool:
    """Say whether a keepalived.conf is haos's work alone: nobody has added a line of his own."""
    lines = [line.strip() for line in main_config.splitlines()]
    return bool(lines) and lines[0] == MAIN_MARKER and set(lines) <= {*main_lines(), ""}


def keepalived_instances(main_config: str) -> list[str]:
    """Return the names of the vrrp_instances that a configuration holds itself (not what it includes)."""
    return re.findall(r"^\s*vrrp_instance\s+(\S+)", main_config, re.MULTILINE)


def vrids_in_use(facts: NodeFacts, version: int) -> set[int]:
    """Return the VRIDs of every instance that a node's files hold for one IP version, haos's and others'.

    An instance whose version cannot be told (no virtual address in sight) counts for both.
    """
    pairs = (one for text in facts.pair_files.values() for one in vrids_of(text))
    return {vrid for vrid, of in (*facts.other_vrids, *pairs) if of in (None, version)}


def vrids_of(text: str) -> Iterator[tuple[int, int | None]]:
    """Yield (VRID, IP version or None if it cannot be told) of every instance that a text holds itself."""
    for body in re.split(r"^\s*vrrp_instance\s", text, flags=re.MULTILINE)[1:]:
        vrid = re.search(r"^\s*virtual_router_id\s+([0-9]{1,9})(?![0-9])", body, re.MULTILINE)
        vip = re.search(r"^\s*virtual_ipaddress\s*\{\s*([0-9A-Fa-f.:]+)", body, re.MULTILINE)
        if vrid:
            yield int(vrid[1]), None if vip is None else 6 if ":" in vip[1] else 4


def parse_roles(dump: str) -> Mapping[str, Role] | None:
    """Return instance name -> Role from keepalived's JSON dump; None if it is not a whole one."""
    try:
        states = _of_each(dump, "state")
        return {name: _ROLES.get(state, Role.UNKNOWN) if _is_number(state) else Role.UNKNOWN
                for name, state in states}  # fmt: skip
    except (ValueError, TypeError, KeyError):
        return None


def parse_priorities(dump: str) -> Mapping[str, int]:
    """Return instance name -> effective priority from keepalived's JSON dump, as far as it says."""
    try:
        return {name: priority for name, priority in _of_each(dump, "effective_priority") if _is_number(priority)}
    except (ValueError, TypeError, KeyError):
        return {}


def _of_each(dump: str, field: str) -> list[tuple[str, Any]]:
    """Return (instance name, value of a field) of a JSON dump. Raises ValueError, TypeError or KeyError."""
    entries = json_of(dump)
    found = [
        (entry["data"]["iname"], entry["data"][field])
        for entry in (entries if isinstance(entries, list) else entries["vrrp"])
    ]
    if not all(isinstance(name, str) for name, _ in found):
        raise TypeError("an instance's name is no text")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def parse_priorities_of_text(dump: str) -> Mapping[str, int]:
    """Return the same from the text dump."""
    found = re.findall(
        r"^ VRRP Instance = (\S+)$(?:\n   .*$)*?\n   Effective priority = ([0-9]{1,9})$", dump, re.MULTILINE
    )
    return {name: int(priority) for name, priority in found}


def parse_roles_of_text(dump: str) -> Mapping[str, Role]:
    """Return instance name -> Role from the text dump (SIGUSR1), for a keepalived built without JSON."""
    found = re.findall(r"^ VRRP Instance = (\S+)$(?:\n   .*$)*?\n   State = (\w+)$", dump, re.MULTILINE)
    return {name: _WORDS.get(word, Role.UNKNOWN) for name, word in found}


def lines_text(lines: Iterable[str]) -> str:
    """Return lines as a file holds them."""
    return "\n".join(lines) + "\n"
