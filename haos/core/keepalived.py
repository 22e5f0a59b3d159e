"""keepalived's files as haos wants them, and keepalived's words translated (MASTER, BACKUP, FAULT -> Role).

All settings of a pair are per instance: `global_defs` in an included file rewrite the instances of others (measured
on 2.2.7: a foreign VRRPv2 pair turned v3 and held its VIP on both nodes). Only a keepalived.conf of haos's own making
has `global_defs`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from haos.core.model import Address, Mode, Pair, Role
from haos.core.names import check_name
from haos.core.node import NodeConfig, NodeFacts, NodeFile

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
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_RECORD = re.compile(r"[A-Za-z0-9 /=_:,.+-]{1,255}")
_ROLES = {0: Role.UNKNOWN, 1: Role.BACKUP, 2: Role.ACTIVE, 3: Role.FAULT}
_WORDS = {"BACKUP": Role.BACKUP, "MASTER": Role.ACTIVE, "FAULT": Role.FAULT}


def instance_name(pair: str) -> str:
    """Return the name of a pair's vrrp_instance, as it stands in keepalived's log and dumps."""
    return f"haos_{check_name(pair)}"


def pair_path(pair: str) -> str:
    """Return where a pair's file lies on a node."""
    return f"{HAOS_FOLDER}/{check_name(pair)}.conf"


def pair_file(
    *, pair: Pair, member_index: int, interface: str, source: Address, peers: tuple[Address, ...], record: str
) -> NodeFile:
    """Render a pair's file for one node. Raises ValueError for what must not get into a configuration."""
    _check(pair, interface, source, peers, record)
    timing, vip = pair.timing, f"{pair.vip}/{pair.vip.max_prefixlen}"
    lines = (
        f"# Made by haos for pair {pair.name}: it overwrites what is changed here.",
        f"# haos-record: {record}",
        f"# haos-vip: {vip} dev {interface}",
        f"vrrp_instance {instance_name(pair.name)} {{",
        "    version 3",
        "    state BACKUP",
        f"    interface {interface}",
        f"    virtual_router_id {pair.vrid}",
        f"    priority {pair.members[member_index].priority}",
        f"    advert_int {timing.advertisement_interval_s:g}",
        f"    preempt_delay {timing.preempt_delay_s}",
        f"    unicast_src_ip {source}",
        "    unicast_peer {",
        *(f"        {peer}" for peer in peers),
        "    }",
        "    garp_master_delay 1",
        "    garp_lower_prio_delay 1",
        "    garp_master_refresh 1",
        "    higher_prio_send_advert true",
        # Unicast is what vrrp_strict forbids; a foreign keepalived.conf may have set it for all instances.
        "    strict_mode false",
        "    virtual_ipaddress {",
        f"        {vip} dev {interface}",
        "    }",
        "}",
    )
    return NodeFile(pair_path(pair.name), _text(lines))


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
    return NodeFile(MAIN_PATH, _text(lines))


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


def vrids_in_use(facts: NodeFacts) -> set[int]:
    """Return the VRIDs of every instance that a node's files hold, haos's and others'."""
    texts = (facts.main_config or "", *facts.pair_files.values())
    found = (re.findall(r"^\s*virtual_router_id\s+(\d+)", text, re.MULTILINE) for text in texts)
    return {int(vrid) for vrids in found for vrid in vrids}


def drop_in() -> NodeFile:
    """Render the unit's drop-in: a daemon that died comes back, and leaves no VIP behind meanwhile."""
    lines = (
        "# Made by haos: it goes with the last pair.",
        "[Unit]",
        "StartLimitIntervalSec=0",
        "[Service]",
        "Restart=always",
        "RestartSec=1",
        f"ExecStopPost=-/bin/sh {RELEASE_PATH}",
    )
    return NodeFile(DROP_IN_PATH, _text(lines), 0o644)


