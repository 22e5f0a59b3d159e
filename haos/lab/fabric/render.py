"""A whole fabric as one nftables transaction.

A bridged IP packet meets these chains in this order:

    bridge source   -300  before MAC learning: its port is known and not dark, and it does not lie about its source
    inet   network  -300  (through br_netfilter) its flow belongs to its network's conntrack zone
    bridge admit      -2  do its port's egress and the other one's ingress rules admit it, or what it answers? -> mark
    inet   flows       0  (through br_netfilter) admitted, or really an answer: conntrack has seen its flow -> mark
    bridge final      10  without that mark it is dropped, also if br_netfilter is not at work

An answer must answer something that the rules admit as they are now, not only when its flow began. That is why a
removed rule cuts its flows at once although no flow is ever flushed, a flow that is still admitted lives on through
every change, and two nodes without a rule for VRRP do not let each other's adverts in as answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from haos.lab.fabric.admission import answers, matches
from haos.lab.fabric.arp import NUMBERED_BEFORE
from haos.lab.fabric.names import bridge_name, tap_name, zone
from haos.lab.fabric.source import guard
from haos.lab.model import Direction, Fabric, FabricKind, FabricPort, PortKind

TABLE = "haos"
DARK = "dark"
# Packet marks: nothing yet; the rules admit it; no rules apply to it; they admit what it may answer; it may pass.
UNDECIDED, ADMITTED, FREE, ANSWER, PASSED = 0, 1, 2, 3, 4
# Neighbour discovery and multicast listening, as Neutron lets them pass; `source` has dropped what hosts may not say.
DISCOVERY = "{ 130, 131, 132, 133, 134, 135, 136, 143 }"
DHCP = (
    "udp sport 68 udp dport 67",
    "udp sport 67 udp dport 68",
    "udp sport 546 udp dport 547",
    "udp sport 547 udp dport 546",
)


def ruleset(fabric: Fabric, dark: frozenset[str] = frozenset()) -> str:
    """Render the ruleset that replaces whatever was there; all frames of `dark` taps are lost."""
    ports = [port for port in fabric.ports if port.kind is not PortKind.NONE]
    down = {tap_name(port.id) for port in ports if not port.admin_up}
    blocks = [
        *(f"table {family} {TABLE} {{}}\ndelete table {family} {TABLE}" for family in ("bridge", "inet")),
        _table("bridge", [_taps("down", down), _taps(DARK, dark), *_bridge_chains(ports), *_numbers(fabric)]),
        _table("inet", _flow_chains(ports)),
    ]
    return "\n".join(blocks) + "\n"


def darkened(tap: str) -> str:
    """Render the change after which all frames of a tap are lost, whether there is a ruleset yet or not."""
    where = f"bridge {TABLE}"
    return f'add table {where}\nadd set {where} {DARK} {{ type ifname; }}\nadd element {where} {DARK} {{ "{tap}" }}\n'


def lightened(tap: str) -> str:
    """Render the change that takes `darkened` back."""
    return f'delete element bridge {TABLE} {DARK} {{ "{tap}" }}\n'


def filtered(port: FabricPort) -> bool:
    """Say whether port security applies to a port."""
    return port.kind is PortKind.INSTANCE and port.port_security


def _bridge_chains(ports: list[FabricPort]) -> list[str]:
    secured = [port for port in ports if filtered(port)]
    return [
        _taps("open", {tap_name(port.id) for port in ports if not filtered(port)}),
        *(_chain(f"from_{tap_name(port.id)}", [*guard(port), "drop"]) for port in secured),
        *(chain for port in secured for chain in _rule_chains(port)),
        _source(ports),
        _chain("answer", [*_both_ends(secured, "answer_ingress", "answer_egress"), f"meta mark set {ANSWER} accept"]),
        _admit(secured),
        _hook("final", "forward", 10, "accept", [f"ether type {{ ip, ip6 }} meta mark != {PASSED} drop"]),
        _hook("to_switch", "input", 0, "drop", []),
        _hook("by_switch", "output", 0, "drop", []),
    ]


def _source(ports: list[FabricPort]) -> str:
    gates = {tap_name(port.id): f"goto from_{tap_name(port.id)}" if filtered(port) else "accept" for port in ports}
    dark = [f"iifname @{name} drop" for name in ("down", DARK)]
    return _hook(
        "source", "prerouting", -300, "drop", [*dark, f"meta mark set {UNDECIDED}", *_dispatch("iifname", gates)]
    )


def _admit(secured: list[FabricPort]) -> str:
    rules = [
        *(f"oifname @{name} drop" for name in ("down", DARK)),
        "ether type arp accept",
        f"iifname @open oifname @open meta mark set {FREE} accept",
        "ether type != { ip, ip6 } drop",
        *(f"{match} meta mark set {FREE} accept" for match in (f"icmpv6 type {DISCOVERY}", *DHCP)),
        *_both_ends(secured, "egress", "ingress"),
        f"meta mark set {ADMITTED} accept",
    ]
    return _hook("admit", "forward", -2, "drop", rules)


def _both_ends(secured: list[FabricPort], sender: str, receiver: str) -> list[str]:
    """Jump to the sending port's chain and then the receiving one's: each returns what it admits."""
    taps = [tap_name(port.id) for port in secured]
    return [
        *_dispatch("iifname", {tap: f"jump {sender}_{tap}" for tap in taps}),
        *_dispatch("oifname", {tap: f"jump {receiver}_{tap}" for tap in taps}),
    ]


def _rule_chains(port: FabricPort) -> Iterator[str]:
    """Yield a port's chains; what its rules do not admit may be an answer, and else stays undecided."""
    tap = tap_name(port.id)
    for direction in Direction:
        admitted = [f"{match} return" for match in matches(port.rules, direction)]
        answered = [f"{match} return" for match in answers(port.rules, direction)]
        yield _chain(f"answer_{direction}_{tap}", [*answered, "accept"])
        yield _chain(f"{direction}_{tap}", [*admitted, "goto answer"])


