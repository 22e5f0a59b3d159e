"""A pair's files on a node, and what all pairs of a node share: the unit's drop-in and its clean-up script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from zlib import crc32

from haos.core import service, vrrp
from haos.core.keepalived import (
    DROP_IN_PATH,
    HAOS_FOLDER,
    RELEASE_PATH,
    WITHDRAWN_SUFFIX,
    check_path,
    instance_name,
    lines_text,
    pair_path,
    vmac_link,
    weight_path,
)
from haos.core.model import Address, Mode, Pair
from haos.core.node import NodeFile

MAX_BFD_NAME = 31
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_RECORD = re.compile(r"[A-Za-z0-9 /=_:,.+-]{1,255}")


def pair_file(
    *, pair: Pair, member_index: int, interface: str, source: Address, peers: tuple[Address, ...], record: str
) -> NodeFile:
    """Render a pair's file for one node. Raises ValueError for what must not get into a configuration."""
    _check(pair, interface, source, peers, record)
    device = vmac_link(pair.vrid, pair.vip.version) if pair.mode is Mode.VMAC else interface
    vip = f"{pair.vip}/{pair.vip.max_prefixlen}"
    return NodeFile(
        pair_path(pair.name),
        lines_text(
            (
                f"# Made by haos for pair {pair.name}: it overwrites what is changed here.",
                f"# haos-record: {record}",
                f"# haos-vip: {vip} dev {device}",
                *([f"# haos-vmac: {device} on {interface}"] if pair.mode is Mode.VMAC else []),
                *(service.header(check) for check in pair.checks),
                *_bfd(pair, source, peers),
                *_scripts(pair),
                *_weight(pair),
                *_instance(pair, member_index, interface, source, peers, vip),
            )
        ),
    )


def _instance(
    pair: Pair, member_index: int, interface: str, source: Address, peers: tuple[Address, ...], vip: str
) -> Iterator[str]:
    timing, watches = pair.timing, watches_by_bfd(pair, member_index)
    interval_s = vrrp.BFD_BACKUP_INTERVAL_S if watches else timing.advertisement_interval_s
    yield f"vrrp_instance {instance_name(pair.name)} {{"
    yield "    version 3"
    yield "    state BACKUP"
    yield f"    interface {interface}"
    yield f"    virtual_router_id {pair.vrid}"
    if pair.mode is Mode.VMAC:
        yield f"    use_vmac {vmac_link(pair.vrid, pair.vip.version)}"
        yield "    vmac_xmit_base"  # unicast from the port's own MAC, which port security lets pass
    yield f"    priority {pair.members[member_index].priority}"
    yield f"    advert_int {interval_s:g}"
    yield f"    preempt_delay {timing.preempt_delay_s}" if timing.preempt else "    nopreempt"
    yield f"    unicast_src_ip {source}"
    yield "    unicast_peer {"
    yield from (f"        {peer}" for peer in peers)
    yield "    }"
    yield "    garp_master_delay 1"
    yield "    garp_lower_prio_delay 1"
    yield f"    garp_master_refresh {vrrp.GARP_REFRESH_S:g}"
    yield "    higher_prio_send_advert true"
    # Unicast is what vrrp_strict forbids; a foreign keepalived.conf may have set it for all instances.
    yield "    strict_mode false"
    if pair.checks:
        yield "    track_script {"
        yield from (f"        {name}" for name, _ in _numbered(pair))
        yield "    }"
    yield "    track_file {"
    yield f"        {instance_name(pair.name)} weight 1"
    yield "    }"
    if watches:
        yield "    track_bfd {"
        yield f"        {bfd_name(pair.name)} weight 0 reverse"
        yield "    }"
    # An IPv6 host address is deprecated by default: no source for what the node itself sends.
    lifetime = " preferred_lft forever" if pair.vip.version == 6 else ""
    yield "    virtual_ipaddress {"
    yield f"        {vip}{'' if pair.mode is Mode.VMAC else f' dev {interface}'}{lifetime}"
    yield "    }"
    yield "}"


def watches_by_bfd(pair: Pair, member_index: int) -> bool:
    """Say whether this node is the one that waits in Fault while BFD says that the Active lives.

    The one form that was measured to work (keepalived 2.2.7): on the Backup alone, reversed and without weight. On
    both nodes it takes the VIP off both; with a weight it changes nothing.
    """
    return pair.timing.bfd and pair.members[member_index].priority < max(one.priority for one in pair.members)


