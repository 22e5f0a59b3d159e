"""The guest's firewall, judged from recordings of real ufw and firewalld, and rule by rule."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_interface
from pathlib import Path

import pytest

from haos.core.guest_firewall import judge
from haos.core.guest_rules import Packet

FIXTURES = Path(__file__).parents[2] / "fixtures" / "host" / "firewall"
FOUR = Packet("ens3", ip_interface("10.200.51.34/24"))
SIX = Packet("ens3", ip_interface("2001:db8:51::34/64"))


def recorded(name: str) -> str:
    return (FIXTURES / name).read_text()


def test_ufw_drops_and_its_remedy_is_its_own() -> None:
    blocked = judge({"iptables": recorded("ufw.iptables")}, FOUR)
    assert blocked is not None
    assert blocked.reason == "ufw drops VRRP (protocol 112, IPv4) in chain INPUT"
    assert "/etc/ufw/before.rules" in blocked.remedy
    six = judge({"ip6tables": recorded("ufw.ip6tables")}, SIX)
    assert six is not None
    assert "ufw6-before-input" in six.remedy


def test_ufw_with_the_remedy_lets_vrrp_in() -> None:
    admitted = recorded("ufw.iptables").replace(
        "-A ufw-before-input -j ufw-user-input", "-A ufw-before-input -p 112 -j ACCEPT"
    )
    assert judge({"iptables": admitted}, FOUR) is None


def test_firewalld_rejects_until_the_protocol_is_added() -> None:
    blocked = judge({"nft": recorded("firewalld.json")}, FOUR)
    assert blocked is not None
    assert blocked.reason == "firewalld drops VRRP (protocol 112, IPv4) in chain filter_INPUT"
    assert "--add-protocol=vrrp" in blocked.remedy
    assert judge({"nft": recorded("firewalld-open.json")}, FOUR) is None


def test_bfd_is_asked_for_by_its_port() -> None:
    bfd = replace(FOUR, port=3784)
    for seen, remedy in (
        ({"iptables": recorded("ufw.iptables")}, "ufw-before-input -p udp --dport 3784 -j ACCEPT"),
        ({"nft": recorded("firewalld-open.json")}, "--add-port=3784/udp"),
    ):
        blocked = judge(seen, bfd)
        assert blocked is not None
        assert "drops BFD (UDP port 3784, IPv4)" in blocked.reason
        assert remedy in blocked.remedy


@pytest.mark.parametrize(
    ("rules", "drops"),
    [
        ("-p 112 -j ACCEPT", True),
        ("-p udp -m udp --dport 53 -j ACCEPT", True),
        ("-p tcp -m tcp --dport 3784 -j ACCEPT", True),
        ("-p udp -m udp --dport 3784 -j ACCEPT", False),
        ("-p udp -m udp --dport 3000:4000 -j ACCEPT", False),
        ("-p udp -m udp --dport 3000:3500 -j ACCEPT", True),
        ("-p udp -m multiport --dports 53,3784 -j ACCEPT", False),  # perhaps
    ],
)
def test_bfd_by_iptables(rules: str, drops: bool) -> None:
    blocked = judge({"iptables": f"{DROP}-A INPUT {rules}"}, replace(FOUR, port=3784))
    assert (blocked is not None) == drops


DROP = "-P INPUT DROP\n"


@pytest.mark.parametrize(
    ("rules", "drops"),
    [
        ("-P INPUT ACCEPT", False),
        (DROP, True),
        (f"{DROP}-A INPUT -p vrrp -j ACCEPT", False),
        (f"{DROP}-A INPUT -p 112 -m comment --comment 'our -j DROP' -j ACCEPT", False),
        (f"{DROP}-A INPUT ! -p tcp -j ACCEPT", False),
        (f"{DROP}-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", True),
        (f"{DROP}-A INPUT -i lo -j ACCEPT", True),
        (f"{DROP}-A INPUT -i ens+ -j ACCEPT", False),
        (f"{DROP}-A INPUT ! -i lo -j ACCEPT", False),
        (f"{DROP}-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT", True),
        (f"{DROP}-A INPUT -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT", False),
        (f"{DROP}-A INPUT -s 10.200.0.0/16 -j ACCEPT", False),
        (f"{DROP}-A INPUT -s 10.200.51.33/32 -j ACCEPT", False),  # perhaps the peer
        (f"{DROP}-A INPUT -s 192.0.2.0/24 -j ACCEPT", True),
        (f"{DROP}-A INPUT -d 224.0.0.0/4 -j ACCEPT", True),
        (f"{DROP}-A INPUT -m addrtype --dst-type LOCAL -j ACCEPT", False),
        (f"{DROP}-A INPUT -m set --match-set friends src -j ACCEPT", False),  # perhaps
        (f"{DROP}-N ours\n-A INPUT -j ours\n-A ours -p 112 -j ACCEPT", False),
        (f"{DROP}-N ours\n-A INPUT -j ours\n-A ours -j RETURN\n-A ours -j ACCEPT", True),
        ("-P INPUT ACCEPT\n-N ours\n-A INPUT -g ours\n-A INPUT -j DROP", False),
        ("-P INPUT ACCEPT\n-A INPUT -j LOG\n-A INPUT -j REJECT --reject-with icmp-host-prohibited", True),
        ("-P INPUT ACCEPT\n-A INPUT -m limit --limit 5/min -j DROP", False),  # perhaps
        ("-P INPUT ACCEPT\n-A INPUT -p 112 -j NFQUEUE --queue-num 1", False),  # somebody else decides
        ("-P INPUT ACCEPT\n-A INPUT 'unfinished", False),
    ],
)
def test_iptables(rules: str, drops: bool) -> None:
    blocked = judge({"iptables": rules}, FOUR)
    assert (blocked is not None) is drops
    assert blocked is None or blocked.remedy.startswith("iptables -I INPUT -p 112 -j ACCEPT")


def test_iptables_knows_its_own_table_better_than_nft() -> None:
    nft = {
        "nftables": [
            {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "policy": "drop"}},
            {"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "expr": [{"xt": None}, {"accept": None}]}},
        ]
    }
    assert judge({"nft": json.dumps(nft)}, FOUR) is None
    assert judge({"nft": json.dumps(nft), "iptables": f"{DROP}-A INPUT -p tcp -j ACCEPT"}, FOUR) is not None


@pytest.mark.parametrize("text", ["", "[", "{}", '{"nftables": [{"chain": {}}]}', '{"nftables": 1}'])
def test_what_is_not_understood_says_nothing(text: str) -> None:
    assert judge({"nft": text}, FOUR) is None
