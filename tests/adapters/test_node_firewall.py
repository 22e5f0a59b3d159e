"""What haos says of a node's nftables, against what the kernel does with a peer's advertisement."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from haos.adapters.node import Node
from haos.core.node import NodeFacts
from tests.adapters.node_sandbox import MAC, Sandbox, require, sandbox

pytestmark = pytest.mark.real


def hook(policy: str, rules: str, more: str = "") -> str:
    """Return a table with a chain that sees what comes in, and perhaps another chain."""
    chain = f"chain input {{ type filter hook input priority 0; {policy} {rules}\n}}\n"
    return f"table inet filter {{\n{more}{chain}}}\n"


def base(rules: str, more: str = "") -> str:
    return hook("policy drop;", rules, more)


def opened(rules: str, more: str = "") -> str:
    return hook("", rules, more)


DROPPING = {
    "policy": base(""),
    "workstation": base(
        "ct state {established, related} accept; iif lo accept; tcp dport 22 accept; icmp type 8 accept;"
    ),
    "final reject": opened("ct state vmap {invalid : drop, established : accept}; tcp dport ssh accept; reject;"),
    "only others": base("ip saddr 192.0.2.0/24 accept; ip6 saddr 2001:db8:99::/64 accept; iif lo accept;"),
    "by name": opened("meta l4proto vrrp drop;"),
    "negated": opened("meta l4proto != { tcp, udp, icmp, icmpv6 } counter drop;"),
    "second table": base("").replace("filter {", "a {", 1).replace("drop", "accept") + base(""),
    "called": opened("jump more; fib daddr type local drop;", "chain more { meta nfproto ipv4 return; return;\n}\n"),
    "own family": "table ip a { chain i { type filter hook input priority 0; ip protocol 112 drop;\n}\n}\n"
    "table ip6 a { chain i { type filter hook input priority 0; ip6 nexthdr 112 drop;\n}\n}\n",
}
ADMITTING = {
    "none": "",
    "protocol": base("meta l4proto { tcp, vrrp } accept;"),
    "number": base("meta l4proto 112 accept;"),
    "subnet": base("ip saddr 10.200.51.0/24 accept; ip6 saddr 2001:db8:51::/64 accept;"),
    "peer alone": base("ip saddr 10.200.51.33 accept; ip6 saddr 2001:db8:51::33 accept;"),
    "device": base("iifname ens3 accept;"),
    "map": base("iifname vmap { lo : accept, ens3 : jump more };", "chain more { ct state new accept;\n}\n"),
    "goto": base("goto more;", "chain more { accept;\n}\n"),
    "other family": "table arp a { chain i { type filter hook output priority 0; policy accept;\n}\n}\n",
    "other hook": "table inet a { chain o { type filter hook forward priority 0; policy drop;\n}\n}\n",
}

LISTEN = """
import select, socket, sys, time
families = {4: socket.AF_INET, 6: socket.AF_INET6}
found = {version: socket.socket(family, socket.SOCK_RAW, 112) for version, family in families.items()}
cable = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
cable.bind(("ens3", 3))
cable.settimeout(5)
print("ready", flush=True)
seen = set()
while seen != {4, 6}:  # on the cable, before any rule
    data = cable.recv(2048)
    version = data[0] >> 4
    if version in families and data[9 if version == 4 else 6] == 112:
        seen.add(version)
print(*(version for version, one in found.items() if select.select([one], [], [], 0.2)[0]))
"""
SEND = """
import socket
for family, address in ((socket.AF_INET, "10.200.51.32"), (socket.AF_INET6, "2001:db8:51::32")):
    socket.socket(family, socket.SOCK_RAW, 112).sendto(bytes(20), (address, 0))
