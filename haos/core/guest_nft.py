"""`nft -j list ruleset`, read as rules about a peer's packet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from haos.core.guest_rules import Packet, Rule, Table, all_of, from_peer, is_device, negated, to_node, to_port

_VERDICTS = {"accept": "=accept", "drop": "=drop", "reject": "=drop", "return": "=end", "queue": "=either"}


def read_nft(text: str, packet: Packet, *, skip_filter: bool) -> Iterator[Table]:
    """Read `nft -j list ruleset`; `skip_filter`: iptables knows its own table better."""
    tables: dict[tuple[str, str], Table] = {}
    for entry in json.loads(text)["nftables"] if text else ():
        for kind in ("chain", "rule"):
            item = entry.get(kind)
            if not item or item["family"] not in {"inet", packet.family}:
                continue
            key = (item["family"], item["table"])
            if skip_filter and key == (packet.family, "filter"):
                continue
            table = tables.setdefault(key, Table(" ".join(key)))
            if kind == "rule":
                table.chains.setdefault(item["chain"], []).extend(_rules(item["expr"], packet))
            elif item.get("hook") == "input":
                table.policies[item["name"]] = _VERDICTS[item.get("policy", "accept")]
    yield from tables.values()


_QUIET = frozenset({"counter", "log", "comment", "mangle", "notrack", "set", "dup", "fwd", "flow", "ct helper"})
"""Statements that neither ask nor decide."""


def _rules(statements: Sequence[Mapping[str, Any]], packet: Packet) -> Iterator[Rule]:
    conditions: list[bool | None] = []
    for statement in statements:
        kind, value = next(iter(statement.items()))
        if kind == "match":
            conditions.append(_match(value, packet))
        elif kind == "vmap":
            yield from _vmap(value, conditions, packet)
        elif kind in _VERDICTS:
            yield Rule(all_of(conditions), _VERDICTS[kind])
        elif kind in {"jump", "goto"}:
            yield Rule(all_of(conditions), value["target"], calls=kind == "jump")
        elif kind not in _QUIET:
            conditions.append(None)


def _vmap(value: Mapping[str, Any], conditions: Sequence[bool | None], packet: Packet) -> Iterator[Rule]:
    data = value["data"]
    if not isinstance(data, Mapping):  # a named map
        yield Rule(None, "=either")
        return
    for key, verdict in data["set"]:
        asked = [*conditions, _holds(value["key"], key, packet)]
        for rule in _rules([verdict], packet):
            yield Rule(all_of([*asked, rule.matches]), rule.target, calls=rule.calls)


def _match(match: Mapping[str, Any], packet: Packet) -> bool | None:
    left, right = match["left"], match["right"]
    payload = left.get("payload", {}).get("protocol") if isinstance(left, Mapping) else None
    if payload in _PROTOCOLS - packet.protocol or (payload in {"ip", "ip6"} and payload != packet.family):
        return False  # asking for a field of TCP asks for TCP, negated or not
    held = _holds(left, right, packet)
    if match["op"] in {"==", "in"}:
        return held
    return negated(held) if match["op"] == "!=" else None


_PROTOCOLS = frozenset({"tcp", "udp", "icmp", "icmpv6", "igmp", "sctp", "dccp", "udplite", "ah", "esp", "comp"})


def _holds(left: Any, right: Any, packet: Packet) -> bool | None:
    """Say whether an expression has a value, or one of a set of values."""
    if isinstance(right, Mapping) and "set" in right:
        right = right["set"]
    if isinstance(right, list):
        held = {_holds(left, one, packet) for one in right}
        return True if True in held else (None if None in held else False)
    if isinstance(right, Mapping) and "prefix" in right:
        right = f"{right['prefix']['addr']}/{right['prefix']['len']}"
    if isinstance(right, Mapping) or str(right).startswith("@") or not isinstance(left, Mapping):
        return None
    kind, what = next(iter(left.items()))
    field_name = what.get("key") or what.get("field") or what.get("result") if isinstance(what, Mapping) else None
    ask = _ASKS.get((kind, field_name))
    return ask(str(right), packet) if ask else None


def _is_protocol(value: str, packet: Packet) -> bool:
    return value in packet.protocol


_ASKS: Mapping[tuple[str, str | None], Callable[[str, Packet], bool | None]] = {
    ("meta", "l4proto"): _is_protocol,
    ("payload", "protocol"): _is_protocol,
    ("payload", "nexthdr"): _is_protocol,
    ("meta", "iifname"): is_device,
    ("meta", "iif"): is_device,
    ("meta", "nfproto"): lambda value, packet: value == f"ipv{packet.network.version}",
    ("meta", "protocol"): lambda value, packet: value == packet.family,
    ("meta", "pkttype"): lambda value, _: value in {"host", "unicast"},
    ("payload", "saddr"): from_peer,
    ("payload", "daddr"): to_node,
    ("payload", "dport"): to_port,
    ("ct", "state"): lambda value, _: value == "new",
    ("ct", "status"): lambda *_: False,
    ("fib", "type"): lambda value, _: value == "local",
}
