"""A pair as the cloud, the nodes and the observer see it: a screen for people, one object for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from haos.core.floating import origin_of
from haos.core.model import FloatingIp, Pair
from haos.core.sighting import Observation
from haos.core.status import NodeStatus, PairStatus, Trouble
from haos.view.console import Output
from haos.view.result import EXIT_NOT_PROVEN
from haos.view.style import Style
from haos.view.table import Grid, folded, least_width, table

COLUMNS = (
    "Name",
    "VIP",
    "Floating IPs",
    "VRID",
    "Mode",
    "Advert Interval",
    "Healthy",
    "Active",
    "Nodes",
    "Faults Pending",
    "Observer",
    "Observer Verdict",
    "Observer Reason",
    "Troubles",
)
_HEADINGS = ("Node", "Role", "VIP", "Priority", "Keepalived", "Config", "Port", "Instance")
_DISPENSABLE = ("Instance", "Priority", "Keepalived")
"""What a terminal that is too narrow does not show: what is wrong there is told below the table."""
_GOOD = r"(?<=\| )Active(?= )"
_BAD = (
    r"(?<=\| )(?:Fault|stopped|differs|missing|withdrawn|down|no pair|no rule|not installed|"
    r"[\d.]+ stopped|[A-Z]+(?:_[A-Z]+)*(?<!ACTIVE)(?<!VIP))(?=,? )"
)


def exit_code(status: PairStatus) -> int:
    """Return the process's exit code for a pair in this state."""
    return 0 if status.healthy else EXIT_NOT_PROVEN


def show_status(status: PairStatus, output: Output, style: Style) -> int:
    """Print a pair; returns the exit code."""
    if style.format == "table" and not style.columns:
        output.gap()
        for line in screen(status, output):
            output.out.print(line)
    else:
        output.one(COLUMNS, values(status, structured=style.format in ("json", "yaml")), style)
    return exit_code(status)


def screen(status: PairStatus, output: Output) -> Iterator[Text]:
    """Yield the lines that people read; on a terminal none is wider, but for commands to be copied."""
    width = output.out.width if output.out.is_terminal else None
    yield from _prose(_title(status), "green" if status.healthy else "bold red", output, width)
    headings, rows = _fitted([_cells(node) for node in status.nodes], width)
    for line in table(headings, rows, width=width, right=("Priority",), keep_words=True):
        shown = output.text(output.out, line)
        shown.highlight_regex(_GOOD, "bold green")
        shown.highlight_regex(_BAD, "bold red")
        yield shown
    for ip in status.floating:
        yield from _prose(_leads(ip, status.pair), "", output, width)
    if status.observation is not None and status.observation.lost is None:
        yield from _prose(_observed(status, status.observation), "", output, width)
    yield from _troubles(status.troubles, output, width)


def values(status: PairStatus, *, structured: bool) -> tuple[object, ...]:
    """Return the values of COLUMNS; for JSON and YAML with what nodes, observer and troubles consist of."""
    pair = status.pair
    nodes: list[object] = [_node(node) if structured else f"{node.name} ({node.role})" for node in status.nodes]
    seen = status.observation
    observer = None if seen is None else _observer(status, seen) if structured else seen.observer
    return (
        pair.name,
        str(pair.vip),
        [_floating(ip, pair) if structured else str(ip.address) for ip in status.floating],
        pair.vrid,
        str(pair.mode),
        pair.timing.advertisement_interval_s,
        status.healthy,
        status.active,
        nodes,
        list(status.pending),
        observer,
        None if status.verdict is None else str(status.verdict),
        status.reason,
        [_trouble(trouble) if structured else str(trouble) for trouble in status.troubles],
    )


def _title(status: PairStatus) -> str:
    pair, health = status.pair, "healthy" if status.healthy else "NOT HEALTHY"
    return (
        f"Pair {pair.name}: VIP {pair.vip}, VRID {pair.vrid}, mode {pair.mode}, "
        f"advertisements every {pair.timing.advertisement_interval_s} s: {health}"
    )


def _cells(node: NodeStatus) -> tuple[object, ...]:
    seen = node.keepalived_running is not None
    priority = str(node.priority)
    if node.effective_priority not in (None, node.priority):
        priority += f", now {node.effective_priority}"
    return (
        node.name,
        node.role,
        ("yes" if node.holds_vip else "no") if seen else "?",
        priority,
        _keepalived(node),
        node.config,
        _port(node),
        node.instance_status or "gone",
    )


