"""What hangs on a server: its addresses, security groups, metadata and volumes."""

from __future__ import annotations

from haos.lab.api import compute_records as records
from haos.lab.api.compute_base import SERVERS, Servers
from haos.lab.api.errors import ApiError
from haos.lab.api.routing import Call, Doc, Response, Route


class AttachedApi(Servers):
    """The smaller things below /servers/{id}."""

    def routes(self) -> list[Route]:
        """Return these routes."""
        one = f"{SERVERS}/{{id}}"
        return [
            Route("GET", f"{one}/os-security-groups", self.groups),
            Route("GET", f"{one}/ips", self.addresses),
            Route("GET", f"{one}/ips/{{network}}", self.addresses_on),
            Route("GET", f"{one}/metadata", self.metadata),
            Route("GET", f"{one}/os-volume_attachments", self.volumes),
        ]

    def groups(self, call: Call) -> Response:
        """List the security groups on the server's ports, with what they let in."""
        shown = [self._group(group) for group in records.groups(self.store, self.find(call))]
        return Response(200, {"security_groups": shown})

    def addresses(self, call: Call) -> Response:
        """List the server's addresses."""
        return Response(200, {"addresses": self._bare_addresses(call)})

    def addresses_on(self, call: Call) -> Response:
        """List the server's addresses on one network."""
        name, found = call.args["network"], self._bare_addresses(call)
        if name not in found:
            raise ApiError(404, "Instance is not a member of specified network")
        return Response(200, {name: found[name]})

    def metadata(self, call: Call) -> Response:
        """Show the server's metadata."""
        return Response(200, {"metadata": self.find(call)["metadata"]})

    def volumes(self, call: Call) -> Response:
        """List the volumes: there are none."""
        self.find(call)
        return Response(200, {"volumeAttachments": []})

    def _bare_addresses(self, call: Call) -> dict[str, list[Doc]]:
        found = records.addresses(self.store, self.find(call))
        return {name: [records.bare_address(item) for item in items] for name, items in found.items()}

    def _group(self, group: Doc) -> Doc:
        rules = self.store.where("security_group_rules", security_group_id=group["id"], direction="ingress")
        return {
            "id": group["id"],
            "name": group["name"],
            "description": group["description"],
            "tenant_id": group["project_id"],
            "rules": [self._rule(rule) for rule in rules],
        }

    def _rule(self, rule: Doc) -> Doc:
        remote = self.store.get("security_groups", rule["remote_group_id"] or "")
        cidr = rule["remote_ip_prefix"] or ("::/0" if rule["ethertype"] == "IPv6" else "0.0.0.0/0")
        return {
            "id": rule["id"],
            "parent_group_id": rule["security_group_id"],
            "ip_protocol": rule["protocol"],
            "from_port": rule["port_range_min"],
            "to_port": rule["port_range_max"],
            "group": {"name": remote["name"], "tenant_id": remote["project_id"]} if remote else {},
            "ip_range": {} if remote else {"cidr": cidr},
        }
