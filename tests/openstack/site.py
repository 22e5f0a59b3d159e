"""What the end-to-end tests have on a real cloud: a network of their own, servers, and the guests that are them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import openstack
from openstack.connection import Connection

from haos.lab.files import LOGIN
from haos.lab.model import Guest, Nic
from tests.lab.main_job import eventually
from tests.openstack.bed.model import Bed
from tests.openstack.guests import Guests

CIDR, GATEWAY, POOL = "10.200.51.0/24", "10.200.51.1", ("10.200.51.32", "10.200.51.254")
EXTERNAL, IMAGE, FLAVOR = "public", "fake", "m1.tiny"
BUILD_S = 120
PORT_S = 30.0
LOGIN_S = 60.0
BANNER_S = 2.0


@dataclass(frozen=True)
class Server:
    """A server of Nova's, and the guest that is it."""

    id: str
    name: str
    host: str  # Nova's name of its hypervisor
    port_id: str
    mac: str
    fixed: str
    floating: str


class Site:
    """A network with servers; what is made goes when the stack is closed, in the reverse order."""

    def __init__(self, bed: Bed, name: str, run: Path, stack: ExitStack) -> None:
        self.bed = bed
        self.name = name
        self.member: Connection = openstack.connect(cloud="haos-openstack")
        self.admin: Connection = openstack.connect(cloud="haos-openstack-admin")
        self.servers: dict[str, Server] = {}
        self._stack = stack
        self._ordered: list[str] = []
        (run / "guests").mkdir()
        self._guests = Guests(bed, run / "guests")
        stack.callback(self._guests.close)
        self.key = run / "key"
        self._make_key()
        self._make_network()
        self._make_group()
        self.ssh_config = run / "ssh_config"
        self.ssh_config.write_text(f"Host *\n  User {LOGIN}\n  IdentityFile {self.key}\n  IdentitiesOnly yes\n")

    def boot(self, *names: str, apart: Sequence[str]) -> None:
        """Make servers and boot their guests, those `apart` on a hypervisor each; they answer to ssh on return."""
        group = {"group": self._server_group("anti-affinity")}
        self._stack.callback(self._delete_servers)
        others = [self._order(name, {}) for name in names if name not in apart]
        for name in apart:  # two at once would trip over Nova's late check, and be scheduled again
            self._await_built(self._order(name, group))
        for server_id in others:
            self._await_built(server_id)
        for server in [self._take(server_id) for server_id in self._ordered]:
            self._await_login(server)

    def _keep(self, made: Any, delete: Callable[..., object]) -> Any:
        self._stack.callback(delete, made.id)
        return made

    def _make_key(self) -> None:
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", str(self.key)]
        subprocess.run(argv, check=True)
        public = self.key.with_suffix(".pub").read_text().strip()
        self.member.compute.create_keypair(name=self.name, public_key=public)
        self._stack.callback(self.member.compute.delete_keypair, self.name)

    def _make_network(self) -> None:
        net = self.member.network
        self.network = self._keep(net.create_network(name=self.name), net.delete_network)
        pool = {"start": POOL[0], "end": POOL[1]}
        self.subnet = net.create_subnet(
            name=self.name, network_id=self.network.id, ip_version=4, cidr=CIDR, gateway_ip=GATEWAY,
            allocation_pools=[pool],
        )  # fmt: skip
        self.external = net.find_network(EXTERNAL, ignore_missing=False)
        gateway = {"network_id": self.external.id}
        router = self._keep(net.create_router(name=self.name, external_gateway_info=gateway), net.delete_router)
        net.add_interface_to_router(router.id, subnet=self.subnet.id)
        self._stack.callback(net.remove_interface_from_router, router.id, subnet=self.subnet.id)

    def _make_group(self) -> None:
        net = self.member.network
        self.group = self._keep(net.create_security_group(name=self.name), net.delete_security_group)
        for what in ({"protocol": "icmp"}, {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}):
            net.create_security_group_rule(
                security_group_id=self.group.id, direction="ingress", ethertype="IPv4", **what
            )

    def _server_group(self, policy: str) -> str:
        compute = self.member.compute
        made = compute.create_server_group(name=self.name, policy=policy)
        return str(self._keep(made, compute.delete_server_group).id)

    def _order(self, name: str, hints: dict[str, str]) -> str:
        compute = self.member.compute
        server = compute.create_server(
            name=name,
            image_id=self.member.image.find_image(IMAGE, ignore_missing=False).id,
            flavor_id=compute.find_flavor(FLAVOR, ignore_missing=False).id,
            key_name=self.name,
            networks=[{"uuid": self.network.id}],
            security_groups=[{"name": self.group.id}],
            **({"scheduler_hints": hints} if hints else {}),
        )
        self._ordered.append(server.id)
        return str(server.id)

    def _await_built(self, server_id: str) -> None:
        compute = self.member.compute
        compute.wait_for_server(compute.get_server(server_id), interval=0.5, wait=BUILD_S)

    def _delete_servers(self) -> None:
        compute = self.member.compute
        found = [compute.get_server(server_id) for server_id in self._ordered]
        for server in found:
            compute.delete_server(server.id)
        for server in found:
            compute.wait_for_delete(server, interval=0.5, wait=BUILD_S)

    def _take(self, server_id: str) -> Server:
        """Boot the guest that a server is, plugged in where Nova has put it, and give it a floating IP."""
        seen = self.admin.compute.get_server(server_id)
        [port] = self.member.network.ports(device_id=server_id)
        public = self.member.compute.get_keypair(seen.key_name).public_key
        guest = Guest(server_id, seen.name, seen.hostname, (self._nic(port),), (public,))
        self._guests.boot(seen.compute_host, guest)
        self._stack.callback(self._guests.delete, seen.compute_host, server_id)
        net = self.member.network
        floating = self._keep(net.create_ip(floating_network_id=self.external.id, port_id=port.id), net.delete_ip)
        server = Server(
            id=server_id,
            name=seen.name,
            host=seen.compute_host,
            port_id=port.id,
            mac=port.mac_address,
            fixed=port.fixed_ips[0]["ip_address"],
            floating=floating.floating_ip_address,
        )
        self.servers[server.name] = server
        return server

    def _nic(self, port: Any) -> Nic:
        length = ip_network(self.subnet.cidr).prefixlen
        return Nic(
            port_id=port.id,
            network_id=port.network_id,
            device="ens3",
            mac=port.mac_address,
            addresses=tuple(ip_interface(f"{each['ip_address']}/{length}") for each in port.fixed_ips),
            gateways=(ip_address(self.subnet.gateway_ip),),
            mtu=self.network.mtu,
            checksums=False,
        )

    def _await_login(self, server: Server) -> None:
        active = eventually(lambda: self.member.network.get_port(server.port_id).status == "ACTIVE", PORT_S)
        assert active, f"the port of {server.name} did not become ACTIVE within {PORT_S:g} s of being plugged"
        console = self._guests.console(server.host, server.id)
        answers = eventually(lambda: _is_ssh(server.floating), LOGIN_S)
        assert answers, f"{server.name} did not answer on {server.floating} within {LOGIN_S:g} s; see {console}"


def _is_ssh(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), BANNER_S) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def names_on_one_hypervisor(servers: Sequence[Server]) -> tuple[str, str]:
    """Return two servers that share a hypervisor; of three on two hypervisors there always are some."""
    return next(
        (one.name, other.name)
        for number, one in enumerate(servers)
        for other in servers[number + 1 :]
        if one.host == other.host
    )
