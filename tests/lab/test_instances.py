"""An instance is a machine: systemd, sshd, sudo, apt, a console; and Nova's actions really happen."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from haos.lab import control
from haos.lab.errors import LabError
from haos.lab.paths import LabPaths
from tests.lab.main_job import cloud, eventually, on

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def node(lab_name: str) -> Iterator[str]:
    """An instance of these tests' own."""
    control.add_instance(lab_name, "node")
    yield "node"
    delete(lab_name, "node")


def logs_in(lab: str, node: str) -> bool:
    return subprocess.run(control.ssh_argv(lab, node, ["true"]), capture_output=True, check=False).returncode == 0


def boot_id(lab: str, node: str) -> str:
    return on(lab, node, "cat /proc/sys/kernel/random/boot_id", ok=False)


def server_status(lab: str, node: str) -> str:
    connection = cloud(lab)
    return str(connection.compute.find_server(node, ignore_missing=False, details=True).status)


def test_systemd_is_up_and_nothing_has_failed(lab_name: str, node: str) -> None:
    assert on(lab_name, node, "ps -o comm= -p 1") == "systemd\n"
    assert eventually(lambda: on(lab_name, node, "systemctl is-system-running", ok=False) == "running\n")


def test_network_card_is_the_neutron_port(lab_name: str, node: str) -> None:
    connection = cloud(lab_name)
    server = connection.compute.find_server(node)
    [port] = connection.network.ports(device_id=server.id)
    [link] = json.loads(on(lab_name, node, "ip -j address show ens3"))
    assert link["address"] == port.mac_address
    assert port.fixed_ips[0]["ip_address"] in [each["local"] for each in link["addr_info"]]


def test_sudo_needs_no_password(lab_name: str, node: str) -> None:
    assert on(lab_name, node, "whoami; sudo -n whoami") == "debian\nroot\n"


def test_keepalived_installs_without_a_network(lab_name: str, node: str) -> None:
    on(lab_name, node, "sudo apt-get update && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y keepalived")
    assert "Keepalived v2" in on(lab_name, node, "/usr/sbin/keepalived --version 2>&1")


def test_console_shows_the_host_keys_once_as_cloud_init_does(lab_name: str, node: str) -> None:
    connection = cloud(lab_name)
    server = connection.compute.find_server(node)
    log = connection.compute.get_server_console_output(server)["output"].replace("\r\n", "\n")
    _, _, rest = log.partition("-----BEGIN SSH HOST KEY KEYS-----\n")
    block, end, rest = rest.partition("-----END SSH HOST KEY KEYS-----\n")
    assert end
    assert "SSH HOST KEY KEYS" not in rest
    real = on(lab_name, node, "cat /etc/ssh/ssh_host_ed25519_key.pub")
    assert block == real


def test_machine_settings_are_out_of_reach(lab_name: str, node: str) -> None:
    for attempt in ("sysctl -w kernel.panic=1", "mknod /tmp/sda b 8 0", "dmesg", "date -s 2020-01-01"):
        assert "ok" not in on(lab_name, node, f"sudo {attempt} >/dev/null 2>&1 && echo ok", ok=False), attempt


def test_guest_reboot_keeps_the_disk_and_the_mac(lab_name: str, node: str) -> None:
    before, link = boot_id(lab_name, node), on(lab_name, node, "cat /sys/class/net/ens3/address; touch kept")
    on(lab_name, node, "sudo systemctl reboot", ok=False)
    assert eventually(lambda: boot_id(lab_name, node) not in ("", before))
    assert on(lab_name, node, "cat /sys/class/net/ens3/address; ls kept") == f"{link}kept\n"
    assert len(on(lab_name, node, "journalctl --list-boots -q | grep -v IDX").splitlines()) >= 2


@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
def test_nova_reboot(lab_name: str, node: str, kind: str) -> None:
    before = boot_id(lab_name, node)
    connection = cloud(lab_name)
    connection.compute.reboot_server(connection.compute.find_server(node), kind)
    assert eventually(lambda: boot_id(lab_name, node) not in ("", before))
    assert server_status(lab_name, node) == "ACTIVE"


def test_stop_is_a_clean_shutdown_and_takes_the_network_card_along(lab_name: str, node: str) -> None:
    act(lab_name, node, lambda compute, server: compute.stop_server(server))
    assert eventually(lambda: server_status(lab_name, node) == "SHUTOFF")
    [stopped] = [each for each in control.status(lab_name).instances if each.name == node]
    assert stopped.pids == ()
    lost = on(lab_name, "observer", f"ping -c 1 -W 1 {stopped.addresses[0]}", ok=False)
    assert "100% packet loss" in lost
    act(lab_name, node, lambda compute, server: compute.start_server(server))
    assert eventually(lambda: logs_in(lab_name, node))
    assert "systemd-poweroff" in on(lab_name, node, "sudo journalctl -b -1 -o cat")


def test_power_off_from_inside_is_seen(lab_name: str, node: str) -> None:
    on(lab_name, node, "sudo poweroff", ok=False)
    assert eventually(lambda: server_status(lab_name, node) == "SHUTOFF")
    act(lab_name, node, lambda compute, server: compute.start_server(server))
    assert eventually(lambda: logs_in(lab_name, node))


