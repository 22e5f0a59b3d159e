"""Changes as people read them: a sign, what kind of thing, which one, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from haos.core.changes import (
    Activate,
    AdmitVip,
    AdoptPort,
    Change,
    Configure,
    DismissVip,
    InstallKeepalived,
    LeavePair,
    MakeFloatingIp,
    MakeGroup,
    MendGroup,
    RemovePair,
    ReserveVip,
    TakeFloatingIp,
    UpdateRecord,
)
from haos.core.keepalived import HAOS_FOLDER, MAIN_PATH, is_ours, pair_path
from haos.core.model import AddressPair, SecurityRule, vrid_of
from haos.core.node import NodeConfig, NodeFacts
from haos.core.nodeconf import files_there, ill_kept, is_included

ADD, CHANGE, REMOVE = "+", "~", "-"
KIND_WIDTH = 14


@dataclass(frozen=True)
class Item:
    """One thing that is added, changed or removed."""

    sign: str
    kind: str
    text: str
    path: str | None = None  # of the file that it is

    def __str__(self) -> str:
        return f"  {self.sign} {self.kind:<{KIND_WIDTH}} {self.text}"


def describe(change: Change, facts: Mapping[str, NodeFacts]) -> Iterator[Item]:
    """Yield what a change adds, changes or removes; `facts` say what lies on the nodes already."""
    match change:
        case ReserveVip(reservation, vrid):
            mac = f"MAC {reservation.mac} (VRID {vrid})" if reservation.mac else f"any MAC, VRID {vrid} by the record"
            yield Item(ADD, "port", f"{reservation.name}: {reservation.address}, {mac}")
        case AdoptPort(port, vip, vrid):
            yield Item(CHANGE, "port", f"{port.name or port.id}: {vip}, adopted as reservation with VRID {vrid}")
        case UpdateRecord(port):
            yield Item(CHANGE, "port", f"{port.name or port.id}: the record")
        case MakeGroup(name, rules):
            yield Item(ADD, "security group", f"{name}: {flows(rules)}")
        case MendGroup(group, rules):
            yield Item(CHANGE, "security group", f"{group.name}: {flows(rules)}")
        case AdmitVip(node, _, pairs, group):
            gains = [f"+ address pair {shown(pair)}" for pair in pairs] + ["+ the security group"] * group
            yield Item(CHANGE, "port", f"{node}: {', '.join(gains)}")
        case MakeFloatingIp(_, network, vip):
            yield Item(ADD, "floating IP", f"a new one on {network}, associated with {vip}")
        case TakeFloatingIp(floating, vip):
            yield Item(CHANGE, "floating IP", f"{floating.address}: associated with {vip}")
        case DismissVip(node, _, pairs, groups):
            losses = [f"- address pair {shown(pair)}" for pair in pairs] + ["- the security group"] * bool(groups)
            yield Item(CHANGE, "port", f"{node}: {', '.join(losses)}")
        case RemovePair(node, previous):
            yield Item(REMOVE, "file", f"{node}: {pair_path(previous.pair)}, to come back anew")
        case LeavePair():
            yield from _leaving(change, facts[change.node])
        case InstallKeepalived(node):
            yield Item(ADD, "package", f"{node}: keepalived")
        case Configure(node, config):
            yield from _files(node, config, facts[node])
        case Activate(node):
            yield Item(CHANGE, "service", f"{node}: keepalived {_activated(facts[node])}")
        case _:
            assert_never(change)


def _activated(facts: NodeFacts) -> str:
    if not facts.daemon_active:
        return "enabled and started"
    return "reloaded" if facts.daemon_enabled else "enabled and reloaded"


def _leaving(change: LeavePair, facts: NodeFacts) -> Iterator[Item]:
    node, pair = change.node, change.removal.pair
    alone, ours = set(facts.pair_files) <= {pair}, facts.main_config is None or is_ours(facts.main_config)
    rest = ", and what all pairs share" if alone else ""
    yield Item(REMOVE, "file", f"{node}: {pair_path(pair)}{rest}")
    yield Item(CHANGE, "service", f"{node}: keepalived {'stopped' if alone and ours else 'reloaded'}")
    if change.packaged:
        yield Item(REMOVE, "package", f"{node}: keepalived")


def _files(node: str, config: NodeConfig, facts: NodeFacts) -> Iterator[Item]:
    there, ill = files_there(config.pair, facts), ill_kept(config, facts)
    if HAOS_FOLDER in ill:
        yield Item(CHANGE, "folder", f"{node}: {HAOS_FOLDER}, its mode and owner")
    for file in config.files:
        if file.path not in there:
            yield Item(ADD, "file", f"{node}: {file.path}", file.path)
        elif there[file.path] != file.text:
            yield Item(CHANGE, "file", f"{node}: {file.path}", file.path)
        elif file.path in ill:
            yield Item(CHANGE, "file", f"{node}: {file.path}, its mode and owner")
        elif file.path == pair_path(config.pair) and config.pair in facts.withdrawn:
            yield Item(CHANGE, "file", f"{node}: {file.path}, moved back from .withdrawn")
    if not is_included(config, facts):
        yield Item(CHANGE, "file", f"{node}: {MAIN_PATH}, + one include line", MAIN_PATH)


def shown(pair: AddressPair) -> str:
    """Return an address pair; its MAC only where it is not the port's own."""
    return f"{pair.ip_address} with MAC {pair.mac_address}" if vrid_of(pair.mac_address) else pair.ip_address


def flows(rules: Sequence[SecurityRule]) -> str:
    """Return what a pair's rules let pass, and between whom."""
    peers = " and ".join(dict.fromkeys(str(rule.remote_ip).partition("/")[0] for rule in rules))
    kinds = dict.fromkeys(f"UDP {rule.port_min}" if rule.port_min else f"protocol {rule.protocol}" for rule in rules)
    return f"{' and '.join(kinds)} between {peers}, nothing else"
