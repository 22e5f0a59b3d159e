"""What the workflows need of Neutron and Nova, as a Protocol; part of `haos.workflow.context`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from haos.core.changes import PortAmendment, Reservation
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


class Cloud(Protocol):
    """The project's view of Neutron and Nova. Every method is as few API requests as it can be (said in each).

    Raises only errors of haos.errors.
    """

    def project_id(self) -> str:
        """Return the token's project (no request beyond authentication)."""

    def networks(self, names_or_ids: Sequence[str]) -> dict[str, CloudNetwork]:
        """Find networks, each reference -> the one: by name first, by id second (1 request; ids 1 more each).

        Raises NotFoundError or AmbiguousError.
        """

    def network_by_id(self, network_id: str) -> CloudNetwork:
        """Get a network (1 request)."""

    def networks_by_id(self, ids: Sequence[str]) -> dict[str, CloudNetwork]:
        """Get networks by id, those that are visible (1 request for 50)."""

    def subnets(self, network_id: str) -> tuple[Subnet, ...]:
        """List a network's subnets (1 request)."""

    def ports(self, network_id: str) -> tuple[Port, ...]:
        """List every port that is visible on a network (1 request a page)."""

    def port(self, port_id: str) -> Port:
        """Get a port as it is now (1 request). Raises NotFoundError."""

    def ports_by_id(self, ids: Sequence[str]) -> dict[str, Port]:
        """Get ports by id, those that still exist (1 request for 50)."""

    def instances(self, names_or_ids: Sequence[str]) -> dict[str, tuple[Instance, ...]]:
        """Find instances by exact name or id: each reference -> all that match, () if none (1 request; ids more)."""

    def instances_tagged(self, tag: str) -> tuple[Instance, ...]:
        """List instances with a server tag (1 request)."""

    def instances_by_id(self, ids: Sequence[str]) -> dict[str, Instance]:
        """Get instances by id, those that still exist (1 request)."""

    def console_log(self, instance_id: str) -> str:
        """Return the tail of an instance's console log (1 request)."""

    def extensions(self) -> frozenset[str]:
        """Return the aliases of Neutron's extensions (1 request)."""

    def quota(self) -> Quota:
        """Return what is left of the project's quota (1 request)."""

    def groups(self, ids: Sequence[str]) -> tuple[SecurityGroup, ...]:
        """Get security groups with their rules (1 request)."""

    def groups_named(self, name: str) -> tuple[SecurityGroup, ...]:
        """List the project's security groups of that name (1 request)."""

    def routers(self, ids: Sequence[str]) -> tuple[Router, ...]:
        """Get routers by id, those that are visible (1 request)."""

    def floating_ips(self, *, needed: bool = False) -> tuple[FloatingIp, ...]:
        """List the project's floating IPs (1 request); none where the cloud has no such thing, unless `needed`."""

    def make_floating_ip(self, network_id: str, port_id: str, fixed: Address, description: str) -> FloatingIp:
        """Make a floating IP that leads to an address of a port (1 request).

        An answer that was lost is looked up and adopted, never repeated blindly. Raises QuotaError, or
        UnsatisfiableError where no router leads there, or another one leads to the address already.
        """

    def take_floating_ip(self, floating: FloatingIp, port_id: str, fixed: Address) -> FloatingIp:
        """Let a floating IP that leads nowhere lead to an address of a port (1 request).

        CloudError if it leads elsewhere by now; an answer that was lost is looked up.
        """

    def mark_floating_ip(self, floating: FloatingIp, description: str) -> FloatingIp:
        """Give a floating IP a description, which says whose it is (1 request); safe to repeat."""

    def release_floating_ip(self, floating: FloatingIp) -> None:
        """Let a floating IP lead nowhere, unless it leads elsewhere by now; one that is gone is fine (1 request)."""

    def delete_floating_ip(self, floating_id: str) -> None:
        """Delete a floating IP; one that is gone already is fine (1 request)."""

    def reservations(self) -> tuple[Port, ...]:
        """List the project's ports whose device_owner is haos:vip (1 request)."""

    def reserve(self, reservation: Reservation) -> Port:
        """Create the reservation port (1 request).

        Raises AddressTakenError, MacTakenError, QuotaError or ForbiddenError.

        An answer that was lost is looked up and adopted, never repeated blindly.
        """

    def describe(self, port: Port, description: str) -> Port:
        """Rewrite the record on a reservation port (1 request, 2 more each time that something else of it changed).

        CloudError if the record is not the one of `port` any more; an answer that was lost is looked up.
        """

    def adopt(self, port: Port, *, device_id: str, description: str) -> Port:
        """Make an existing unbound port a reservation: owner, device_id, record (1 request).

        CloudError if it was changed since it was read; an answer that was lost is looked up.
        """

    def release_adopted(self, port_id: str) -> None:
        """Take owner, device_id and record off a port that was adopted; one that is gone is fine (1 request)."""

    def delete_port(self, port_id: str) -> None:
        """Delete a port; one that is gone already is fine (1 request)."""

    def make_group(self, name: str, description: str, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Create a security group with exactly these rules, Neutron's default egress rules deleted (2 + n requests).

        Undoes itself if it cannot finish.
        """

    def mark_group(self, group: SecurityGroup, description: str) -> SecurityGroup:
        """Give a security group a description, which says whose it is (1 request); safe to repeat."""

    def set_rules(self, group: SecurityGroup, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Bring a group of ours to exactly these rules: adds what is missing, then deletes what is not wanted.

        1 request for all that is added, 1 for each that is deleted; none if nothing would change. "vrrp" is "112".
        """

    def delete_group(self, group_id: str) -> None:
        """Delete a security group; one that is gone already is fine (1 request)."""

    def amend_port(self, port: Port, amendment: PortAmendment) -> Port:
        """Add and take away on one port under If-Match, from the state given; on 412 read, merge, again.

        One PUT carries pairs and groups together; no request at all if nothing would change. A port that is
        gone raises NotFoundError.
        """

    def set_port_up(self, port_id: str, up: bool) -> None:
        """Set a port's administrative state (1 request); a port that is so already is fine."""

    def instance_action(self, instance_id: str, action: InstanceAction) -> None:
        """Order it and return once the order is taken, or was before (1 request; 2 where the instance is at it).

        CloudError if the instance is in a state that does not allow it, as while something else is done to it.
        """

    def add_tag(self, port_id: str, tag: str) -> None:
        """Put a tag on a port; one that is there already is fine (1 request)."""

    def remove_tag(self, port_id: str, tag: str) -> None:
        """Take a tag off a port; one that is gone, and a port that is, are fine (1 request)."""
