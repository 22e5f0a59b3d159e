"""Putting seeds into the store, through the same code that answers requests."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from haos.lab.api import compute_records, floating, networks, ports, rules, subnets
from haos.lab.api.groups import born
from haos.lab.api.routers import GATEWAY, INTERFACE, blank_router, router_between, trusted_port
from haos.lab.api.routing import Caller, Doc
from haos.lab.api.seed import CloudSeed, GroupSeed, InstanceSeed, NetworkSeed, NicSeed, SubnetSeed
from haos.lab.api.store import Store, new_id


class Planter:
    """Plants networks, groups and instances; what a seed names is looked up among what is there."""

    def __init__(self, store: Store, projects: dict[str, str], *, keys: tuple[str, ...] = ()) -> None:
        self._store = store
        self._projects = projects
        self._keys = keys
        self._ports = ports.Ports(store, lambda server_id: None)
        self._floating = floating.FloatingIps(store, self._ports)
        self._rules = rules.Rules(store)

    def cloud(self, seed: CloudSeed) -> None:
        """Plant a whole cloud."""
        for network in seed.networks:
            if network.external:
                self.network(network)
        self._router(seed.router)
        for network in seed.networks:
            if not network.external:
                self.network(network)
        for group in seed.groups:
            self.group(group)
        for instance in seed.instances:
            self.instance(instance)

    def network(self, seed: NetworkSeed) -> Doc:
        """Plant a network with its subnets and, if wanted, the router's port on it."""
        doc = {
            **networks.blank_network(),
            "id": seed.id or new_id(),
            "name": seed.name,
            "project_id": self._projects[seed.project],
            "shared": seed.shared,
            "router:external": seed.external,
            "mtu": seed.mtu,
        }
        network = self._store.add("networks", doc)
        for subnet in seed.subnets:
            self.subnet(network, subnet)
        if seed.router_port:
            first = self._store.where("subnets", network_id=network["id"])[0]
            self._router_port(network, first, *seed.router_port)
        return network

    def another_subnet(self, name: str, seed: SubnetSeed) -> Doc:
        """Plant a subnet on a network that is there; the router joins it if it has a port on that network."""
        network = self._named("networks", name)
        subnet = self.subnet(network, seed)
        if subnet["gateway_ip"] and self._store.where("ports", network_id=network["id"], device_owner=INTERFACE):
            self._router_port(network, subnet, "", "")
        self._store.change("networks", network["id"])
        return subnet

    def subnet(self, network: Doc, seed: SubnetSeed) -> Doc:
        """Plant a subnet."""
        body: dict[str, Any] = {
            "id": seed.id or new_id(),
            "name": seed.name,
            "project_id": network["project_id"],
            "network_id": network["id"],
            "cidr": seed.cidr,
            "ip_version": 6 if ":" in seed.cidr else 4,
            "enable_dhcp": not network["router:external"],
            "dns_nameservers": list(seed.dns),
            "ipv6_address_mode": seed.ipv6_mode,
            "ipv6_ra_mode": seed.ipv6_mode,
        }
        if seed.gateway is not None:
            body["gateway_ip"] = seed.gateway or None
        elif body["ip_version"] == 6:
            body["gateway_ip"] = str(ip_network(seed.cidr)[1])  # as most people choose, though not Neutron
        if seed.pool:
            body["allocation_pools"] = [{"start": seed.pool[0], "end": seed.pool[1]}]
        return subnets.new_subnet(self._store, network, body)

    def group(self, seed: GroupSeed) -> Doc:
        """Plant a security group."""
        project_id = self._projects[seed.project]
        blank = {"name": seed.name, "project_id": project_id, "stateful": True, "shared": False, "tags": []}
        group = born(self._store, blank)
        for rule in seed.rules:
            body = {
                "security_group_id": group["id"],
                "direction": rule.direction,
                "ethertype": rule.ethertype,
                "protocol": rule.protocol,
                "remote_ip_prefix": rule.remote,
                "port_range_min": rule.port,
                "port_range_max": rule.port,
            }
            self._rules.make(_root(project_id), body)
        return group

    def instance(self, seed: InstanceSeed) -> Doc:
        """Plant a server with its ports and floating IPs; nobody powers it on yet."""
        project_id = self._projects[seed.project]
        record = compute_records.new_server(project_id=project_id, name=seed.name, host=seed.host)
        keys = seed.keys or self._keys
        server = self._store.add("servers", {**record, "id": seed.id or record["id"], "_keys": keys})
        groups = [self._named("security_groups", name)["id"] for name in seed.groups]
        made = [self._nic(server, nic, groups) for nic in seed.nics]
        for nic, port in zip(seed.nics, made, strict=True):
            if nic.floating:
                self._float(project_id, port, nic.floating)
        fit = next(filter(self._can_float, made), None)
        if seed.floating and fit:
            self._float(project_id, fit, None)
        return server

    def _nic(self, server: Doc, nic: NicSeed, groups: list[str]) -> Doc:
        network = self._named("networks", nic.network)
        body: Doc = {
            "project_id": server["project_id"],
            "network_id": network["id"],
            "device_id": server["id"],
            "device_owner": "compute:nova",
            "binding:host_id": server["_host"],
        }
        if groups:
            body["security_groups"] = groups
        if nic.address:
            body["fixed_ips"] = [{"ip_address": nic.address}]
        if nic.mac:
            body["mac_address"] = nic.mac
        port = self._ports.make(_root(server["project_id"]), body)
        if not nic.port_id:
            return port
        self._store.drop("ports", port["id"])
        return self._store.add("ports", {**port, "id": nic.port_id})

    def _can_float(self, port: Doc) -> bool:
        """Say whether a port has an IPv4 address that the router joins to the outside."""
        external = self._store.where("networks", **{"router:external": True})[0]
        subnets = (self._store.get("subnets", item["subnet_id"]) for item in port["fixed_ips"])
        inside = [subnet["id"] for subnet in subnets if subnet is not None and subnet["ip_version"] == 4]
        return len(inside) == 1 and router_between(self._store, inside[0], external["id"]) is not None

    def _float(self, project_id: str, port: Doc, address: str | None) -> None:
        external = self._store.where("networks", **{"router:external": True})[0]
        body = {"floating_network_id": external["id"], "floating_ip_address": address, "port_id": port["id"]}
        self._floating.make(_root(project_id), {**body, "project_id": project_id})

    def _router(self, name: str) -> None:
        external = self._store.where("networks", **{"router:external": True})
        project_id = next(iter(self._projects.values()))
        router = self._store.add("routers", {**blank_router(), "name": name, "project_id": project_id})
        for network in external:
            port = trusted_port(self._store, network, GATEWAY, router["id"], project_id="")
            info = {"network_id": network["id"], "enable_snat": True, "external_fixed_ips": port["fixed_ips"]}
            self._store.change("routers", router["id"], external_gateway_info=info)

    def _router_port(self, network: Doc, subnet: Doc, port_id: str, mac: str) -> None:
        router, gateway = self._store.all("routers")[0], subnet["gateway_ip"]
        project = network["project_id"]
        port = trusted_port(self._store, network, INTERFACE, router["id"], project_id=project, address=gateway)
        self._store.drop("ports", port["id"])
        self._store.add("ports", {**port, "id": port_id or port["id"], "mac_address": mac or port["mac_address"]})

    def _named(self, table: str, name: str) -> Doc:
        for doc in self._store.all(table):
            if name in (doc["name"], doc["id"]):
                return doc
        raise LookupError(f"nothing in {table} is called {name!r}")


def _root(project_id: str) -> Caller:
    return Caller("", project_id, frozenset({"admin"}))
