"""Modes, IP versions and numbers of nodes on real instances, on the fabric that tells them apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from haos.lab import control
from haos.lab.control import LabStatus
from tests.lab.main_job import CREATE, NODES, cloud, eventually, haos, neutron_state, node_state, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

SIX = ("six1", "six2", "watch6")
VIRTUAL = "00:00:5e:00:01:01"


def with_keepalived(lab: str, *nodes: str) -> str:
    """Install keepalived beforehand: these tests are about what comes after."""
    for node in nodes:
        on(lab, node, "sudo apt-get update -qq && sudo apt-get install -y -qq keepalived >/dev/null 2>&1")
    return lab


@pytest.fixture(scope="module")
def learning(lab_with: Callable[[str], LabStatus]) -> str:
    return with_keepalived(lab_with("learning").name, *NODES)


@pytest.fixture(scope="module")
def caching(lab_with: Callable[[str], LabStatus]) -> str:
    return with_keepalived(lab_with("arp-cache").name, *NODES)


def state(lab: str, *nodes: str) -> object:
    return neutron_state(lab), [node_state(lab, node) for node in nodes or NODES]


def vip_of(shown: str) -> str:
    found = re.search(r"^VIP (\S+) of pair \S+ answers from (\S+)", shown, re.MULTILINE)
    assert found, shown
    return found[1]


def asked_by_the_observer(lab: str, vip: str) -> str:
    """Return the MAC that a client with no memory is told."""
    return on(lab, "observer", f"sudo ip neigh flush to {vip}; ping -c 1 -W 2 {vip} >/dev/null; ip neigh show {vip}")


def test_auto_ends_in_garp_on_a_learning_switch_and_the_mode_can_be_changed_both_ways(learning: str) -> None:
    before = state(learning)
    shown = haos(learning, *CREATE).stdout
    vip = vip_of(shown)
    assert "mode garp" in haos(learning, "status").stdout
    changed = haos(learning, *CREATE, "--mode", "vmac").stdout
    assert re.search(r"withdraw +ha_first -> ha_second: .*PASS", changed)
    assert re.search(r"failback +ha_second -> ha_first: .*PASS", changed)
    assert "00:00:5e:00:01:01" in asked_by_the_observer(learning, vip)
    assert "link/ether 00:00:5e:00:01:01" in on(learning, "ha_first", "ip link show vrrp.1")
    haos(learning, "failover-test", "--fault", "stop", "--fault", "kill")
    haos(learning, *CREATE, "--mode", "garp")
    assert "fa:16:3e:8d:dc:bb" in asked_by_the_observer(learning, vip)
    haos(learning, "teardown")
    assert state(learning) == before


@pytest.fixture
def unsecured(learning: str) -> Iterator[str]:
    """The learning switch with no port security on the nodes' ports."""
    api = cloud(learning)
    servers = {one.name: one.id for one in api.compute.servers()}
    ports = [next(api.network.ports(device_id=servers[name])) for name in NODES]
    for port in ports:
        api.network.update_port(port.id, security_groups=[], port_security_enabled=False)
    yield learning
    for port in ports:
        api.network.update_port(port.id, port_security_enabled=True, security_groups=port.security_group_ids)


@pytest.mark.parametrize(("where", "reserved"), [("learning", VIRTUAL), ("unsecured", "fa:16:3e:")])
def test_vmac_works_on_a_learning_switch_from_the_start(
    request: pytest.FixtureRequest, where: str, reserved: str
) -> None:
    name: str = request.getfixturevalue(where)
    before = state(name)
    shown = haos(name, *CREATE, "--mode", "vmac").stdout
    assert f"({VIRTUAL})" in shown
    [reservation] = cloud(name).network.ports(device_owner="haos:vip")
    assert reservation.mac_address.startswith(reserved)
    assert "Nothing to change." in haos(name, *CREATE).stdout
    haos(name, "teardown")
    assert state(name) == before


def test_auto_ends_in_vmac_on_a_network_that_caches_arp_and_says_why(caching: str) -> None:
    before = state(caching)
    made = haos(caching, *CREATE)
    assert "the network names fa:16:3e:8d:dc:bb" in made.stderr
    assert "mode vmac was chosen: this network ignores gratuitous ARP" in made.stderr
    vip = vip_of(made.stdout)
    assert vip != "10.200.51.2"  # that one is in the cache
    assert "00:00:5e:00:01:01" in asked_by_the_observer(caching, vip)
    assert len(re.findall(r"-> \w+: .*  PASS", made.stdout)) == 2
    haos(caching, "failover-test", "--fault", "stop", "--fault", "kill")
    haos(caching, "teardown")
    assert state(caching) == before


