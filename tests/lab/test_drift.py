"""Every drift of a pair from its record, on real instances: status names it, repair mends it, the pair is well.

One pair for all of them: what one test leaves is what the next begins with.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest

from haos.adapters.node import Node
from haos.core.fault import FaultOrder
from haos.core.intent import CloudFault, Intent
from haos.lab import control
from haos.workflow.fault import NodeSide
from haos.workflow.faults_node import WITHDRAW
from tests.lab.lab_node import Login
from tests.lab.main_job import CREATE, NODES, cloud, eventually, haos, node_state, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
FOLDER = "/etc/keepalived/haos.d"
FILE = f"{FOLDER}/ha_first-ha_second.conf"
DROP_IN = "/etc/systemd/system/keepalived.service.d/haos.conf"
PURGE = "sudo DEBIAN_FRONTEND=noninteractive apt-get purge -y keepalived >/dev/null 2>&1"
FIRST, SECOND = NODES
PAIR = "ha_first-ha_second"


@pytest.fixture(scope="module")
def lab(own_lab: str) -> str:
    """A lab with a pair; its name."""
    haos(own_lab, *CREATE, "--no-verify", "--floating-ip")
    assert eventually(lambda: bool(seen(own_lab, code=None)["Healthy"]), 30.0)
    return own_lab


def seen(lab: str, *, code: int | None = 4) -> dict[str, Any]:
    found = json.loads(haos(lab, "status", "-f", "json", "-q", code=code).stdout)
    assert isinstance(found, dict)
    return found


def codes(lab: str, *, code: int | None = 4) -> set[tuple[str, str | None]]:
    return {(trouble["code"], trouble["where"]) for trouble in seen(lab, code=code)["Troubles"]}


def repaired(lab: str, *, code: int = 0) -> dict[str, Any]:
    found = json.loads(haos(lab, "repair", "-f", "json", "-q", code=code).stdout)
    assert isinstance(found, dict)
    return found


def is_well(lab: str) -> bool:
    return haos(lab, "status", "-f", "json", "-q", code=None).returncode == 0


def port_of(lab: str, node: str) -> Any:
    server = next(one for one in cloud(lab).compute.servers() if one.name == node)
    [port] = cloud(lab).network.ports(device_id=server.id)
    return port


def own_group(lab: str) -> Any:
    return next(one for one in cloud(lab).network.security_groups() if one.name == "haos-ha_first-ha_second")


def server_of(lab: str, node: str) -> Any:
    return cloud(lab).compute.find_server(node, ignore_missing=False, details=True)


def lose_pair(lab: str) -> None:
    cloud(lab).network.update_port(port_of(lab, SECOND).id, allowed_address_pairs=[])


def lose_rules(lab: str) -> None:
    for rule in own_group(lab).security_group_rules:
        if rule["direction"] == "ingress":
            cloud(lab).network.delete_security_group_rule(rule["id"])


def detach_group(lab: str) -> None:
    port, group = port_of(lab, SECOND), own_group(lab).id
    kept = [one for one in port.security_group_ids if one != group]
    cloud(lab).network.update_port(port.id, security_group_ids=kept)


def delete_group(lab: str) -> None:
    for node in NODES:
        port, group = port_of(lab, node), own_group(lab).id
        kept = [one for one in port.security_group_ids if one != group]
        cloud(lab).network.update_port(port.id, security_group_ids=kept)
    cloud(lab).network.delete_security_group(own_group(lab).id)


def put_port_down(lab: str) -> None:
    cloud(lab).network.update_port(port_of(lab, SECOND).id, admin_state_up=False)


def lose_floating(lab: str) -> None:
    network = cloud(lab).network
    [ip] = [one for one in network.ips() if one.description.startswith("haos:vip")]
    network.update_ip(ip.id, port_id=None)


def inside(command: str, node: str = SECOND) -> Callable[[str], None]:
    def work(lab: str) -> None:
        on(lab, node, command)

    return work


MENDED: dict[str, tuple[Callable[[str], None], tuple[str, str | None]]] = {
    "address pair removed": (lose_pair, ("address-pair", SECOND)),
    "rules removed": (lose_rules, ("security-rule", FIRST)),
    "group detached": (detach_group, ("security-rule", SECOND)),
    "group deleted": (delete_group, ("security-rule", FIRST)),
    "port down": (put_port_down, ("port-down", SECOND)),
    "floating IP dissociated": (lose_floating, ("floating-ip", None)),
    "configuration edited": (inside(f"sudo sed -i 's/priority 230/priority 250/' {FILE}"), ("config", SECOND)),
    "file removed": (inside(f"sudo rm {FILE}; sudo systemctl reload keepalived"), ("config", SECOND)),
    "include line removed": (
        inside("echo '# mine' | sudo tee /etc/keepalived/keepalived.conf; sudo systemctl reload keepalived"),
        ("config", SECOND),
    ),
    "drop-in gone": (inside(f"sudo rm {DROP_IN}; sudo systemctl daemon-reload"), ("config", SECOND)),
    "unit disabled": (inside("sudo systemctl disable -q keepalived"), ("not-enabled", SECOND)),
    "keepalived stopped": (inside("sudo systemctl stop keepalived", FIRST), ("keepalived", FIRST)),
    "package removed": (inside(PURGE), ("keepalived", SECOND)),
    "weight left": (inside(f"echo 5 | sudo tee {FILE.removesuffix('conf')}weight"), ("switchover", SECOND)),
    "file withdrawn": (
        inside(f"sudo mv {FILE} {FILE}.withdrawn; sudo systemctl reload keepalived", FIRST),
        ("config", FIRST),
    ),
    "VIP left over": (
        inside("sudo systemctl stop keepalived; sudo ip address add $(sed -n 's/^# haos-vip: //p' /tmp/pair)"),
        ("left-over", SECOND),
    ),
    "VIP on the Backup": (
        inside("sudo ip address add $(sed -n 's/^# haos-vip: //p' /tmp/pair)"),
        ("vip", SECOND),
    ),
}
HARMLESS = {"unit disabled", "weight left"}
"""Status names it and still calls the pair healthy."""


@pytest.mark.parametrize("drift", MENDED)
def test_each_drift_is_named_and_mended(lab: str, drift: str) -> None:
    work, named = MENDED[drift]
    on(lab, SECOND, f"sudo cat {FILE} >/tmp/pair")
    work(lab)
    assert named in codes(lab, code=0 if drift in HARMLESS else 4)
    ended = repaired(lab)
    assert (ended["Healthy"], ended["Failed"], ended["Not Repaired"]) == (True, [], [])
    assert ended["Repaired"]
    assert codes(lab, code=0) <= {("neighbour", "observer")}


def plan_of(lab: str, *options: str, code: int = 0) -> str:
    return haos(lab, "repair", "--dry-run", "-q", *options, code=code).stdout


def vip_of(lab: str) -> str:
    return str(seen(lab, code=None)["VIP"])


def test_a_drift_on_the_backup_costs_no_probe(lab: str) -> None:
    on(lab, SECOND, f"sudo systemctl disable -q keepalived; sudo sed -i 's/priority 230/priority 229/' {FILE}")
    on(lab, SECOND, f"sudo rm {DROP_IN}")
    lose_pair(lab)
    asks = control.ssh_argv(lab, "observer", [f"sudo ping -q -i 0.02 {vip_of(lab)}"])
    with subprocess.Popen(asks, stdout=subprocess.PIPE, text=True) as ping:
        time.sleep(1.0)  # some probes before
        try:
            assert repaired(lab)["Healthy"]
        finally:
            on(lab, "observer", "sudo pkill -INT -x ping", ok=False)
        said, _ = ping.communicate(timeout=60)
    found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert found, said
    sent, received = map(int, found.groups())
    assert sent > 50
    # The last one may still have been on its way.
    assert sent - received <= 1, said


def test_what_a_failover_test_left_on_a_node(lab: str) -> None:
    make = WITHDRAW.make
    assert isinstance(make, NodeSide)
    node = Node(Login(lab, FIRST), FIRST)
    order = FaultOrder("withdraw", PAIR, ip_address(vip_of(lab)), "ens3", make.inject, make.heal, heal_after_s=3600.0)
    node.watch(order.vip, limit_s=3600.0)
    node.inject(order)
    assert ("fault", FIRST) in codes(lab)
    assert "haos-heal.timer" in on(lab, FIRST, "systemctl list-timers -q --no-pager")
    ended = repaired(lab)
    assert (ended["Healthy"], ended["Active"]) == (True, FIRST)
    assert "haos-heal" not in on(lab, FIRST, "systemctl list-units -q --no-pager 'haos-*'")
    assert codes(lab, code=0) <= {("neighbour", "observer")}


def test_what_a_failover_test_left_in_the_cloud(lab: str) -> None:
    network, port = cloud(lab).network, port_of(lab, SECOND)
    [reservation] = network.ports(device_owner="haos:vip")
    network.set_tags(reservation, [Intent(CloudFault.PORT_DOWN, port.id, 1795471060).tag])
    put_port_down(lab)
    assert ("fault-pending", None) in codes(lab)
    assert "fault          ha_second: port-down, undone" in plan_of(lab)
    assert repaired(lab)["Healthy"]
    assert network.get_port(reservation.id).tags == []
    assert network.get_port(port.id).is_admin_state_up


def test_a_stopped_instance_is_left_to_who_stopped_it_and_the_rest_is_mended(lab: str) -> None:
    compute, server = cloud(lab).compute, server_of(lab, SECOND)
    compute.stop_server(server)
    assert eventually(lambda: compute.get_server(server.id).status == "SHUTOFF", 60.0)
    lose_pair(lab)
    on(lab, FIRST, "sudo systemctl disable -q keepalived")
    assert {("instance", SECOND), ("address-pair", SECOND), ("not-enabled", FIRST)} <= codes(lab)
    ended = repaired(lab, code=5)
    [beyond] = ended["Not Repaired"]
    assert (beyond["code"], beyond["where"]) == ("instance", SECOND)
    assert beyond["remedy"] == f"openstack server start {server.id}"
    assert compute.get_server(server.id).status == "SHUTOFF"
    assert {code for code, _ in codes(lab)} <= {"instance", "no-backup", "neighbour"}
    compute.start_server(server)
    assert eventually(lambda: is_well(lab), 60.0)


def test_a_vip_that_somebody_else_took_is_said_with_who(lab: str) -> None:
    stranger = control.add_instance(lab, "stranger")
    network, vip = cloud(lab).network, vip_of(lab)
    port = port_of(lab, "stranger")
    network.update_port(port.id, allowed_address_pairs=[{"ip_address": vip}])
    on(lab, "stranger", f"sudo ip address add {vip}/32 dev ens3")
    on(lab, SECOND, "sudo systemctl disable -q keepalived")
    try:
        assert eventually(lambda: ("vip-taken", None) in codes(lab, code=None), 30.0)
        ended = repaired(lab, code=5)
        [beyond] = ended["Not Repaired"]
        assert beyond["code"] == "vip-taken"
        assert f"is answered by {port.mac_address}" in beyond["reason"]
        assert f"port {port.id}" in beyond["reason"]
        assert stranger.id in beyond["reason"]
        assert on(lab, SECOND, "systemctl is-enabled keepalived").strip() == "enabled", "the rest was mended"
    finally:
        cloud(lab).compute.delete_server(stranger.id)
    assert eventually(lambda: is_well(lab), 60.0)


def test_several_at_once_and_nothing_of_others_is_touched(lab: str) -> None:
    network = cloud(lab).network
    pairs = [{"ip_address": "192.0.2.0/24"}, *port_of(lab, SECOND).allowed_address_pairs]
    network.update_port(port_of(lab, SECOND).id, allowed_address_pairs=pairs)
    on(lab, SECOND, "echo '# theirs' | sudo tee /etc/keepalived/theirs.conf")
    assert plan_of(lab).splitlines()[1:] == ["Nothing to repair."]
    whole = [node_state(lab, node) for node in NODES]
    on(lab, SECOND, f"sudo rm {FILE} {DROP_IN}; sudo systemctl stop keepalived; sudo systemctl disable -q keepalived")
    on(lab, FIRST, f"sudo mv {FILE} {FILE}.withdrawn; sudo systemctl reload keepalived")
    without = [pair for pair in pairs if pair["ip_address"] == "192.0.2.0/24"]
    network.update_port(port_of(lab, SECOND).id, allowed_address_pairs=without)
    lose_rules(lab)
    put_port_down(lab)
    ended = repaired(lab)
    assert (ended["Healthy"], ended["Failed"], ended["Not Repaired"]) == (True, [], [])
    assert [node_state(lab, node) for node in NODES] == whole
    there = {pair["ip_address"] for pair in port_of(lab, SECOND).allowed_address_pairs}
    assert there == {"192.0.2.0/24", vip_of(lab)}
    assert plan_of(lab, "--exit-code").splitlines()[1:] == ["Nothing to repair."]


def test_a_rebuilt_node_is_taken_in_again(lab: str) -> None:
    compute, server = cloud(lab).compute, server_of(lab, SECOND)
    compute.rebuild_server(server, server.image.id)
    assert eventually(lambda: compute.get_server(server.id).status == "ACTIVE", 60.0)
    assert eventually(lambda: ("rebuilt", SECOND) in codes(lab, code=None), 60.0)
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", "-"],
        input=on(lab, SECOND, "cat /etc/ssh/ssh_host_ed25519_key.pub"),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[1]
    assert shown in plan_of(lab), "the fingerprint is said before anything is changed"
    assert ("rebuilt", SECOND) in codes(lab), "to look changes nothing"
    ended = repaired(lab)
    assert (ended["Healthy"], ended["Failed"], ended["Not Repaired"]) == (True, [], [])
    assert any(shown in line for line in ended["Repaired"])
    assert codes(lab, code=0) <= {("neighbour", "observer")}


def give_another_port(lab: str) -> tuple[Any, Any]:
    """Give a running node another port, and its floating IP with it, as its owner would; return both ports."""
    network, compute = cloud(lab).network, cloud(lab).compute
    server, old = server_of(lab, SECOND), port_of(lab, SECOND)
    new = network.create_port(network_id=old.network_id, security_group_ids=old.security_group_ids[:1])
    [floating] = network.ips(port_id=old.id)
    compute.delete_server_interface(old.id, server=server)
    assert eventually(lambda: not network.get_port(old.id).device_id)
    compute.create_server_interface(server, port_id=new.id)
    network.update_ip(floating.id, port_id=new.id)
    return old, new


def test_a_node_whose_port_was_replaced_is_said_and_taken_in_again(lab: str) -> None:
    old, new = give_another_port(lab)
    assert ("gone", None) in codes(lab)
    ended = repaired(lab, code=5)
    assert ended["Failed"] == []
    [beyond] = ended["Not Repaired"]
    assert (beyond["code"], beyond["remedy"]) == (
        "gone",
        f"haos replace-node {PAIR} --old {old.id} --new INSTANCE",
    )
    haos(lab, *beyond["remedy"].replace("INSTANCE", SECOND).split()[1:], "--no-verify")
    assert eventually(lambda: is_well(lab), 30.0)
    assert port_of(lab, SECOND).id == new.id
    assert [str(one["ip_address"]) for one in port_of(lab, SECOND).allowed_address_pairs] == [vip_of(lab)]
    left = cloud(lab).network.get_port(old.id)
    others = [one for one in old.allowed_address_pairs if one["ip_address"] != vip_of(lab)]
    assert (left.allowed_address_pairs, left.security_group_ids) == (others, old.security_group_ids[:1])
    cloud(lab).network.delete_port(old.id)


def test_a_node_that_is_gone_is_said_with_the_command_and_the_rest_is_mended(lab: str) -> None:
    port = port_of(lab, SECOND)
    cloud(lab).compute.delete_server(server_of(lab, SECOND))
    assert eventually(lambda: ("gone", None) in codes(lab, code=None), 60.0)
    on(lab, FIRST, f"sudo sed -i '$a # mine' {FILE}")
    assert ("config", FIRST) in codes(lab)
    on(lab, FIRST, f"sudo sed -i '$d' {FILE}")
    cloud(lab).network.update_port(port_of(lab, FIRST).id, allowed_address_pairs=[])
    on(lab, FIRST, "sudo systemctl stop keepalived; sudo systemctl disable -q keepalived")
    ended = repaired(lab, code=5)
    [beyond] = ended["Not Repaired"]
    assert beyond["code"] == "gone"
    assert beyond["remedy"] == f"haos replace-node {PAIR} --old {port.id} --new INSTANCE"
    assert ended["Failed"] == []
    assert {code for code, _ in codes(lab)} <= {"gone", "no-backup", "neighbour"}
    assert on(lab, FIRST, "systemctl is-enabled keepalived").strip() == "enabled"
    assert seen(lab)["Active"] == FIRST