def test_paused_instance_is_silent_and_goes_on(lab_name: str, node: str) -> None:
    before = boot_id(lab_name, node)
    act(lab_name, node, lambda compute, server: compute.pause_server(server))
    assert eventually(lambda: server_status(lab_name, node) == "PAUSED")
    [address] = [one.addresses[0] for one in control.status(lab_name).instances if one.name == node]
    lost = on(lab_name, "observer", f"ping -c 1 -W 1 {address}", ok=False)
    assert "100% packet loss" in lost, "no processor runs, so nothing answers"
    argv = [*control.ssh_argv(lab_name, node)[:1], "-o", "ConnectTimeout=1", *control.ssh_argv(lab_name, node)[1:]]
    assert subprocess.run([*argv, "true"], capture_output=True, check=False, timeout=30).returncode == 255
    act(lab_name, node, lambda compute, server: compute.unpause_server(server))
    assert eventually(lambda: boot_id(lab_name, node) == before)
    assert " 0% packet loss" in on(lab_name, "observer", f"ping -c 1 -W 1 {address}")


def test_rebuild_keeps_name_and_address_and_nothing_else(lab_name: str, node: str) -> None:
    [before] = [each for each in control.status(lab_name).instances if each.name == node]
    key = on(lab_name, node, "touch kept; cat /etc/ssh/ssh_host_ed25519_key.pub")
    connection = cloud(lab_name)
    server = connection.compute.find_server(node, ignore_missing=False, details=True)
    connection.compute.rebuild_server(server, server.image.id)
    assert eventually(lambda: server_status(lab_name, node) == "ACTIVE")
    assert eventually(lambda: logs_in(lab_name, node))
    [after] = [each for each in control.status(lab_name).instances if each.name == node]
    assert (after.id, after.addresses) == (before.id, before.addresses)
    again = on(lab_name, node, "ls; cat /etc/ssh/ssh_host_ed25519_key.pub")
    assert again.startswith("ssh-ed25519 "), "the file is gone"
    assert again != key
    log = connection.compute.get_server_console_output(server)["output"].replace("\r\n", "\n")
    assert log.count("BEGIN SSH HOST KEY KEYS") == 1
    assert again in log


def test_host_key_is_checked(lab_name: str, node: str, tmp_path: Path) -> None:
    known_hosts = LabPaths(lab_name).known_hosts
    assert on(lab_name, node, "true") == ""
    [found] = [each for each in control.status(lab_name).instances if each.name == node]
    line = next(line for line in known_hosts.read_text().splitlines() if line.startswith(found.id))
    forged = tmp_path / "known_hosts"
    forged.write_text(line.replace(line.split()[2], line.split()[2][:-4] + "AAAA"))
    argv = [word.replace(str(known_hosts), str(forged)) for word in control.ssh_argv(lab_name, node)]
    ended = subprocess.run([*argv, "true"], capture_output=True, text=True, check=False)
    assert ended.returncode == 255
    assert "Host key verification failed" in ended.stderr


def test_second_network_and_ipv6(lab_name: str) -> None:
    control.add_network(lab_name, "second", cidr="10.200.52.0/24")
    control.add_network(lab_name, "sixth", cidr="2001:db8:51::/64")
    control.add_instance(lab_name, "wide", networks=("ha_lab", "second", "sixth"))
    addresses = json.loads(on(lab_name, "wide", "ip -j address"))
    assert [each["ifname"] for each in addresses] == ["lo", "ens3", "ens4", "ens5"]
    for gateway in ("10.200.52.1", "2001:db8:51::1"):
        assert " 0% packet loss" in on(lab_name, "wide", f"ping -c 1 -W 2 {gateway}")
    delete(lab_name, "wide")


def test_an_instance_without_ipv4_boots_and_is_reached_through_its_network(lab_name: str) -> None:
    control.add_network(lab_name, "six", cidr="2001:db8:66::/64")
    only = control.add_instance(lab_name, "only", networks=("six",))
    assert (only.power, only.floating) == ("ACTIVE", ())
    with pytest.raises(LabError, match="only has no floating IP") as caught:
        control.ssh_argv(lab_name, "only")
    assert caught.value.hint is not None
    assert "shares a network" in caught.value.hint
    # The network that has no IPv4 goes first: the floating IP is the other one's.
    both = control.add_instance(lab_name, "both", networks=("six", "ha_lab"))
    assert len(both.floating) == 1
    assert " 0% packet loss" in on(lab_name, "both", f"ping -c 1 -W 2 {only.addresses[0]}")
    assert "SSH-2.0" in on(lab_name, "both", f"exec 3<>/dev/tcp/{only.addresses[0]}/22; head -c 7 <&3")
    delete(lab_name, "only")
    delete(lab_name, "both")


def test_instances_after_another_subnet_have_an_address_of_each_version(lab_name: str) -> None:
    control.add_network(lab_name, "twofold", cidr="10.200.53.0/24")
    control.add_subnet(lab_name, "twofold", cidr="2001:db8:53::/64")
    made = control.add_instance(lab_name, "twofold", networks=("twofold",))
    assert [each.version for each in made.addresses] == [4, 6]
    for gateway in ("10.200.53.1", "2001:db8:53::1"):
        assert " 0% packet loss" in on(lab_name, "twofold", f"ping -c 1 -W 2 {gateway}")
    delete(lab_name, "twofold")


def delete(lab: str, name: str) -> None:
    """Delete an instance, and the ports that were made for it: like Nova, the lab leaves those."""
    compute, network = cloud(lab).compute, cloud(lab).network
    server = compute.find_server(name)
    ports = list(network.ports(device_id=server.id))
    compute.delete_server(server)
    assert eventually(lambda: name not in [each.name for each in control.status(lab).instances])
    for port in ports:
        network.delete_port(port)


def act(lab: str, node: str, order: Callable[[Any, Any], None]) -> None:
    compute = cloud(lab).compute
    order(compute, compute.find_server(node, ignore_missing=False))
