"""Requests that this cloud cannot satisfy: one line, the remedy, the exit code, and nothing changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest

from haos.lab import control
from haos.lab.api.seed import DEMO_PROJECT
from tests.lab.main_job import CREATE, NODES, cloud, node_state
from tests.lab.refusals import Instead, only_reads, refused

pytestmark = [pytest.mark.lab, pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")]

Spoil = Callable[["Cloud"], AbstractContextManager[None]]
ATTRIBUTES = {"admin_state_up": "is_admin_state_up"}
"""What openstacksdk calls otherwise than Neutron does."""


class Cloud:
    """The lab's cloud, by the names of its things."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        connection = cloud(lab)
        self.network, self.compute = connection.network, connection.compute

    def server(self, name: str) -> Any:
        """Return an instance."""
        return next(one for one in self.compute.servers() if one.name == name)

    def port(self, name: str) -> Any:
        """Return an instance's port on ha_lab."""
        net = self.network.find_network("ha_lab", ignore_missing=False)
        return next(self.network.ports(device_id=self.server(name).id, network_id=net.id))


@pytest.fixture(scope="module")
def there(own_lab: str) -> Iterator[Cloud]:
    """The cloud, with two networks of one name; nothing that is tried here reaches a node's files."""
    for cidr in ("10.61.0.0/24", "10.62.0.0/24"):
        control.lab_request(own_lab, "POST", "/lab/networks", {"name": "twin", "cidr": cidr})
    before = {node: node_state(own_lab, node) for node in NODES}
    yield Cloud(own_lab)
    assert {node: node_state(own_lab, node) for node in NODES} == before


@contextmanager
def port_with(there: Cloud, name: str, **fields: Any) -> Iterator[None]:
    """Change an instance's port for a while."""
    port = there.port(name)
    before = {key: port.to_dict()[ATTRIBUTES.get(key, key)] for key in fields}
    there.network.update_port(port.id, **fields)
    try:
        yield
    finally:
        there.network.update_port(port.id, **before)


@contextmanager
def pools(there: Cloud, *pairs: tuple[str, str]) -> Iterator[None]:
    """Set the subnet's allocation pools for a while."""
    subnet = there.network.find_subnet("ha_lab", ignore_missing=False)
    wanted = [{"start": start, "end": end} for start, end in pairs]
    there.network.update_subnet(subnet.id, allocation_pools=wanted)
    try:
        yield
    finally:
        there.network.update_subnet(subnet.id, allocation_pools=subnet.allocation_pools)


@contextmanager
def named(there: Cloud, name: str, other: str) -> Iterator[None]:
    """Let an instance have another name for a while."""
    server = there.server(name)
    there.compute.update_server(server, name=other)
    try:
        yield
    finally:
        there.compute.update_server(server, name=name)


@contextmanager
def another_subnet(
    there: Cloud, cidr: str, ipv6_mode: str | None = None, *, gone: tuple[str, ...] = ()
) -> Iterator[None]:
    """Give ha_lab another subnet with an address of each node; of those in `gone` it is the only one."""
    body = {"network": "ha_lab", "cidr": cidr, "name": "other", "gateway": "", "ipv6_mode": ipv6_mode}
    subnet = control.lab_request(there.lab, "POST", "/lab/subnets", body)["subnet"]["id"]
    before = {name: there.port(name) for name in gone or NODES}
    try:
        for name, port in before.items():
            kept = [] if name in gone else port.fixed_ips
            there.network.update_port(port.id, fixed_ips=[*kept, {"subnet_id": subnet}])
        yield
    finally:
        for port in before.values():
            there.network.update_port(port.id, fixed_ips=port.fixed_ips)
        there.network.delete_subnet(subnet)


@contextmanager
def others_network(there: Cloud) -> Iterator[None]:
    """Plug both nodes into the network that another project shares."""
    net = there.network.find_network("shared_lab", ignore_missing=False)
    made = [there.network.create_port(network_id=net.id, device_id=there.server(name).id) for name in NODES]
    try:
        yield
    finally:
        for port in made:
            there.network.delete_port(port.id)


@contextmanager
def quota(there: Cloud, what: str) -> Iterator[None]:
    """Let the project have none of it any more."""
    control.lab_request(there.lab, "PUT", "/lab/quotas", {DEMO_PROJECT: {what: 0}})
    try:
        yield
    finally:
        control.lab_request(there.lab, "PUT", "/lab/quotas", {DEMO_PROJECT: {what: -1}})


@contextmanager
def no_icmp(there: Cloud) -> Iterator[None]:
    """Let the nodes' security group admit no ICMP."""
    group = there.network.find_security_group("ssh-icmp", ignore_missing=False)
    [rule] = there.network.security_group_rules(security_group_id=group.id, protocol="icmp")
    there.network.delete_security_group_rule(rule.id)
    try:
        yield
    finally:
        there.network.create_security_group_rule(
            security_group_id=group.id, direction="ingress", ether_type="IPv4", protocol="icmp"
        )


