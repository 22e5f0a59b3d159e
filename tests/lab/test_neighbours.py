"""haos beside what was there before: address pairs, rules, a hand-made keepalived, a second pair."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.main_job import CREATE, NODES, cloud, eventually, haos, neutron_state, node_state, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

FOREIGN_VIP = "10.200.51.20"
ADDRESSES = {"ha_first": "10.200.51.32", "ha_second": "10.200.51.33"}
FOREIGN = """! a hand-made configuration, with a comment and no final newline
vrrp_instance theirs {{
    state BACKUP
    interface ens3
    virtual_router_id 77
    priority {priority}
    advert_int 1
    authentication {{
        auth_type PASS
        auth_pass secret
    }}
    unicast_src_ip {source}
    unicast_peer {{
        {peer}
    }}
    virtual_ipaddress {{
        {vip}/24
    }}
}}"""


@pytest.fixture(scope="module")
def theirs(lab_name: str) -> Iterator[str]:
    """A cloud and nodes that somebody else has set up by hand: keepalived with an instance of its own."""
    network = cloud(lab_name).network
    [group] = [group for group in network.security_groups() if group.name == "ssh-icmp"]
    rule = network.create_security_group_rule(
        security_group_id=group.id, direction="ingress", ethertype="IPv4", protocol="vrrp"
    )
    for node in NODES:
        [port] = network.ports(fixed_ips=f"ip_address={ADDRESSES[node]}")
        network.update_port(
            port.id, allowed_address_pairs=[{"ip_address": FOREIGN_VIP}, {"ip_address": "192.0.2.0/24"}]
        )
        by_hand(lab_name, node)
    assert eventually(lambda: FOREIGN_VIP in on(lab_name, "ha_first", "ip -o address show dev ens3"))
    yield lab_name
    for node in NODES:
        on(lab_name, node, "sudo apt-get purge -y -qq --auto-remove keepalived; sudo rm -rf /etc/keepalived")
        [port] = network.ports(fixed_ips=f"ip_address={ADDRESSES[node]}")
        network.update_port(port.id, allowed_address_pairs=[])
    network.delete_security_group_rule(rule.id)


def by_hand(lab: str, node: str) -> None:
    [peer] = [address for name, address in ADDRESSES.items() if name != node]
    priority = 150 if node == "ha_first" else 100
    text = FOREIGN.format(priority=priority, source=ADDRESSES[node], peer=peer, vip=FOREIGN_VIP)
    on(lab, node, "sudo apt-get update -qq; sudo apt-get install -y -qq keepalived >/dev/null 2>&1")
    on(lab, node, f"printf %s '{text}' | sudo tee /etc/keepalived/keepalived.conf >/dev/null")
    on(lab, node, "sudo chmod 604 /etc/keepalived/keepalived.conf; sudo systemctl restart keepalived")


def transitions(lab: str) -> list[str]:
    return [on(lab, node, "sudo journalctl -u keepalived -o cat | grep '(theirs)' || true") for node in NODES]


def main_config(lab: str) -> list[str]:
    return [on(lab, node, "sudo cat /etc/keepalived/keepalived.conf") for node in NODES]


def test_hand_made_keepalived_pairs_and_rules_are_undisturbed(theirs: str) -> None:
    neutron, nodes = neutron_state(theirs), [node_state(theirs, node) for node in NODES]
    log, config = transitions(theirs), main_config(theirs)
    shown = haos(theirs, *CREATE).stdout
    assert "one include line" in shown
    assert "security group" not in shown  # their rule lets protocol 112 pass already
    assert transitions(theirs) == log
    assert all(text.startswith(before) for text, before in zip(main_config(theirs), config, strict=True))
    for node in NODES:
        [port] = cloud(theirs).network.ports(fixed_ips=f"ip_address={ADDRESSES[node]}")
        kept = {pair["ip_address"] for pair in port.allowed_address_pairs}
        assert {FOREIGN_VIP, "192.0.2.0/24"} < kept
    haos(theirs, "teardown", "--purge")
    assert transitions(theirs) == log
    assert main_config(theirs) == config
    assert neutron_state(theirs) == neutron
    assert [node_state(theirs, node) for node in NODES] == nodes


def test_an_edit_made_in_between_survives(theirs: str) -> None:
    before = main_config(theirs)
    haos(theirs, *CREATE, "--no-verify")
    for node in NODES:
        on(theirs, node, r"sudo sed -i 's/^! a hand-made/! an edited hand-made/' /etc/keepalived/keepalived.conf")
    haos(theirs, "teardown")
    assert main_config(theirs) == [text.replace("a hand-made", "an edited hand-made", 1) for text in before]


def test_two_pairs_on_the_same_nodes_go_one_by_one(theirs: str) -> None:
    log = transitions(theirs)
    first = haos(theirs, *CREATE, "--name", "one").stdout
    second = haos(theirs, *CREATE[:-1], "ha_second,ha_first", "--name", "two").stdout
    assert "VIP 10.200.51.2 of pair one answers from ha_first" in first
    assert "VIP 10.200.51.3 of pair two answers from ha_second" in second
    haos(theirs, "teardown", "one")
    assert ": healthy" in haos(theirs, "status", "two").stdout
    haos(theirs, "teardown", "two")
    assert transitions(theirs) == log
    for node in NODES:
        assert "haos" not in on(theirs, node, "sudo ls -A /etc/keepalived /etc/systemd/system")