def _fitted(rows: Grid, width: int | None) -> tuple[Sequence[str], Grid]:
    """Return headings and rows without the columns for which there is no room."""
    headings: Sequence[str] = _HEADINGS
    for name in _DISPENSABLE:
        if width is None or least_width(headings, rows) <= width:
            break
        at = headings.index(name)
        headings = [*headings[:at], *headings[at + 1 :]]
        rows = [[*row[:at], *row[at + 1 :]] for row in rows]
    return headings, rows


def _keepalived(node: NodeStatus) -> str:
    if node.keepalived_running is None:
        return "?"
    if node.keepalived is None:
        return "not installed"
    return node.keepalived if node.keepalived_running else f"{node.keepalived} stopped"


def _port(node: NodeStatus) -> str:
    if node.port_up is None:
        return "?"
    wrong = {"down": not node.port_up, "no pair": not node.pair_admitted, "no rule": not node.vrrp_admitted}
    return ", ".join(word for word, is_so in wrong.items() if is_so) or "ok"


def _leads(ip: FloatingIp, pair: Pair) -> str:
    origin = {"made": "made by haos", "associated": "associated by haos", "other": "not by haos"}[origin_of(ip, pair)]
    return f"Floating IP {ip.address}: associated with {pair.vip}, {origin} ({ip.status or 'status unknown'})"


def _observed(status: PairStatus, seen: Observation) -> str:
    fresh = "ARP request" if status.pair.vip.version == 4 else "neighbour solicitation"
    who = status.names.get(seen.echo_from or "", seen.echo_from)
    echo = "not answered" if not seen.answered else f"answered by {who}" if who else "answered"
    trip = "" if seen.round_trip_s is None else f" in {seen.round_trip_s * 1000:.2g} ms"
    told = " and ".join(status.names.get(mac, mac) for mac in seen.arp_from) or "nobody"
    asked = f", a fresh {fresh} by {told}" if seen.asked else ""
    return f"Observer {seen.observer}: ICMP {echo}{trip}{asked} ({seen.method})"


def _troubles(troubles: tuple[Trouble, ...], output: Output, width: int | None) -> Iterator[Text]:
    """Yield what is wrong, and below those that one command helps against, that command."""
    remedies = list(dict.fromkeys(trouble.remedy for trouble in troubles))
    for remedy in sorted(remedies, key=lambda one: one is None):
        for trouble in troubles:
            if trouble.remedy == remedy:
                yield from _prose(f"! {trouble}", "bold red" if trouble.grave else "yellow", output, width)
        if remedy is not None:
            yield output.text(output.out, f"    {remedy}")


def _prose(text: str, style: str, output: Output, width: int | None) -> Iterator[Text]:
    for line in [text] if width is None else folded(text, width, 2):
        yield output.text(output.out, line, style)


def _node(node: NodeStatus) -> dict[str, object]:
    return {
        "name": node.name,
        "instance": node.instance_id,
        "instance_status": node.instance_status,
        "port": node.port_id,
        "port_up": node.port_up,
        "address": node.address,
        "role": str(node.role),
        "holds_vip": node.holds_vip,
        "priority": node.priority,
        "effective_priority": node.effective_priority,
        "keepalived": node.keepalived,
        "keepalived_running": node.keepalived_running,
        "pair_admitted": node.pair_admitted,
        "vrrp_admitted": node.vrrp_admitted,
        "config": node.config,
        "problem": node.problem,
    }


def _floating(ip: FloatingIp, pair: Pair) -> dict[str, object]:
    return {
        "address": str(ip.address),
        "id": ip.id,
        "network": ip.network_id,
        "status": ip.status or None,
        "origin": origin_of(ip, pair),
    }


def _observer(status: PairStatus, seen: Observation) -> dict[str, object]:
    names = status.names
    return {
        "name": seen.observer,
        "method": seen.method or None,
        "answered": seen.answered,
        "answered_by": names.get(seen.echo_from or "", seen.echo_from),
        "answered_from": seen.echo_from,
        "fresh_answered_by": [names.get(mac, mac) for mac in seen.arp_from] if seen.asked else None,
        "round_trip_ms": None if seen.round_trip_s is None else round(seen.round_trip_s * 1000, 3),
        "neighbour": seen.neighbour,
        "lost": seen.lost,
    }


def _trouble(trouble: Trouble) -> dict[str, object]:
    return {
        "code": trouble.code,
        "where": trouble.where or None,
        "reason": trouble.reason,
        "remedy": trouble.remedy,
        "grave": trouble.grave,
    }
