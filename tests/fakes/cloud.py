"""Neutron and Nova of the in-memory world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from haos.core.changes import PortAmendment, Reservation
from haos.core.model import (
    RESERVATION_OWNER,
    CloudNetwork,
    FixedIp,
    Instance,
    InstanceAction,
    Port,
    Quota,
    SecurityGroup,
    SecurityRule,
    Subnet,
)
from haos.core.security import rule_changes
from haos.errors import AddressTakenError, CloudError, MacTakenError, NotFoundError
from tests.fakes.floating import FloatingCloud

if TYPE_CHECKING:
    from tests.fakes.world import World


PROJECT = "26cfbd9d4ee64d8faecd287bb39d3870"
BEFORE = {
    InstanceAction.START: "SHUTOFF",
    InstanceAction.STOP: "ACTIVE",
    InstanceAction.PAUSE: "ACTIVE",
    InstanceAction.UNPAUSE: "PAUSED",
}
"""The status in which Nova does it."""


@dataclass
class FakeCloud(FloatingCloud):
    """Neutron and Nova as one member of the owning project sees them."""

    world: World
    requests: int = 0

    def project_id(self) -> str:
        return PROJECT

    def networks(self, names_or_ids: Sequence[str]) -> dict[str, CloudNetwork]:
        return {ref: self._network(ref) for ref in names_or_ids}

    def _network(self, name_or_id: str) -> CloudNetwork:
        for network in self.world.networks.values():
            if name_or_id in (network.name, network.id):
                return network
        raise NotFoundError(f"no network {name_or_id!r}")

    def network_by_id(self, network_id: str) -> CloudNetwork:
        return self._network(network_id)

    def networks_by_id(self, ids: Sequence[str]) -> dict[str, CloudNetwork]:
        self.requests += 1
        return {one: self.world.networks[one] for one in ids if one in self.world.networks}

    def ports_by_id(self, ids: Sequence[str]) -> dict[str, Port]:
        self.requests += 1
        return {one: self.world.ports[one] for one in ids if one in self.world.ports}

    def subnets(self, network_id: str) -> tuple[Subnet, ...]:
        return tuple(subnet for subnet in self.world.subnets.values() if subnet.network_id == network_id)

    def ports(self, network_id: str) -> tuple[Port, ...]:
        return tuple(port for port in self.world.ports.values() if port.network_id == network_id)

    def port(self, port_id: str) -> Port:
        if port_id not in self.world.ports:
            raise NotFoundError(f"no port {port_id}")
        return self.world.ports[port_id]

    def instances(self, names_or_ids: Sequence[str]) -> dict[str, tuple[Instance, ...]]:
        everyone = [self.world.shown(one) for one in self.world.instances.values()]
        return {ref: tuple(one for one in everyone if ref in (one.name, one.id)) for ref in names_or_ids}

    def instances_tagged(self, tag: str) -> tuple[Instance, ...]:
        return tuple(one for one in self.world.instances.values() if tag in one.tags)

    def instances_by_id(self, ids: Sequence[str]) -> dict[str, Instance]:
        everyone = self.world.instances
        return {one: self.world.shown(everyone[one]) for one in ids if one in everyone}

    def console_log(self, instance_id: str) -> str:
        return ""

    def extensions(self) -> frozenset[str]:
        return frozenset({"allowed-address-pairs", "port-security", "standard-attr-revisions", "revision-if-match"})

    def quota(self) -> Quota:
        return Quota(ports=100, groups=10, rules=100, floating_ips=self.world.floating_left)

    def groups(self, ids: Sequence[str]) -> tuple[SecurityGroup, ...]:
        return tuple(self.world.groups[one] for one in ids if one in self.world.groups)

    def groups_named(self, name: str) -> tuple[SecurityGroup, ...]:
        return tuple(group for group in self.world.groups.values() if group.name == name)

    def reservations(self) -> tuple[Port, ...]:
        return tuple(port for port in self.world.ports.values() if port.device_owner == RESERVATION_OWNER)

    def reserve(self, reservation: Reservation) -> Port:
        for port in self.world.ports.values():
            if any(fixed.address == reservation.address for fixed in port.fixed_ips):
                raise AddressTakenError(f"{reservation.address} is taken")
            if port.mac == reservation.mac:
                raise MacTakenError(f"{reservation.mac} is taken")
        port_id = self.world.new_id()
        port = Port(
            id=port_id,
            network_id=reservation.network_id,
            project_id=PROJECT,
            mac=reservation.mac or f"fa:16:3e:ff:00:{self.world.made:02x}",
            fixed_ips=(FixedIp(reservation.address, reservation.subnet_id),),
            name=reservation.name,
            device_id=reservation.device_id,
            device_owner=RESERVATION_OWNER,
            description=reservation.description,
            revision=1,
        )
        with self.world.effects.effect("reserve"):
            self.world.ports[port.id] = port
        return port

    def describe(self, port: Port, description: str) -> Port:
        now = self.port(port.id)
        if now.description != port.description:
            raise CloudError("the record was changed by somebody else meanwhile")
        return self._put("describe", port.id, now.revision, description=description)

    def adopt(self, port: Port, *, device_id: str, description: str) -> Port:
        marks = {"device_owner": RESERVATION_OWNER, "device_id": device_id, "description": description}
        return self._put("adopt", port.id, port.revision, **marks)

    def release_adopted(self, port_id: str) -> None:
        if port_id in self.world.ports:
            self._put("release", port_id, None, device_owner="", device_id="", description="")

    def _put(self, effect: str, port_id: str, revision: int | None, **fields: str) -> Port:
        now = self.port(port_id)
        if revision not in (None, now.revision):
            raise CloudError(f"port {port_id} was changed by somebody else meanwhile")
        with self.world.effects.effect(effect):
            fresh = (now.revision or 0) + 1
            self.world.ports[port_id] = replace(now, revision=fresh, **fields)  # type: ignore[arg-type]
        return self.world.ports[port_id]

    def delete_port(self, port_id: str) -> None:
        with self.world.effects.effect("delete port"):
            self.world.ports.pop(port_id, None)
            self.port_is_gone(port_id)

    def make_group(self, name: str, description: str, rules: Sequence[SecurityRule]) -> SecurityGroup:
        group = SecurityGroup(self.world.new_id(), name, PROJECT, description, ())
        try:
            with self.world.effects.effect("make group"):
                self.world.groups[group.id] = group
            with self.world.effects.effect("make rules"):
                self.world.groups[group.id] = replace(group, rules=tuple(rules))
        except CloudError:
            self.world.groups.pop(group.id, None)
            raise
        return self.world.groups[group.id]

    def mark_group(self, group: SecurityGroup, description: str) -> SecurityGroup:
        with self.world.effects.effect("mark group"):
            self.world.groups[group.id] = replace(self.world.groups[group.id], description=description)
        return self.world.groups[group.id]

    def set_rules(self, group: SecurityGroup, rules: Sequence[SecurityRule]) -> SecurityGroup:
        _, missing, unwanted = rule_changes(group.rules, rules)  # of what the caller knows, as the adapter does
        if missing or unwanted:
            with self.world.effects.effect("set rules"):
                now = self.world.groups[group.id]
                kept = tuple(rule for rule in now.rules if rule not in (*unwanted, *missing))
                self.world.groups[group.id] = replace(now, rules=kept + missing)
        return self.world.groups[group.id]

    def delete_group(self, group_id: str) -> None:
        if any(group_id in port.group_ids for port in self.world.ports.values()):
            raise CloudError(f"security group {group_id} in use")
        with self.world.effects.effect("delete group"):
            self.world.groups.pop(group_id, None)

    def amend_port(self, port: Port, amendment: PortAmendment) -> Port:
        now = self.port(port.id)
        pairs = [pair for pair in now.pairs if pair not in amendment.remove_pairs]
        pairs += [pair for pair in amendment.add_pairs if pair not in pairs]
        groups = [group for group in now.group_ids if group not in amendment.remove_groups]
        groups += [group for group in amendment.add_groups if group not in groups]
        if unknown := [group for group in amendment.add_groups if group not in self.world.groups]:
            raise NotFoundError(f"security group {unknown[0]} does not exist")
        wanted = replace(now, pairs=tuple(pairs), group_ids=tuple(groups), revision=(now.revision or 0) + 1)
        if (wanted.pairs, wanted.group_ids) == (now.pairs, now.group_ids):
            return now
        with self.world.effects.effect(f"amend {port.id[:8]}"):
            self.world.ports[port.id] = wanted
        return wanted

    def set_port_up(self, port_id: str, up: bool) -> None:
        port = self.port(port_id)
        if port.admin_up != up:
            with self.world.effects.effect(f"port {'up' if up else 'down'} {self._owner(port)}"):
                self.world.ports[port_id] = replace(port, admin_up=up, revision=(port.revision or 0) + 1)
                self.world.elect()

    def _owner(self, port: Port) -> str:
        instance = self.world.instances.get(port.device_id)
        return instance.name if instance else port.id

    def instance_action(self, instance_id: str, action: InstanceAction) -> None:
        if instance_id not in self.world.instances:
            raise NotFoundError(f"no instance {instance_id}")
        instance = self.world.instances[instance_id]
        busy = self.world.shown(instance) != instance
        if busy and self.world.acted[instance_id][1] is not action:
            raise CloudError(f"cannot {action} {instance.name} while something else is done to it")
        if instance.status == action.outcome:
            return
        if instance.status != BEFORE[action]:
            raise CloudError(f"cannot {action} {instance.name} while it is {instance.status}")
        with self.world.effects.effect(f"{action.removeprefix('os-')} {instance.name}"):
            self.world.acted[instance_id] = self.world.clock.now, action, instance
            self.world.instances[instance_id] = replace(instance, status=action.outcome)
            self.world.elect()

    def add_tag(self, port_id: str, tag: str) -> None:
        port = self.port(port_id)
        with self.world.effects.effect("tag"):
            self.world.ports[port_id] = replace(port, tags=tuple(dict.fromkeys((*port.tags, tag))))

    def remove_tag(self, port_id: str, tag: str) -> None:
        port = self.world.ports.get(port_id)
        if port is not None and tag in port.tags:
            with self.world.effects.effect("untag"):
                self.world.ports[port_id] = replace(port, tags=tuple(one for one in port.tags if one != tag))