def _flow_chains(ports: list[FabricPort]) -> list[str]:
    zones = {bridge_name(port.network_id): zone(port.network_id) for port in ports}
    numbered = ", ".join(f'"{bridge}" : {number}' for bridge, number in sorted(zones.items()))
    flow = [
        f"meta mark {FREE} goto pass",
        f"ct state untracked meta mark {ADMITTED} goto pass",
        "ct state { untracked, invalid } drop",
        "ct state related goto pass",
        f"meta mark {ADMITTED} goto pass",
        f"ct state established meta mark {ANSWER} goto pass",
    ]
    return [
        _chain("pass", [f"meta mark set {PASSED} accept"]),
        _hook(
            "network", "prerouting", -300, "accept", [f"ct zone set iifname map {{ {numbered} }}"] if zones else []
        ),
        _hook("flows", "forward", 0, "drop", flow),
    ]


def _numbers(fabric: Fabric) -> list[str]:
    """Mark ARP frames with the number of their network, by which the switch's ARP table tells networks apart."""
    if fabric.kind is not FabricKind.ARP_CACHE:
        return []
    numbers = {tap_name(port.id): zone(port.network_id) for port in fabric.ports if port.kind is not PortKind.NONE}
    numbered = ", ".join(f'"{tap}" : {number}' for tap, number in sorted(numbers.items()))
    rules = [f"ether type arp meta mark set iifname map {{ {numbered} }}"] if numbers else []
    return [_hook("number", "prerouting", NUMBERED_BEFORE - 1, "accept", rules)]


def _dispatch(field: str, verdicts: dict[str, str]) -> list[str]:
    elements = ", ".join(f'"{tap}" : {verdict}' for tap, verdict in sorted(verdicts.items()))
    return [f"{field} vmap {{ {elements} }}"] if elements else []


def _taps(name: str, taps: Iterable[str]) -> str:
    elements = ", ".join(f'"{tap}"' for tap in sorted(taps))
    return f"  set {name} {{\n    type ifname\n" + (f"    elements = {{ {elements} }}\n" if elements else "") + "  }"


def _hook(name: str, hook: str, priority: int, policy: str, rules: list[str]) -> str:
    return _chain(name, [f"type filter hook {hook} priority {priority}; policy {policy};", *rules])


def _chain(name: str, rules: list[str]) -> str:
    return "\n".join([f"  chain {name} {{", *(f"    {rule}" for rule in rules), "  }"])


def _table(family: str, blocks: list[str]) -> str:
    return "\n".join([f"table {family} {TABLE} {{", *blocks, "}"])
