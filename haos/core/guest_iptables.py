"""`iptables -S`, read as rules about a peer's packet."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from haos.core.guest_rules import (
    OUTCOMES,
    Packet,
    Rule,
    Table,
    all_of,
    from_peer,
    is_device,
    negated,
    to_node,
    to_port,
)

_TARGETS = {
    "ACCEPT": "=accept",
    "DROP": "=drop",
    "REJECT": "=drop",
    "RETURN": "=end",
    "QUEUE": "=either",
    "NFQUEUE": "=either",
}


def read_iptables(text: str, packet: Packet) -> Table:
    """Return the one table that it shows."""
    table = Table("iptables")
    for line in text.splitlines():
        words = shlex.split(line)
        if words[:2] == ["-P", "INPUT"]:
            table.policies["INPUT"] = _TARGETS[words[2]]
        elif words[:1] == ["-A"]:
            table.chains.setdefault(words[1], []).append(_rule(words[2:], packet))
        elif words[:1] == ["-N"]:
            table.chains.setdefault(words[1], [])
    return table


_ASKS: Mapping[str, Callable[[str, Packet], bool | None]] = {
    "-p": lambda value, packet: value in {*packet.protocol, "all", "0"},
    "--dport": to_port,
    "-i": is_device,
    "-s": from_peer,
    "-d": to_node,
    "-o": lambda *_: False,
    "--ctstate": lambda value, _: "NEW" in value.split(","),
    "--state": lambda value, _: "NEW" in value.split(","),
    "--dst-type": lambda value, _: value == "LOCAL",
    "--comment": lambda *_: True,
    "-m": lambda *_: True,  # the module alone asks nothing
}
_QUIET_MODULES = frozenset({"comment", "conntrack", "state", "addrtype", "tcp", "udp", "icmp", "icmp6"})
"""Those that ask only by their options; others may ask by being there ("rpfilter")."""


def _rule(words: Sequence[str], packet: Packet) -> Rule:
    conditions: list[bool | None] = []
    target, goto, inverted = None, False, False
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "!":
            inverted = True
            continue
        values = []
        while words and not words[0].startswith("-") and words[0] != "!":
            values.append(words.pop(0))
        if word in {"-j", "-g"}:
            target, goto = values[0], word == "-g"
            break
        if word == "-m" and values[0] not in _QUIET_MODULES:
            conditions.append(None)
            continue
        ask = _ASKS.get(word)
        answer = ask(values[0], packet) if ask and values else None
        conditions.append(negated(answer) if inverted else answer)
        inverted = False
    verdict = _TARGETS.get(target or "", target)
    return Rule(all_of(conditions), verdict, calls=verdict not in OUTCOMES and not goto)
