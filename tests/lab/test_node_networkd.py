"""systemd-networkd and a VIP on a real instance: with haos's drop-in it is never deleted; without, it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import pytest

from haos.adapters.node import Node
from haos.core.guestnet import keep_files
from haos.core.node import NodeFacts
from tests.lab.lab_node import PAIR, Login, bring_up, mac_of, removal
from tests.lab.main_job import eventually, node_state

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

VIP = str(PAIR.vip)
Managed = tuple[Login, str, NodeFacts, str]  # the device, what the node looks like, the peer
STATIC = """
cat >/etc/systemd/network/50-ens3.network <<END
[Match]
Name=ens3
[Network]
Address=10.200.51.32/24
Gateway=10.200.51.1
IPv6AcceptRA=no
END
ip address flush dev ens3 scope global
"""
DHCP = """
ip link add d0 type veth peer name d1
cat >/etc/systemd/network/60-d1.network <<END
[Match]
Name=d1
[Network]
Address=192.0.2.1/24
DHCPServer=yes
IPv6AcceptRA=no
[DHCPServer]
EmitDNS=no
EmitNTP=no
EmitRouter=no
EmitTimezone=no
DefaultLeaseTimeSec=3600
MaxLeaseTimeSec=3600
END
cat >/etc/systemd/network/70-d0.network <<END
[Match]
Name=d0
[Network]
DHCP=ipv4
IPv6AcceptRA=no
END
"""
CLEAN = """
systemctl stop systemd-networkd.socket systemd-networkd.service 2>/dev/null
rm -f /etc/systemd/network/*.network; ip link del d0 2>/dev/null || :
ip address flush dev ens3 scope global; ip address add 10.200.51.32/24 dev ens3
ip route replace default via 10.200.51.1
"""


DEVICES = {"static": ("ens3", STATIC, "10.200.51.33"), "dhcp": ("d0", DHCP, "192.0.2.254")}
WATCH_S = 1
"""How long a deletion may be in coming after a command has said that it is done."""


@pytest.fixture(scope="module", params=DEVICES.values(), ids=list(DEVICES))
def managed(lab_name: str, request: pytest.FixtureRequest) -> Iterator[Managed]:
    """An instance whose device networkd configures, with keepalived; as it was, afterwards."""
    device, setup, peer = request.param
    login = Login(lab_name, "ha_first")
    before = node_state(lab_name, "ha_first")
    node = Node(login, "ha_first")
    node.install_keepalived()
    try:
        login.sh(f"{setup}\nsystemctl start systemd-networkd.service")
        mac = mac_of(login, device)
        assert eventually(lambda: node.facts(mac).net_manager == "systemd-networkd" and _has_address(node, mac))
        yield login, device, node.facts(mac), peer
    finally:
        node.remove(removal())
        login.sh(CLEAN)
    assert node_state(lab_name, "ha_first") == before


def _has_address(node: Node, mac: str) -> bool:
    return bool(node.facts(mac).addresses)


@contextmanager
def watching(login: Login, device: str) -> Iterator[list[str]]:
    """Give a list that holds, at the end, the addresses that were deleted on the device meanwhile."""
    login.sh(f"ip monitor address dev {device} >/tmp/seen 2>&1 & echo $! >/tmp/monitor")
    gone: list[str] = []
    yield gone
    seen = login.sh("kill $(cat /tmp/monitor); cat /tmp/seen; rm /tmp/seen /tmp/monitor").splitlines()
    gone += [line.split("inet ")[1].split()[0] for line in seen if line.startswith("Deleted") and "inet " in line]


def deleted(login: Login, device: str, command: str) -> list[str]:
    """Return the addresses that were deleted on the device while a command ran and shortly after."""
    with watching(login, device) as gone:
        login.sh(f"timeout 20 {command} >&2; sleep {WATCH_S}")
    return gone


def touch(network: str) -> str:
    return f"sh -c 'echo \"# $(date +%N)\" >>{network}; networkctl reload'"


def test_configuring_disturbs_no_address(managed: Managed) -> None:
    """networkd is not reloaded: that would take the node's own address away if it came by DHCP."""
    login, device, facts, peer = managed
    with watching(login, device) as gone:
        bring_up(login, facts, ip_address(peer))
    assert gone == []


def test_vip_outlives_whatever_networkd_does(managed: Managed) -> None:
    login, device, facts, peer = managed
    assert facts.network_file is not None
    node = bring_up(login, facts, ip_address(peer))
    [keep] = keep_files(facts)
    assert node.facts(mac_of(login, device)).keep_file == keep.text
    log = "journalctl -u keepalived -b -o cat | grep -c 'Entering BACKUP STATE'"
    turns = login.sh(log)
    for command in (
        "networkctl reload",  # with which the drop-in takes effect
        touch(facts.network_file),
        f"networkctl renew {device}",
        f"networkctl reconfigure {device}",
        "systemctl restart systemd-networkd.service",
    ):
        assert f"{VIP}/32" not in deleted(login, device, command), command
        assert login.sh(f"ip -o address show to {VIP}"), command
    assert login.sh(log) == turns


def test_without_the_drop_in_keepalived_puts_its_vip_back(managed: Managed) -> None:
    login, device, facts, peer = managed
    bring_up(login, facts, ip_address(peer))
    login.sh("networkctl reload")
    login.sh("rm -r /etc/systemd/network/*.network.d")
    assert f"{VIP}/32" in deleted(login, device, "networkctl reload")
    assert eventually(lambda: VIP in login.sh(f"ip -o address show dev {device}"))


def test_removal_disturbs_no_address_but_the_vip(managed: Managed) -> None:
    login, device, facts, peer = managed
    node = bring_up(login, facts, ip_address(peer))
    with watching(login, device) as gone:
        node.remove(removal())
    assert gone == [f"{VIP}/32"]
    assert "haos.conf" not in login.sh("find /etc/systemd/network")
