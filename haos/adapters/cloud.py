"""The cloud by its REST APIs: `haos.workflow.context.Cloud` in as few requests as it can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from haos.adapters import cloud_parse as parse
from haos.adapters.cloud_errors import LostAnswerError, RevisionError
from haos.adapters.cloud_rest import Json, Rest, patiently
from haos.core.model import (
    RESERVATION_OWNER,
    CloudNetwork,
    Instance,
    Port,
    Quota,
    SecurityGroup,
    SecurityRule,
    Subnet,
)
from haos.errors import (
    AddressTakenError,
    AmbiguousError,
    CloudError,
    ForbiddenError,
    HaosError,
    LeftoverError,
    MacTakenError,
    NotFoundError,
)
from haos.workflow.context import PortAmendment, Reservation

CONFLICT_DEADLINE_S = 30.0
"""How long to keep on when others change the same thing, or answers are lost."""
CONFLICT_ATTEMPTS = 30
LOST_ATTEMPTS = 4
CONSOLE_LINES = 1000


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

    def project_id(self) -> str:
        """Return the token's project."""
        return self._project_id

    def network(self, name_or_id: str) -> CloudNetwork:
        """Find one network, by name first (1 request), by id second (1 more)."""
        found = self._neutron.pages("/networks", f"find network {name_or_id!r}", {"name": name_or_id})
        if len(found) > 1:
            ids = ", ".join(item["id"] for item in found)
            raise AmbiguousError(f"{len(found)} networks are named {name_or_id!r}: {ids}", hint="give the id instead")
        if found:
            return parse.network(found[0])
        try:
            if _is_uuid(name_or_id):
                return self.network_by_id(name_or_id)
        except NotFoundError:
            pass
        raise NotFoundError(f"no network named {name_or_id!r} is visible", hint="openstack network list")

    def network_by_id(self, network_id: str) -> CloudNetwork:
        """Get a network."""
        return parse.network(self._neutron.get(f"/networks/{network_id}", f"get network {network_id}")["network"])

    def subnets(self, network_id: str) -> tuple[Subnet, ...]:
        """List a network's subnets."""
        return tuple(map(parse.subnet, self._neutron.pages("/subnets", "list subnets", {"network_id": network_id})))

    def ports(self, network_id: str) -> tuple[Port, ...]:
        """List every port that is visible on a network."""
        return tuple(map(parse.port, self._neutron.pages("/ports", "list ports", {"network_id": network_id})))

    def port(self, port_id: str) -> Port:
        """Get a port as it is now."""
        return parse.port(self._neutron.get(f"/ports/{port_id}", f"get port {port_id}")["port"])

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
            try:
                found[one] = parse.instance(self._nova.get(f"/servers/{one}", f"get instance {one}")["server"])
            except NotFoundError:
                continue
        return found

    def _servers(self, query: Mapping[str, str]) -> list[Instance]:
        return list(map(parse.instance, self._nova.pages("/servers/detail", "list instances", query, key="servers")))

    def console_log(self, instance_id: str) -> str:
        """Return the tail of an instance's console log. Raises CloudError where there is none."""
        body = {"os-getConsoleOutput": {"length": CONSOLE_LINES}}
        try:
            answer = self._nova.ask(f"/servers/{instance_id}/action", f"read the console of {instance_id}", body)
        except NotFoundError as error:  # also Nova's word for an instance that has no console (yet)
            raise CloudError(error.reason) from error
        return str(answer.get("output") or "")

    def extensions(self) -> frozenset[str]:
        """Return the aliases of Neutron's extensions."""
        body = self._neutron.get("/extensions", "list the network extensions")
        return frozenset(item["alias"] for item in body["extensions"])

    def quota(self) -> Quota:
        """Return what is left of the project's quota; unknown where this cloud does not tell."""
        try:
            return parse.quota(
                self._neutron.get(f"/quotas/{self._project_id}/details.json", "read the quota")["quota"]
            )
        except (NotFoundError, ForbiddenError):
            return Quota()

    def groups(self, ids: Sequence[str]) -> tuple[SecurityGroup, ...]:
        """Get security groups with their rules."""
        return self._groups({"id": list(ids)}) if ids else ()

    def groups_named(self, name: str) -> tuple[SecurityGroup, ...]:
        """List the project's security groups of that name."""
        return self._groups({"name": name, "project_id": self._project_id})

    def _groups(self, query: Mapping[str, str | list[str]]) -> tuple[SecurityGroup, ...]:
        return tuple(map(parse.group, self._neutron.pages("/security-groups", "list security groups", query)))

    def reservations(self) -> tuple[Port, ...]:
        """List the project's reservation ports."""
        return self._reservations({})

    def _reservations(self, more: Mapping[str, str]) -> tuple[Port, ...]:
        query = {"device_owner": RESERVATION_OWNER, "project_id": self._project_id, **more}
        return tuple(map(parse.port, self._neutron.pages("/ports", "list reservations", query)))

    def reserve(self, reservation: Reservation) -> Port:
        """Create the reservation port; an answer that was lost is looked up and adopted."""
        body = parse.reservation_body(reservation)
        lost = False

        def attempt() -> Port:
            nonlocal lost
            try:
                answer = self._neutron.write("POST", "/ports", f"reserve {reservation.address}", {"port": body})
                return parse.port(answer["port"])
            except LostAnswerError:
                lost = True
                if mine := self._made_by_us(reservation):
                    return mine
                raise
            except (AddressTakenError, MacTakenError):
                # The one who took it may have been this run, a moment ago.
                if lost and (mine := self._made_by_us(reservation)):
                    return mine
                raise

        return patiently(attempt, LostAnswerError, attempts=LOST_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S)

    def _made_by_us(self, reservation: Reservation) -> Port | None:
        query = {
            "network_id": reservation.network_id,
            "device_id": reservation.device_id,
            "fixed_ips": f"ip_address={reservation.address}",
        }
        return next((port for port in self._reservations(query) if parse.holds(port, reservation)), None)

    def describe(self, port_id: str, description: str, *, revision: int | None = None) -> Port:
        """Rewrite the record on a reservation port."""
        body = {"port": {"description": description}}

        def attempt() -> Port:
            try:
                answer = self._neutron.write("PUT", f"/ports/{port_id}", "write the record", body, revision=revision)
            except LostAnswerError:
                now = self.port(port_id)
                if now.description == description:
                    return now
                raise
            return parse.port(answer["port"])

        return patiently(attempt, LostAnswerError, attempts=LOST_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S)

    def delete_port(self, port_id: str) -> None:
        """Delete a port; one that is gone already is fine."""
        self._neutron.delete(f"/ports/{port_id}", f"delete port {port_id}")

    def make_group(self, name: str, description: str, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Create a security group with exactly these rules; undoes itself if it cannot finish."""
        made = self._new_group(name, description)
        try:
            for born in made.rules:
                self._neutron.delete(f"/security-group-rules/{born.id}", f"delete a default rule of {name}")
            bodies = [parse.rule_body(rule, made.id) for rule in rules]
            what = f"make the rules of security group {name}"
            answer = self._neutron.write("POST", "/security-group-rules", what, {"security_group_rules": bodies})
        except (HaosError, KeyboardInterrupt) as error:
            self._unmake_group(made.id, error)
            raise
        return parse.with_rules(made, answer["security_group_rules"])

    def _new_group(self, name: str, description: str) -> SecurityGroup:
        body = {"security_group": {"name": name, "description": description}}
        try:
            answer = self._neutron.write("POST", "/security-groups", f"make security group {name}", body)
        except LostAnswerError:
            made = [group for group in self.groups_named(name) if group.description == description]
            if len(made) != 1:
                raise
            return made[0]
        return parse.group(answer["security_group"])

    def _unmake_group(self, group_id: str, error: BaseException) -> None:
        try:
            self.delete_group(group_id)
        except HaosError as second:
            reason = f"{error or 'interrupted'}. Not undone: security group {group_id} ({second})"
            raise LeftoverError(reason, hint=f"openstack security group delete {group_id}") from error

    def delete_group(self, group_id: str) -> None:
        """Delete a security group; one that is gone already is fine."""
        self._neutron.delete(f"/security-groups/{group_id}", f"delete security group {group_id}")

    def amend_port(self, port: Port, amendment: PortAmendment) -> Port:
        """Add and take away on one port under If-Match, from the state given; on 412 read, merge, again."""
        known = port

        def attempt() -> Port:
            nonlocal known
            body: Json = parse.amended(known, amendment)
            if not body:
                return known
            what = f"change port {port.id}"
            try:
                answer = self._neutron.write(
                    "PUT", f"/ports/{port.id}", what, {"port": body}, revision=known.revision
                )
            except (RevisionError, LostAnswerError):
                known = self.port(port.id)
                raise
            return parse.port(answer["port"])

        return patiently(
            attempt, (RevisionError, LostAnswerError), attempts=CONFLICT_ATTEMPTS, deadline_s=CONFLICT_DEADLINE_S
        )


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