def release_script() -> NodeFile:
    """Render the script that takes haos's VIPs off the node whenever the daemon has ended, however it did."""
    lines = (
        "#!/bin/sh",
        "# Made by haos. keepalived has ended: a VIP that is still here would answer beside the new Active node's.",
        f"for file in {HAOS_FOLDER}/*.conf {HAOS_FOLDER}/*.conf{WITHDRAWN_SUFFIX}; do",
        '    [ -f "$file" ] || continue',
        "    while read -r hash word vip dev interface rest; do",
        '        [ "$hash $word $dev" = "# haos-vip: dev" ] || continue',
        '        [ -n "$interface" ] && [ -z "$rest" ] || continue',
        '        ip address del "$vip" dev "$interface" 2>/dev/null',
        '    done <"$file"',
        "done",
        "exit 0",
    )
    return NodeFile(RELEASE_PATH, _text(lines), 0o750)


def node_config(
    pair: Pair,
    facts: NodeFacts,
    member_index: int,
    source: Address,
    peers: tuple[Address, ...],
    record: str,
    *,
    realtime: bool = False,
) -> NodeConfig:
    """Decide all that a node shall carry: keepalived.conf is haos's own only where there was none."""
    if facts.interface is None:
        raise ValueError("a node without the port's device cannot carry a pair")
    ours = facts.main_config is None or is_ours(facts.main_config)
    rendered = pair_file(
        pair=pair,
        member_index=member_index,
        interface=facts.interface,
        source=source,
        peers=peers,
        record=record,
    )
    files = (release_script(), drop_in(), rendered, *((main_file(realtime=realtime),) if ours else ()))
    return NodeConfig(
        pair=pair.name,
        vip=pair.vip,
        source=source,
        peers=peers,
        interface=facts.interface,
        vrid=pair.vrid,
        files=files,
        include_line=None if ours else INCLUDE_LINE,
    )


def config_current(config: NodeConfig, facts: NodeFacts) -> bool:
    """Say whether the node already carries all of it."""
    there = {
        MAIN_PATH: facts.main_config,
        DROP_IN_PATH: facts.drop_in,
        RELEASE_PATH: facts.release_script,
        pair_path(config.pair): facts.pair_files.get(config.pair),
    }
    included = config.include_line is None or config.include_line in (facts.main_config or "").splitlines()
    in_place = all(there.get(file.path) == file.text for file in config.files)
    return included and in_place and config.pair not in facts.withdrawn


def parse_roles(dump: str) -> Mapping[str, Role] | None:
    """Return instance name -> Role from keepalived's JSON dump; None if it is not a whole one."""
    try:
        entries = json.loads(dump)
        return {
            entry["data"]["iname"]: _ROLES.get(entry["data"]["state"], Role.UNKNOWN)
            for entry in (entries if isinstance(entries, list) else entries["vrrp"])
        }
    except (ValueError, TypeError, KeyError):
        return None


def parse_roles_of_text(dump: str) -> Mapping[str, Role]:
    """Return instance name -> Role from the text dump (SIGUSR1), for a keepalived built without JSON."""
    found = re.findall(r"^ VRRP Instance = (\S+)$(?:\n   .*$)*?\n   State = (\w+)$", dump, re.MULTILINE)
    return {name: _WORDS.get(word, Role.UNKNOWN) for name, word in found}


def _check(pair: Pair, interface: str, source: Address, peers: tuple[Address, ...], record: str) -> None:
    addresses = (pair.vip, source, *peers)
    faults = (
        (pair.mode is not Mode.GARP, f"mode {pair.mode} cannot be rendered"),
        (not _INTERFACE.fullmatch(interface), f"{interface!r} cannot be an interface here"),
        (not _RECORD.fullmatch(record), f"{record!r} cannot be a record"),
        (not 1 <= pair.vrid <= 255, f"VRID {pair.vrid} is not within 1-255"),
        (len({address.version for address in addresses}) > 1, "VIP, source and peers are not of one IP version"),
        (not peers or source in peers, "peers must be there, and others than the node itself"),
        (any(getattr(address, "scope_id", None) for address in addresses), "an address carries a scope"),
        (not 0.01 <= pair.timing.advertisement_interval_s <= 40.95, "the advertisement interval is out of range"),
        (not 0 <= pair.timing.preempt_delay_s <= 1000, "the preempt delay is out of range"),
    )
    for wrong, reason in faults:
        if wrong:
            raise ValueError(reason)


def _text(lines: tuple[str, ...]) -> str:
    return "\n".join(lines) + "\n"
