"""The cloud by its REST APIs: `haos.workflow.context.Cloud` in as few requests as it can be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from keystoneauth1.adapter import Adapter
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from haos.adapters import cloud_parse as parse
from haos.adapters.cloud_errors import LostAnswerError, RevisionError, translated
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
from haos.errors import AmbiguousError, CloudError, HaosError, NotFoundError
from haos.workflow.context import PortAmendment, Reservation

T = TypeVar("T")
TAGS_MICROVERSION = "2.26"
CONFLICT_DEADLINE_S = 30.0
READ_RETRIES = 3
CONSOLE_LINES = 1000


class OpenStackCloud:
    """One project of a cloud. Threads may share it."""

    def __init__(
        self,
        network: Adapter,
        compute: Adapter,
        project_id: str,
        settings: Mapping[str, str],
        *,
        insecure: bool = False,
    ) -> None:
        self.settings = settings
        self.insecure = insecure
        self._network = network
        self._compute = compute
        self._project_id = project_id

    def project_id(self) -> str:
        """Return the token's project."""
        return self._project_id

    def network(self, name_or_id: str) -> CloudNetwork:
        """Find one network, by name first (1 request), by id second (1 more)."""
        found = self._list("networks", f"find network {name_or_id!r}", {"name": name_or_id})
        if not found and _is_uuid(name_or_id):
            return self.network_by_id(name_or_id)
        if not found:
            raise NotFoundError(f"no network named {name_or_id!r}", hint="openstack network list")
        if len(found) > 1:
            ids = ", ".join(item["id"] for item in found)
            raise AmbiguousError(f"{len(found)} networks are named {name_or_id!r}: {ids}", hint="give the id instead")
        return parse.network(found[0])

    def network_by_id(self, network_id: str) -> CloudNetwork:
        """Get a network."""
        return parse.network(self._get(f"/networks/{network_id}", f"get network {network_id}")["network"])

    def subnets(self, network_id: str) -> tuple[Subnet, ...]:
        """List a network's subnets."""
        return tuple(map(parse.subnet, self._list("subnets", "list subnets", {"network_id": network_id})))

    def ports(self, network_id: str) -> tuple[Port, ...]:
        """List every port that is visible on a network."""
        return tuple(map(parse.port, self._list("ports", "list ports", {"network_id": network_id})))

    def port(self, port_id: str) -> Port:
        """Get a port as it is now."""
        return parse.port(self._get(f"/ports/{port_id}", f"get port {port_id}")["port"])

    def instances(self, names_or_ids: Sequence[str]) -> dict[str, tuple[Instance, ...]]:
        """Find instances by exact name in one request, then by id those that are none's name."""
        # Nova's filter is a regular expression of its database: the exact comparison is ours.
        pattern = "|".join(re.escape(ref) for ref in names_or_ids)
        servers = self._servers({"name": f"^({pattern})$"})
        found = {ref: tuple(server for server in servers if server.name == ref) for ref in names_or_ids}
        for ref in names_or_ids:
            if not found[ref] and _is_uuid(ref):
                found[ref] = tuple(self.instances_by_id([ref]).values())
        return found

    def instances_tagged(self, tag: str) -> tuple[Instance, ...]:
        """List instances with a server tag."""
        return tuple(self._servers({"tags": tag}))

    def instances_by_id(self, ids: Sequence[str]) -> dict[str, Instance]:
        """Get instances by id, those that still exist; one request each."""
        found = {}
        for one in dict.fromkeys(ids):
            try:
                with translated(f"get instance {one}"):
                    answer = self._compute.get(f"/servers/{one}", microversion=TAGS_MICROVERSION)
            except NotFoundError:
                continue
            found[one] = parse.instance(answer.json()["server"])
        return found

    def console_log(self, instance_id: str) -> str:
        """Return the tail of an instance's console log."""
        with translated(f"read the console log of {instance_id}"):
            answer = self._compute.post(
                f"/servers/{instance_id}/action", json={"os-getConsoleOutput": {"length": CONSOLE_LINES}}
            )
        return str(answer.json().get("output") or "")

    def extensions(self) -> frozenset[str]:
        """Return the aliases of Neutron's extensions."""
        body = self._get("/extensions", "list the network extensions")
        return frozenset(item["alias"] for item in body["extensions"])

    def quota(self) -> Quota:
        """Return what is left of the project's quota; unknown where this cloud does not tell."""
        try:
            return parse.quota(self._get(f"/quotas/{self._project_id}/details.json", "read the quota")["quota"])
        except (NotFoundError, CloudError):
            return Quota()

    def groups(self, ids: Sequence[str]) -> tuple[SecurityGroup, ...]:
        """Get security groups with their rules."""
        found = self._list("security-groups", "list security groups", {"id": list(ids)})
        return tuple(map(parse.group, found))

    def groups_named(self, name: str) -> tuple[SecurityGroup, ...]:
        """List the project's security groups of that name."""
        query = {"name": name, "project_id": self._project_id}
        return tuple(map(parse.group, self._list("security-groups", "list security groups", query)))

    def reservations(self) -> tuple[Port, ...]:
        """List the project's reservation ports."""
        query = {"device_owner": RESERVATION_OWNER, "project_id": self._project_id}
        return tuple(map(parse.port, self._list("ports", "list reservations", query)))

    def reserve(self, reservation: Reservation) -> Port:
        """Create the reservation port; an answer that was lost is looked up and adopted."""
        body = {
            "network_id": reservation.network_id,
            "fixed_ips": [{"subnet_id": reservation.subnet_id, "ip_address": str(reservation.address)}],
            "mac_address": reservation.mac,
            "name": reservation.name,
            "device_owner": RESERVATION_OWNER,
            "device_id": reservation.device_id,
            "description": reservation.description,
            "security_groups": [],
        }
        what = f"reserve {reservation.address}"
        try:
            return parse.port(self._write("post", "/ports", what, {"port": body})["port"])
        except LostAnswerError:
            if mine := self._made_by_us(reservation):
                return mine
        return parse.port(self._write("post", "/ports", what, {"port": body})["port"])

    def _made_by_us(self, reservation: Reservation) -> Port | None:
        for port in self.reservations():
            same = (port.network_id, port.device_id, port.description, port.mac) == (
                reservation.network_id,
                reservation.device_id,
                reservation.description,
                reservation.mac,
            )
            if same and [fixed.address for fixed in port.fixed_ips] == [reservation.address]:
                return port
        return None

    def describe(self, port_id: str, description: str, *, revision: int | None = None) -> Port:
        """Rewrite the record on a reservation port."""
        body = {"port": {"description": description}}
        return parse.port(self._write("put", f"/ports/{port_id}", "write the record", body, revision)["port"])

    def delete_port(self, port_id: str) -> None:
        """Delete a port; one that is gone already is fine."""
        self._delete(f"/ports/{port_id}", f"delete port {port_id}")

    def make_group(self, name: str, description: str, rules: Sequence[SecurityRule]) -> SecurityGroup:
        """Create a security group with exactly these rules; undoes itself if it cannot finish."""
        body = {"security_group": {"name": name, "description": description}}
        made = self._write("post", "/security-groups", f"make security group {name}", body)["security_group"]
        try:
            for born in made["security_group_rules"]:
                self._delete(f"/security-group-rules/{born['id']}", "delete a default egress rule")
            bodies = [parse.rule_body(rule, made["id"]) for rule in rules]
            answer = self._write(
                "post", "/security-group-rules", "make security group rules", {"security_group_rules": bodies}
            )
        except HaosError:
            self.delete_group(made["id"])
            raise
        return parse.group({**made, "security_group_rules": answer["security_group_rules"]})

    def delete_group(self, group_id: str) -> None:
        """Delete a security group; one that is gone already is fine."""
        self._delete(f"/security-groups/{group_id}", f"delete security group {group_id}")

    def amend_port(self, port: Port, amendment: PortAmendment) -> Port:
        """Add and take away on one port under If-Match, from the state given; on 412 read, merge, again."""
        known: list[Port] = [port]

        def attempt() -> Port:
            body = amended(known[0], amendment)
            if not body:
                return known[0]
            what = f"change port {port.id}"
            try:
                answer = self._write("put", f"/ports/{port.id}", what, {"port": body}, known[0].revision)
            except (RevisionError, LostAnswerError):
                known[0] = self.port(port.id)
                raise
            return parse.port(answer["port"])

        return _patiently(attempt, (RevisionError, LostAnswerError))

    def _servers(self, query: Mapping[str, str]) -> list[Instance]:
        found: list[Instance] = []
        asked = dict(query)
        while True:
            with translated("list instances"):
                answer = self._compute.get("/servers/detail", params=asked, microversion=TAGS_MICROVERSION)
            body = answer.json()
            found += map(parse.instance, body["servers"])
            if not body["servers"] or not _has_next(body.get("servers_links")):
                return found
            asked = {**query, "marker": body["servers"][-1]["id"]}

    def _list(self, resource: str, what: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
        key = resource.replace("-", "_")
        found: list[dict[str, Any]] = []
        asked = dict(query)
        while True:
            body = self._get(f"/{resource}", what, asked)
            found += body[key]
            if not body[key] or not _has_next(body.get(f"{key}_links")):
                return found
            asked = {**query, "marker": body[key][-1]["id"]}

    def _get(self, path: str, what: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        with translated(what):
            answer = self._network.get(path, params=query, status_code_retries=READ_RETRIES, connect_retries=2)
        body: dict[str, Any] = answer.json()
        return body

    def _write(
        self, method: str, path: str, what: str, body: Mapping[str, Any], revision: int | None = None
    ) -> dict[str, Any]:
        headers = {} if revision is None else {"If-Match": f"revision_number={revision}"}
        with translated(what):
            # Never repeated blindly: the caller knows whether the effect may have taken place.
            answer = self._network.request(
                path, method.upper(), json=body, headers=headers, connect_retries=0, status_code_retries=0
            )
        written: dict[str, Any] = answer.json()
        return written

    def _delete(self, path: str, what: str) -> None:
        try:
            with translated(what):
                self._network.delete(path, status_code_retries=READ_RETRIES, connect_retries=2)
        except NotFoundError:
            return


def amended(port: Port, amendment: PortAmendment) -> dict[str, Any]:
    """Return what a PUT must carry: whole lists, others' entries as they are spelled; {} if nothing changes."""
    keep = [pair for pair in port.pairs if not any(parse.same_pair(pair, gone) for gone in amendment.remove_pairs)]
    new = [pair for pair in amendment.add_pairs if not any(parse.same_pair(pair, have) for have in keep)]
    groups = [group for group in port.group_ids if group not in amendment.remove_groups]
    groups += [group for group in amendment.add_groups if group not in groups]
    body: dict[str, Any] = {}
    if new or len(keep) < len(port.pairs):
        body["allowed_address_pairs"] = [
            {"ip_address": pair.ip_address, "mac_address": pair.mac_address} for pair in [*keep, *new]
        ]
    if tuple(groups) != port.group_ids:
        body["security_groups"] = groups
    return body


def _patiently(action: Callable[[], T], errors: tuple[type[HaosError], ...]) -> T:
    for attempt in Retrying(
        retry=retry_if_exception_type(errors),
        stop=stop_after_delay(CONFLICT_DEADLINE_S),
        wait=wait_random_exponential(multiplier=0.05, max=2.0),
        reraise=True,
    ):
        with attempt:
            return action()
    raise AssertionError("tenacity ends by a result or by an error")


def _has_next(links: Iterable[Mapping[str, str]] | None) -> bool:
    return any(link.get("rel") == "next" for link in links or ())


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