"""


@pytest.fixture(scope="module")
def peered() -> Iterator[Sandbox]:
    """A node with a peer: another network namespace behind the far end of its cable."""
    require("nft", "python3")
    with sandbox() as box:
        box.sh("setsid unshare --net sleep 1000 >/dev/null 2>&1 & echo $! >/run/fake/peer")
        box.until(
            lambda: "yes" in box.sh("[ /proc/$(cat /run/fake/peer)/ns/net -ef /proc/self/ns/net ] || echo yes"),
            "peer",
        )
        box.sh("ip link set far netns $(cat /run/fake/peer)")
        on_peer(box, "ip link set far up; ip address add 10.200.51.33/24 dev far")
        on_peer(box, "ip address add 2001:db8:51::33/64 dev far nodad")
        # A firewall that drops neighbour discovery too must not hide what it does to VRRP.
        for address in ("10.200.51.32", "2001:db8:51::32"):
            on_peer(box, f"ip neighbour replace {address} lladdr {MAC} dev far nud permanent")
        box.sh("ip link set ens3 up")
        # A link that has just come up does no neighbour discovery until the kernel has seen that it did.
        box.until(lambda: is_ready(box.sh("ip -6 -o address show dev ens3 scope link")), "IPv6 here")
        box.until(lambda: is_ready(on_peer(box, "ip -6 -o address show dev far scope link")), "IPv6 there")
        box.write("/run/fake/send.py", SEND)
        box.write("/run/fake/listen.py", LISTEN)
        yield box


def is_ready(shown: str) -> bool:
    return "inet6 fe80" in shown and "tentative" not in shown


def on_peer(box: Sandbox, script: str) -> str:
    box.write("/run/fake/script", script)
    return box.sh("nsenter -t $(cat /run/fake/peer) -n sh -e /run/fake/script")


def arrives(box: Sandbox) -> set[int]:
    """Send one advertisement of each IP version; return the versions of those that got past the rules."""
    came = box.sh(
        "rm -f /run/fake/came; python3 /run/fake/listen.py >/run/fake/came &"
        "until grep -q ready /run/fake/came 2>/dev/null; do sleep 0.02; done;"
        "listener=$!; nsenter -t $(cat /run/fake/peer) -n python3 /run/fake/send.py && wait $listener && "
        "tail -n 1 /run/fake/came"
    )
    return {int(one) for one in came.split()}


def judged(box: Sandbox, ruleset: str) -> NodeFacts:
    box.write("/run/fake/rules.nft", ruleset)
    box.sh("nft flush ruleset; nft -f /run/fake/rules.nft")
    return Node(box, "ha_first").facts(MAC)


@pytest.mark.parametrize("name", DROPPING)
def test_what_is_said_to_drop_is_dropped(peered: Sandbox, name: str) -> None:
    facts = judged(peered, DROPPING[name])
    assert arrives(peered) == set()
    assert facts.firewall is not None
    assert facts.firewall_v6 is not None


@pytest.mark.parametrize("name", ADMITTING)
def test_what_gets_in_is_not_complained_of(peered: Sandbox, name: str) -> None:
    facts = judged(peered, ADMITTING[name])
    assert arrives(peered) == {4, 6}
    assert (facts.firewall, facts.firewall_v6) == (None, None)


def test_the_remedy_lets_it_in(peered: Sandbox) -> None:
    facts = judged(peered, DROPPING["workstation"])
    assert facts.firewall_remedy is not None
    peered.sh(facts.firewall_remedy.partition(",")[0])
    assert Node(peered, "ha_first").facts(MAC).firewall is None
    assert arrives(peered) == {4, 6}


def test_bfd_is_judged_by_its_own_port(peered: Sandbox) -> None:
    facts = judged(peered, base("meta l4proto 112 accept; udp dport { 53, 3785 } accept;"))
    assert facts.firewall is None
    assert set(facts.firewall_bfd) == {4, 6}
    peered.sh(facts.firewall_bfd[4].remedy.partition(",")[0])
    assert Node(peered, "ha_first").facts(MAC).firewall_bfd == {}


def test_looking_loads_no_table(peered: Sandbox) -> None:
    judged(peered, "")
    assert peered.sh("nft list ruleset") == ""


def test_survey_asks_and_listens_and_leaves_no_neighbour(peered: Sandbox) -> None:
    peered.sh("nft flush ruleset; ip neighbour flush dev ens3")
    advert = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112);"
    advert += "s.setsockopt(0, socket.IP_MULTICAST_TTL, 255); s.bind(('10.200.51.33', 0));"
    advert += "s.sendto(bytes([0x31, 51, 100, 0]) + bytes(4), ('224.0.0.18', 0))"
    peered.write("/run/fake/advert.py", advert)
    on_peer(
        peered,
        "setsid sh -c 'for i in $(seq 100); do python3 /run/fake/advert.py; done' </dev/null >/dev/null 2>&1 &",
    )
    asked = [ip_address(text) for text in ("10.200.51.33", "10.200.51.99", "2001:db8:51::33", "2001:db8:51::99")]
    survey = Node(peered, "ha_first").survey(ip_address("10.200.51.32"), asked, listen_s=1.5)
    assert set(survey.answers) == {ip_address("10.200.51.33"), ip_address("2001:db8:51::33")}
    assert len(set(survey.answers.values())) == 1
    assert survey.vrids == frozenset({(51, 4)})
    assert peered.sh("ip neighbour show dev ens3 | grep -v fe80 || :") == ""
