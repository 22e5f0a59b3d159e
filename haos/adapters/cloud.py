"""The cloud by its REST APIs: `haos.workflow.context.Cloud` in as few requests as it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from haos.adapters import cloud_parse as parse
from haos.adapters.cloud_actions import Actions
from haos.adapters.cloud_fields import Fields
from haos.adapters.cloud_floating import FloatingIps
from haos.adapters.cloud_groups import SecurityGroups
from haos.adapters.cloud_ports import Ports
from haos.adapters.cloud_rest import Rest
from haos.core.model import (
    Address,
    CloudNetwork,
    FloatingIp,
    Instance,
    InstanceAction,
    Port,
    Quota,
    Router,
    SecurityGroup,
    SecurityRule,
    Subnet,
)
from haos.errors import AmbiguousError, CloudError, ForbiddenError, NotFoundError
from haos.workflow.context import PortAmendment, Reservation

CONSOLE_LINES = 1000
IDS_PER_REQUEST = 50
"""So that a URL stays below the 4 kB that some proxies allow."""


class OpenStackCloud:
    """One project of a cloud. Threads may share it."""

    def __init__(
        self, network: Rest, compute: Rest, project_id: str, settings: Mapping[str, str], *, insecure: bool = False
    ) -> None:
        self.settings = settings
        self.insecure = insecure
        self._neutron = network
        self._nova = compute
        self._project_id = project_id
        self._ports = Ports(network, project_id)
        self._groups = SecurityGroups(network, project_id)
        self._actions = Actions(network, compute)
        self._floating = FloatingIps(network, project_id)

    def project_id(self) -> str:
        """Return the token's project."""
        return self._project_id

    def networks(self, names_or_ids: Sequence[str]) -> dict[str, CloudNetwork]:
        """Find networks by name in one request, then by id those that are none's name (1 request each)."""
        refs = list(dict.fromkeys(names_or_ids))
        if not all(refs):  # Neutron would give every network that has no name
            raise NotFoundError("no network is named", hint="openstack network list")
        what = f"find network {' and '.join(map(repr, refs))}"
        found = list(map(parse.network, self._neutron.pages("/networks", what, {"name": refs})))
        return {ref: self._network(ref, found) for ref in refs}

    def _network(self, ref: str, found: Sequence[CloudNetwork]) -> CloudNetwork:
        # Some databases compare names without regard to case; who names one to the letter means that one.
        alike = [network for network in found if network.name.casefold() == ref.casefold()]
        named = [network for network in alike if network.name == ref] or alike
        if len(named) > 1:
            ids = ", ".join(network.id for network in named)
            raise AmbiguousError(f"{len(named)} networks are named {ref!r}: {ids}", hint="give the id instead")
        if named:
            return named[0]
        try:
            if _is_uuid(ref):
                return self.network_by_id(ref)
        except NotFoundError:
            pass
        raise NotFoundError(f"no network named {ref!r} is visible", hint="openstack network list")

    def network_by_id(self, network_id: str) -> CloudNetwork:
        """Get a network."""
        what = f"get network {network_id}"
        return parse.network(
            parse.part(self._neutron.get(f"/networks/{network_id}", what), "network", f"cannot {what}")
        )

    def networks_by_id(self, ids: Sequence[str]) -> dict[str, CloudNetwork]:
        """Get networks by id, those that are visible."""
        found = map(parse.network, self._by_id("/networks", "list networks", ids))
        return {network.id: network for network in found}

    def ports_by_id(self, ids: Sequence[str]) -> dict[str, Port]:
        """Get ports by id, those that still exist."""
        return {port.id: port for port in map(parse.port, self._by_id("/ports", "list ports", ids))}

    def _by_id(self, path: str, what: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        wanted = list(dict.fromkeys(ids))
        parts = [wanted[start : start + IDS_PER_REQUEST] for start in range(0, len(wanted), IDS_PER_REQUEST)]
        return [item for part in parts for item in self._neutron.pages(path, what, {"id": part})]

    def subnets(self, network_id: str) -> tuple[Subnet, ...]:
        """List a network's subnets."""
        return tuple(map(parse.subnet, self._neutron.pages("/subnets", "list subnets", {"network_id": network_id})))

    def ports(self, network_id: str) -> tuple[Port, ...]:
        """List every port that is visible on a network."""
        return tuple(map(parse.port, self._neutron.pages("/ports", "list ports", {"network_id": network_id})))

    def port(self, port_id: str) -> Port:
        """Get a port as it is now."""
        return self._ports.get(port_id)

    def instances(self, names_or_ids: Sequence[str]) -> dict[str, tuple[Instance, ...]]:
        """Find instances by exact name in one request, then by id those that are none's name (1 request each)."""
        if not names_or_ids:
            return {}
        servers = self._servers({"name": parse.name_filter(names_or_ids)})
        found = {ref: tuple(server for server in servers if server.name == ref) for ref in names_or_ids}
        for ref in found:
            if not found[ref] and _is_uuid(ref):
                found[ref] = tuple(self.instances_by_id([ref]).values())
        return found

    def instances_tagged(self, tag: str) -> tuple[Instance, ...]:
        """List instances with a server tag."""
        return tuple(self._servers({"tags": tag}))

    def instances_by_id(self, ids: Sequence[str]) -> dict[str, Instance]:
        """Get instances by id, those that still exist, in one request however many they are."""
        wanted = set(ids)
        if len(wanted) > 1:
            # Nova has no filter for several ids.
            return {server.id: server for server in self._servers({}) if server.id in wanted}
        found = {}
        for one in wanted:
            what = f"get instance {one}"
            try:
                answer = self._nova.get(f"/servers/{one}", what)
            except NotFoundError:
                continue
            found[one] = parse.instance(parse.part(answer, "server", f"cannot {what}"))
        return found

    def _servers(self, query: Mapping[str, str]) -> list[Instance]:
        return list(map(parse.instance, self._nova.pages("/servers/detail", "list instances", query, key="servers")))

    def console_log(self, instance_id: str) -> str:
        """Return the tail of an instance's console log. Raises CloudError where there is none."""
        body = {"os-getConsoleOutput": {"length": CONSOLE_LINES}}
        try:
            answer = self._nova.ask(f"/servers/{instance_id}/action", f"read the console of {instance_id}", body)
        except NotFoundError as error:  # also Nova's word for an instance that has no console (yet)
            raise CloudError(error.reason, hint=error.hint) from error
        return Fields(answer, "console").text("output", "")

    def extensions(self) -> frozenset[str]:
        """Return the aliases of Neutron's extensions."""
        what = "list the network extensions"
        items = parse.parts(self._neutron.get("/extensions", what), "extensions", f"cannot {what}")
        return frozenset(Fields(item, "extension").text("alias") for item in items)

    def quota(self) -> Quota:
        """Return what is left of the project's quota; unknown where this cloud does not tell."""
        try:
            answer = self._neutron.get(f"/quotas/{self._project_id}/details.json", "read the quota")
        except (NotFoundError, ForbiddenError):
            return Quota()
        return parse.quota(parse.part(answer, "quota", "cannot read the quota"))

    def routers(self, ids: Sequence[str]) -> tuple[Router, ...]:
        """Get routers by id, those that are visible."""
        return self._floating.routers(ids)

    def floating_ips(self, *, needed: bool = False) -> tuple[FloatingIp, ...]:
        """List the project's floating IPs; none where the cloud has no such thing, unless they are `needed`."""
        return self._floating.listed(needed=needed)

    def make_floating_ip(self, network_id: str, port_id: str, fixed: Address, description: str) -> FloatingIp:
        """Make a floating IP that leads to an address of a port; an answer that was lost is looked up."""
        return self._floating.make(network_id, port_id, fixed, description)

    def take_floating_ip(self, floating: FloatingIp, port_id: str, fixed: Address) -> FloatingIp:
        """Let a floating IP that leads nowhere lead to an address of a port."""
        return self._floating.take(floating, port_id, fixed)

    def mark_floating_ip(self, floating: FloatingIp, description: str) -> FloatingIp:
        """Give a floating IP a description."""
        return self._floating.mark(floating, description)

    def release_floating_ip(self, floating: FloatingIp) -> None:
        """Let a floating IP lead nowhere, unless it leads elsewhere by now."""
        self._floating.release(floating)

    def delete_floating_ip(self, floating_id: str) -> None:
        """Delete a floating IP; one that is gone already is fine."""
        self._floating.delete(floating_id)

    def reservations(self) -> tuple[Port, ...]:
        """List the project's reservation ports."""
        return self._ports.reservations({})

    def reserve(self, reservation: Reservation) -> Port:
        """Create the reservation port; an answer that was lost is looked up and adopted."""
        return self._ports.reserve(reservation)

    def describe(self, port: Port, description: str) -> Port:
        """Rewrite the record on a reservation port, unless somebody else did since it was read."""
        return self._ports.describe(port, description)

    def adopt(self, port: Port, *, device_id: str, description: str) -> Port:
        """Make an existing unbound port a reservation of haos's, unless somebody changed it since it was read."""
        return self._ports.adopt(port, device_id, description)

    def release_adopted(self, port_id: str) -> None:
        """Give a port that was adopted back, as unbound as it was; one that is gone is fine."""
        self._ports.release(port_id)

    def amend_port(self, port: Port, amendment: PortAmendment) -> Port:
        """Add and take away on one port under If-Match, from the state given; on 412 read, merge, again."""
        return self._ports.amend(port, amendment)

    def delete_port(self, port_id: str) -> None:
        """Delete a port; one that is gone already is fine."""
        self._ports.delete(port_id)

    def set_port_up(self, port_id: str, up: bool) -> None:
        """Set a port's administrative state."""
        self._actions.set_port_up(port_id, up)

    def instance_action(self, instance_id: str, action: InstanceAction) -> None:
        """Order an action; a refusal is fine if the instance is there already, or on its way."""
        self._actions.instance_action(instance_id, action)

    def add_tag(self, port_id: str, tag: str) -> None:
        """Put a tag on a port."""
        self._actions.add_tag(port_id, tag)

    def remove_tag(self, port_id: str, tag: str) -> None:
        """Take a tag off a port; what is gone is fine."""
        self._actions.remove_tag(port_id, tag)

    def groups(self, ids: Sequence[str]) -> tuple[SecurityGroup, ...]:
        """Get security groups with their rules."""
        return self._groups.get(ids)

    def groups_named(self, name: str) -> tuple[SecurityGroup, ...]:
        """List the project's security groups of that name."""
        return self._groups.named(name)

    def make_group(self, name: str, description: str, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Create a security group with exactly these rules; undoes itself if it cannot finish."""
        return self._groups.make(name, description, rules)

    def mark_group(self, group: SecurityGroup, description: str) -> SecurityGroup:
        """Give a security group a description."""
        return self._groups.mark(group, description)

    def set_rules(self, group: SecurityGroup, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Bring a group to exactly these rules."""
        return self._groups.set_rules(group, rules)

    def delete_group(self, group_id: str) -> None:
        """Delete a security group; one that is gone already is fine."""
        self._groups.delete(group_id)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