def ten_pairs(there: Cloud) -> AbstractContextManager[None]:
    """Fill a port's address pairs."""
    pairs = [{"ip_address": f"192.0.2.{number}"} for number in range(10)]
    return port_with(there, NODES[1], allowed_address_pairs=pairs)


def unspoilt(there: Cloud) -> AbstractContextManager[None]:
    """Leave the cloud as it is."""
    return nullcontext()


HOWTO = Instead()
Case = tuple[int, tuple[str, ...], Spoil, str, str]
"""exit code, command, what is spoilt meanwhile, what the reason and the remedy say"""
CASES: dict[str, Case] = {
    "unknown cloud": (1, ("--os-cloud", "nonesuch", *CREATE), unspoilt, "nonesuch was not found", "clouds.yaml"),
    "wrong password": (1, (*CREATE, "--os-password", "wrong"), unspoilt, "authenticate at http.*401", "credentials"),
    "unknown network": (1, Instead(network="nope").argv(), unspoilt, "'nope'", "openstack network list"),
    "unknown node": (1, Instead(nodes="ha_first,nope").argv(), unspoilt, "'nope'", "openstack server list"),
    "unknown observer": (1, (*CREATE, "--observer", "nope"), unspoilt, "'nope'", "openstack server list"),
    "ambiguous network": (1, Instead(network="twin").argv(), unspoilt, "2 networks.*'twin': [0-9a-f-]{36}, ", "id"),
    "ambiguous node": (
        1, CREATE, lambda there: named(there, "observer", "ha_second"),
        "2 instances are named 'ha_second': [0-9a-f-]{36}, [0-9a-f-]{36}$", "id",
    ),
    "node not on the network": (5, Instead("twin-id").argv(), unspoilt, "ha_first has no port on network", "add net"),
    "node on another subnet": (
        5, CREATE, lambda there: another_subnet(there, "10.63.0.0/24", gone=("ha_second",)),
        "share no subnet", "openstack port list",
    ),
    "same node twice": (2, Instead(nodes="ha_first,ha_first").argv(), unspoilt, "named twice", "two different"),
    "same node by name and id": (
        2, Instead(nodes="ha_first,ha_first-id").argv(), unspoilt, "named twice", "two different",
    ),
    "one node": (2, Instead(nodes="ha_first").argv(), unspoilt, "1 instance", "--nodes A,B"),
    "observer is a node": (2, (*CREATE, "--observer", "ha_first"), unspoilt, "cannot watch", "--observer"),
    "observer is a node by id": (2, (*CREATE, "--observer", "ha_first-id"), unspoilt, "cannot watch", "--observer"),
    "no icmp for the observer": (5, CREATE, no_icmp, "do not admit ICMP from observer", "rule create .*--no-verify"),
    "vip outside the subnet": (5, (*CREATE, "--vip", "10.9.9.9"), unspoilt, "not in subnet ha_lab", "leave out"),
    "vip of the other family": (5, (*CREATE, "--vip", "fd00::9"), unspoilt, "not in subnet ha_lab", "leave out"),
    "vip in use": (5, (*CREATE, "--vip", "10.200.51.33"), unspoilt, "51.33 is .*port", "leave out"),
    "vip is the gateway": (5, (*CREATE, "--vip", "10.200.51.1"), unspoilt, "51.1 is .*gateway", "leave out"),
    "vip in a pool": (5, (*CREATE, "--vip", "10.200.51.77"), unspoilt, "51.77 is in an allocation pool", "from-pool"),
    "nothing free": (
        5, CREATE, lambda there: pools(there, ("10.200.51.2", "10.200.51.254")),
        "no free address .*253 of 256 addresses are in pools", "--vip-from-pool",
    ),
    "slaac": (
        5, (*CREATE, "--subnet", "other"), lambda there: another_subnet(there, "fd00:63::/64", "slaac"),
        "mode slaac: no address can be chosen", "dhcpv6-stateful",
    ),
    "ten pairs": (5, CREATE, ten_pairs, "ha_second's port has 10 allowed address pairs", "openstack port show"),
    "somebody else's network": (5, Instead("shared_lab").argv(), others_network, "another project", "your own"),
    "no port left": (5, CREATE, lambda there: quota(there, "port"), "quota leaves 0 port", "quota show"),
    "no group left": (5, CREATE, lambda there: quota(there, "security_group"), "0 security_group", "quota show"),
    "port down": (
        5, CREATE, lambda there: port_with(there, "ha_second", admin_state_up=False),
        "administratively down", "port set --enable",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_is_refused(there: Cloud, case: str) -> None:
    code, argv, spoil, reason, hint = CASES[case]
    ids = {
        "twin-id": next(there.network.networks(name="twin")).id,
        "ha_first-id": there.server("ha_first").id,
    }
    for name, value in ids.items():
        argv = tuple(word.replace(name, value) for word in argv)
    with spoil(there), only_reads(there.lab):
        said = refused(there.lab, code, *argv)
    assert re.search(reason, said.reason), said
    assert re.search(hint, said.hint), said
