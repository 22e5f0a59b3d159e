"""A node's own firewall, judged by one question: would it drop VRRP (IP protocol 112) or BFD from a peer?

The rules are walked as the kernel would, for a new packet from the port's own subnet. What cannot be known (a limit,
a mark, a named set) counts as both yes and no; only what ends in a drop whichever way is said to drop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from haos.core.guest_iptables import read_iptables
from haos.core.guest_nft import read_nft
from haos.core.guest_rules import OUTCOMES, Packet, Table

PROTOCOL = "112"
_DEEPEST = 16
"""The kernel's own limit on chains that call chains."""


@dataclass(frozen=True)
class Blocked:
    """Why a packet does not get in, and what lets it in."""

    reason: str
    remedy: str


def judge(seen: Mapping[str, str], packet: Packet) -> Blocked | None:
    """Return why what the facts script saw of the firewall drops a peer's packet; None if nothing says so."""
    try:
        for table in _tables(seen, packet):
            for chain, policy in table.policies.items():
                outcomes = {policy if outcome == "=end" else outcome for outcome in _walk(table, chain, {})}
                if outcomes == {"=drop"}:
                    return _blocked(_manager(table), table.name, chain, packet)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RuntimeError):
        pass  # rules of a kind that is not known here say nothing
    return None


def _tables(seen: Mapping[str, str], packet: Packet) -> list[Table]:
    iptables = seen.get("iptables" if packet.family == "ip" else "ip6tables", "")
    tables = read_nft(seen.get("nft", ""), packet, skip_filter=bool(iptables))
    return [*tables, *([read_iptables(iptables, packet)] if iptables else [])]


def _manager(table: Table) -> str | None:
    """Return the program that makes such tables, by the names of its chains."""
    makers = {"ufw-before-input": "ufw", "ufw6-before-input": "ufw", "filter_INPUT_ZONES": "firewalld"}
    makers |= {"filter_INPUT_POLICIES_pre": "firewalld", "INPUT_ZONES": "firewalld"}
    return next((makers[chain] for chain in table.chains if chain in makers), None)


def _blocked(manager: str | None, table: str, chain: str, packet: Packet) -> Blocked:
    command, six = ("iptables", "") if packet.family == "ip" else ("ip6tables", "6")
    iptables, nft = f"-p {PROTOCOL}", f"meta l4proto {PROTOCOL}"
    what, opening = f"VRRP (protocol {PROTOCOL}", "--add-protocol=vrrp"
    if packet.port is not None:
        iptables, nft = f"-p udp --dport {packet.port}", f"udp dport {packet.port}"
        what, opening = f"BFD (UDP port {packet.port}", f"--add-port={packet.port}/udp"
    if manager == "firewalld":
        zone = f"$(firewall-cmd --get-zone-of-interface={packet.device} || firewall-cmd --get-default-zone)"
        remedy = f"firewall-cmd --permanent --zone={zone} {opening} && firewall-cmd --reload"
    elif manager == "ufw":
        remedy = (
            f"sed -i '/^COMMIT/i -A ufw{six}-before-input {iptables} -j ACCEPT' /etc/ufw/before{six}.rules"
            " && ufw reload"
        )
    elif table == "iptables":
        remedy = f"{command} -I {chain} {iptables} -j ACCEPT, there and where its rules are kept"
    else:
        remedy = f"nft insert rule {table} {chain} {nft} accept, there and where its rules are kept"
    name = manager or (command if table == "iptables" else f"nftables, table {table},")
    return Blocked(f"{name} drops {what}, IPv{packet.network.version}) in chain {chain}", remedy)


def _walk(table: Table, chain: str, known: dict[tuple[str, int], set[str]], depth: int = 0) -> set[str]:
    """Return every outcome that the chain may have; "=end": its end, or a return, is reached.

    `known` keeps what was walked: chains that call each other by many rules would take for ever.
    """
    if depth > _DEEPEST:
        return {"=accept", "=drop"}
    if (chain, depth) not in known:
        known[chain, depth] = _outcomes(table, chain, known, depth)
    return known[chain, depth]


def _outcomes(table: Table, chain: str, known: dict[tuple[str, int], set[str]], depth: int) -> set[str]:
    found: set[str] = set()
    for rule in table.chains.get(chain, ()):
        if rule.matches is False or rule.target is None:
            continue
        outcomes = OUTCOMES[rule.target] if rule.target in OUTCOMES else _walk(table, rule.target, known, depth + 1)
        goes_on = rule.calls and "=end" in outcomes
        found |= outcomes - {"=end"} if rule.calls else outcomes
        if rule.matches and not goes_on:
            return found
    return found | {"=end"}