def test_vmac_fails_where_a_mac_is_delivered_to_one_port_and_is_undone(lab_name: str) -> None:
    before = state(lab_name)
    failed = haos(lab_name, *CREATE, "--mode", "vmac", code=4)
    assert "the pair was undone" in failed.stderr
    assert "want --mode garp" in failed.stderr
    assert state(lab_name) == before


@pytest.fixture(scope="module")
def six(learning: str) -> str:
    """Three instances with a second card on an IPv6 network whose pool leaves its lowest addresses free."""
    control.add_network(learning, "six", cidr="fd00:51::/64")
    network = cloud(learning).network
    [subnet] = network.subnets(cidr="fd00:51::/64")
    network.update_subnet(subnet.id, allocation_pools=[{"start": "fd00:51::100", "end": "fd00:51::1ff"}])
    for name in SIX:
        control.add_instance(learning, name, networks=("ha_lab", "six"))
    return with_keepalived(learning, *SIX[:2])


SPOILED_DEVICES = {
    "sudo ip link set vrrp6.1 down": "six2: its role is Fault",
    "sudo systemctl stop keepalived; sudo ip link add link ens4 name vrrp6.1 type macvlan mode bridge;"
    "sudo ip address add fd00:51::2/128 dev vrrp6.1 nodad; sudo ip link set vrrp6.1 up": "six2: it holds fd00:51::2",
}
"""What is done to the VIP's own device on a Backup in mode vmac -> what status says."""


def mended(lab: str, spoil: str, said: str) -> None:
    """Spoil something on the Backup; status says so, and repair mends it."""
    on(lab, "six2", spoil)
    assert eventually(lambda: said in haos(lab, "status", "--observer", "watch6", code=None).stdout)
    haos(lab, "repair", "--observer", "watch6")
    haos(lab, "status", "--observer", "watch6")


@pytest.mark.parametrize("mode", ["garp", "vmac"])
def test_an_ipv6_pair(six: str, mode: str) -> None:
    before = state(six, *SIX[:2])
    argv = ("create", "--network", "six", "--nodes", "six1,six2", "--observer", "watch6", "--mode", mode)
    shown = haos(six, *argv).stdout
    assert vip_of(shown) == "fd00:51::2"
    assert len(re.findall(r"-> \w+: .*  PASS", shown)) == 2
    [reservation] = cloud(six).network.ports(device_owner="haos:vip")
    assert reservation.mac_address == "00:00:5e:00:02:01"
    assert " 0% packet loss" in on(six, "watch6", "ping -6 -c 3 -i 0.2 fd00:51::2")
    neighbour = on(six, "watch6", "sudo ip -6 neigh flush to fd00:51::2; ping -6 -c 1 fd00:51::2; ip -6 neigh show")
    assert ("00:00:5e:00:02:01" in neighbour) is (mode == "vmac")
    for spoil, said in SPOILED_DEVICES.items() if mode == "vmac" else ():
        mended(six, spoil, said)
    haos(six, "teardown")
    assert state(six, *SIX[:2]) == before


def test_three_nodes_and_a_service_check_that_moves_the_vip(six: str) -> None:
    nodes = (*NODES, "six1")
    before = state(six, *nodes)
    argv = ("create", "--network", "ha_lab", "--nodes", ",".join(nodes), "--profile", "fast", "--preempt-delay", "0")
    shown = haos(six, *argv, "--check", "test ! -e /tmp/sick", "--check", "tcp:22").stdout
    vip = vip_of(shown)

    def holders() -> list[str]:
        return [node for node in nodes if vip in on(six, node, f"ip -o address show to {vip}")]

    assert holders() == ["ha_first"]
    on(six, "ha_first", "touch /tmp/sick")
    assert eventually(lambda: holders() == ["ha_second"])
    on(six, "ha_second", "touch /tmp/sick")
    assert eventually(lambda: holders() == ["six1"])
    for node in NODES:
        on(six, node, "rm /tmp/sick")
    assert eventually(lambda: holders() == ["ha_first"])
    assert "Nothing to change." in haos(six, *argv).stdout
    haos(six, "teardown")
    assert state(six, *nodes) == before


def test_a_free_reservation_port_is_adopted_and_given_back(lab_name: str) -> None:
    network = cloud(lab_name).network
    [subnet] = network.subnets(name="ha_lab")
    port = network.create_port(
        network_id=subnet.network_id,
        name="my-vip",
        fixed_ips=[{"subnet_id": subnet.id, "ip_address": "10.200.51.20"}],
    )
    before = neutron_state(lab_name)
    try:
        haos(lab_name, *CREATE, "--vip", "10.200.51.20", "--no-verify")
        assert network.get_port(port.id).device_owner == "haos:vip"
        haos(lab_name, "teardown", "--purge")
        assert neutron_state(lab_name) == before
    finally:
        network.delete_port(port.id)
