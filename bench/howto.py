"""The howto's steps as a person would script them: the openstack client, ssh, one command after the other."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from haos.lab import control

NETWORK, SUBNET = "ha_lab", "ha_lab"
VIP = "10.200.51.10"
PRIORITIES = {"ha_first": 200, "ha_second": 100}
CONFIG = """\
vrrp_instance vrrp_1 {{
  debug 2
  interface ens3
  state MASTER
  virtual_router_id 1
  priority {priority}
  unicast_src_ip {own} dev ens3
  unicast_peer {{
    {peer} dev ens3
  }}
  virtual_ipaddress {{
    {vip}
  }}
}}
"""
"""The howto's, without use_vmac and vmac_xmit_base."""
PING = f"until ping -n -c 1 -W 1 {VIP} >/dev/null; do :; done"
STEP_TIMEOUT_S = 60.0


class Howto:
    """The steps on one lab. Each is a process of its own; the script goes on when it has ended."""

    def __init__(self, lab: str, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._client = str(Path(sys.executable).parent / "openstack")
        # Asked for once: looking up how to log in is the lab's, not the howto's.
        self._ssh = {node: control.ssh_argv(lab, node, ["sh -s"]) for node in (*PRIORITIES, "observer")}
        self._ports: list[str] = []

    def run(self) -> float:
        """Do all that the howto does up to the first answered ping; return how many seconds it took."""
        started_s = time.monotonic()
        addresses = self._find_addresses()
        for node, priority in PRIORITIES.items():
            [peer] = (addresses[other] for other in PRIORITIES if other != node)
            text = CONFIG.format(priority=priority, own=addresses[node], peer=peer, vip=VIP)
            self._on(node, f"sudo tee /etc/keepalived/keepalived.conf >/dev/null <<'END'\n{text}END\n")
        for node in PRIORITIES:
            self._on(node, "sudo systemctl restart keepalived")
        for node in PRIORITIES:
            self._on(node, "sudo journalctl -u keepalived --no-pager -n 20")
        self._on("ha_first", "ip -4 a")
        self._ports = self._find_ports([addresses[node] for node in PRIORITIES])
        for port in self._ports:
            self._openstack("port", "set", "--allowed-address", f"ip-address={VIP}", port)
        self._on("observer", PING)
        return time.monotonic() - started_s

    def undo(self) -> None:
        """Take everything back."""
        for node in PRIORITIES:
            self._on(node, "sudo systemctl stop keepalived; sudo rm -f /etc/keepalived/keepalived.conf")
        for port in self._ports:
            self._openstack("port", "set", "--no-allowed-address", port)
        self._ports = []
        self._on("observer", "sudo ip neigh flush all")

    def _find_addresses(self) -> dict[str, str]:
        servers = json.loads(self._openstack("server", "list", "-f", "json"))
        self._openstack("subnet", "show", SUBNET)  # a person looks where the allocation pool begins
        return {server["Name"]: server["Networks"][NETWORK][0] for server in servers}

    def _find_ports(self, addresses: list[str]) -> list[str]:
        ports = json.loads(self._openstack("port", "list", "--network", NETWORK, "-f", "json"))
        by_address = {fixed["ip_address"]: port["ID"] for port in ports for fixed in port["Fixed IP Addresses"]}
        return [by_address[address] for address in addresses]

    def _openstack(self, *words: str) -> str:
        return self._told([self._client, *words], "openstack " + " ".join(words[:2]))

    def _on(self, node: str, script: str) -> str:
        return self._told(self._ssh[node], f"{node}: {script.partition(' <<')[0]}", script)

    def _told(self, argv: list[str], title: str, stdin: str = "") -> str:
        started_s = time.monotonic()
        ended = subprocess.run(
            argv, env=self._environ, input=stdin, capture_output=True, text=True, check=False, timeout=STEP_TIMEOUT_S
        )
        if ended.returncode:
            raise SystemExit(f"{title} ended with {ended.returncode}: {ended.stderr}")
        print(f"  {time.monotonic() - started_s:6.2f} s  {title}", file=sys.stderr)
        return ended.stdout