def bfd_name(pair: str) -> str:
    """Return the name of a pair's bfd_instance: keepalived takes at most 31 characters there."""
    name = instance_name(pair)
    return name if len(name) <= MAX_BFD_NAME else f"{name[: MAX_BFD_NAME - 9]}_{crc32(pair.encode()):08x}"


def _bfd(pair: Pair, source: Address, peers: tuple[Address, ...]) -> Iterator[str]:
    if not pair.timing.bfd:
        return
    yield f"bfd_instance {bfd_name(pair.name)} {{"
    yield f"    neighbor_ip {peers[0]}"
    yield f"    source_ip {source}"
    yield f"    min_rx {vrrp.BFD_INTERVAL_MS}"
    yield f"    min_tx {vrrp.BFD_INTERVAL_MS}"
    yield f"    multiplier {vrrp.BFD_MULTIPLIER}"
    yield "}"


def _scripts(pair: Pair) -> Iterator[str]:
    for name, path in _numbered(pair):
        yield f"vrrp_script {name} {{"
        yield f'    script "{path}"'
        yield f"    interval {service.INTERVAL_S}"
        yield f"    timeout {service.TIMEOUT_S}"
        yield f"    fall {service.FALL}"
        yield f"    rise {service.RISE}"
        yield "    user root"
        yield "}"


def _weight(pair: Pair) -> Iterator[str]:
    # A file that is not there counts as 0: one lies there only while the VIP is moved. Of the two names of this block
    # the older one is understood from 2.0.10 to 2.4, `track_file` from 2.1 on.
    yield f"vrrp_track_file {instance_name(pair.name)} {{"
    yield f"    file {weight_path(pair.name)}"
    yield "    weight 1"
    yield "}"


def _numbered(pair: Pair) -> Iterator[tuple[str, str]]:
    for number in range(1, len(pair.checks) + 1):
        yield f"{instance_name(pair.name)}_{number}", check_path(pair.name, number)


def check_files(pair: Pair) -> tuple[NodeFile, ...]:
    """Render the scripts of a pair's service checks."""
    return tuple(
        NodeFile(check_path(pair.name, number), service.script(check), 0o750)
        for number, check in enumerate(pair.checks, 1)
    )


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
    return NodeFile(DROP_IN_PATH, lines_text(lines), 0o644)


def release_script() -> NodeFile:
    """Render the script that takes haos's VIPs off the node whenever the daemon has ended, however it did."""
    lines = (
        "#!/bin/sh",
        "# Made by haos. keepalived has ended: a VIP that is still here would answer beside the new Active node's.",
        f"for file in {HAOS_FOLDER}/*.conf {HAOS_FOLDER}/*.conf{WITHDRAWN_SUFFIX}; do",
        '    [ -f "$file" ] || continue',
        "    while read -r hash word what dev device rest; do",
        '        [ "$hash" = "#" ] && [ -n "$device" ] && [ -z "$rest" ] || continue',
        '        case "$word $dev" in',
        '        "haos-vip: dev") ip address del "$what" dev "$device" 2>/dev/null ;;',
        '        "haos-vmac: on") ip link del "$what" 2>/dev/null ;;',
        "        esac",
        '    done <"$file"',
        "done",
        "exit 0",
    )
    return NodeFile(RELEASE_PATH, lines_text(lines), 0o750)


def _check(pair: Pair, interface: str, source: Address, peers: tuple[Address, ...], record: str) -> None:
    timing, addresses = pair.timing, (pair.vip, source, *peers)
    interval_s, shortest_s, longest_s = (
        timing.advertisement_interval_s,
        vrrp.SHORTEST_INTERVAL_S,
        vrrp.LONGEST_INTERVAL_S,
    )
    faults = (
        (not _INTERFACE.fullmatch(interface), f"{interface!r} cannot be an interface here"),
        (not _RECORD.fullmatch(record), f"{record!r} cannot be a record"),
        (not 1 <= pair.vrid <= 255, f"VRID {pair.vrid} is not within 1-255"),
        (len({address.version for address in addresses}) > 1, "VIP, source and peers are not of one IP version"),
        (not peers or source in peers, "peers must be there, and others than the node itself"),
        (any(getattr(address, "scope_id", None) for address in addresses), "an address carries a scope"),
        (not shortest_s <= interval_s <= longest_s, "the advertisement interval is out of range"),
        (not 0 <= timing.preempt_delay_s <= vrrp.LONGEST_PREEMPT_DELAY_S, "the preempt delay is out of range"),
        (timing.bfd and len(peers) != 1, "BFD is between two nodes"),
    )
    for wrong, reason in faults:
        if wrong:
            raise ValueError(reason)
