"""What a project may use of Nova, and does use."""

from __future__ import annotations

from haos.lab.api.compute_base import V21, denied
from haos.lab.api.compute_records import FLAVOR
from haos.lab.api.microversions import Version, version_of
from haos.lab.api.routing import Call, Doc, Response, Route
from haos.lab.api.store import Store

LIMITS = {
    "instances": 100,
    "cores": 200,
    "ram": 512000,
    "key_pairs": 100,
    "metadata_items": 128,
    "server_groups": 10,
    "server_group_members": 10,
}
FILES = {"injected_files": 5, "injected_file_content_bytes": 10240, "injected_file_path_bytes": 255}
"""Gone since 2.57."""
NETWORK = dict.fromkeys(("fixed_ips", "floating_ips", "security_groups", "security_group_rules"), -1)
"""Gone since 2.36."""
NETWORK_LIMITS = {"maxTotalFloatingIps": -1, "maxSecurityGroups": -1, "maxSecurityGroupRules": -1}


class LimitsApi:
    """Nova's limits and quotas."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return these routes."""
        return [
            Route("GET", f"{V21}/limits", self.limits),
            Route("GET", f"{V21}/os-quota-sets/{{id}}", self.quota),
            Route("GET", f"{V21}/os-quota-sets/{{id}}/detail", self.quota_detail),
        ]

    def limits(self, call: Call) -> Response:
        """Show what the project may and does use."""
        version, used = version_of(call.request), self._used(call.caller.project_id)
        absolute = {
            "maxTotalInstances": LIMITS["instances"],
            "maxTotalCores": LIMITS["cores"],
            "maxTotalRAMSize": LIMITS["ram"],
            "maxTotalKeypairs": LIMITS["key_pairs"],
            "maxServerMeta": LIMITS["metadata_items"],
            "maxServerGroups": LIMITS["server_groups"],
            "maxServerGroupMembers": LIMITS["server_group_members"],
            "totalInstancesUsed": used,
            "totalCoresUsed": used,
            "totalRAMUsed": used * FLAVOR["ram"],
            "totalServerGroupsUsed": 0,
        }
        if version < (2, 57):
            absolute |= {"maxImageMeta": 128, "maxPersonality": 5, "maxPersonalitySize": 10240}
        if version < (2, 36):
            absolute |= NETWORK_LIMITS | {"totalFloatingIpsUsed": 0, "totalSecurityGroupsUsed": 0}
        return Response(200, {"limits": {"rate": [], "absolute": absolute}})

    def quota(self, call: Call) -> Response:
        """Show limits."""
        return Response(200, {"quota_set": {"id": _own(call), **_known(version_of(call.request))}})

    def quota_detail(self, call: Call) -> Response:
        """Show limits with what is used."""
        used = self._used(_own(call))
        in_use = {"instances": used, "cores": used, "ram": used * FLAVOR["ram"]}
        details: Doc = {
            name: {"limit": limit, "in_use": in_use.get(name, 0), "reserved": 0}
            for name, limit in _known(version_of(call.request)).items()
        }
        return Response(200, {"quota_set": {"id": call.args["id"], **details}})

    def _used(self, project_id: str) -> int:
        return len(self._store.where("servers", project_id=project_id))


def _known(version: Version) -> dict[str, int]:
    return LIMITS | (FILES if version < (2, 57) else {}) | (NETWORK if version < (2, 36) else {})


def _own(call: Call) -> str:
    """Return the project that is asked about: only admins may ask about another one."""
    if not call.caller.admin and call.args["id"] != call.caller.project_id:
        raise denied("os-quota-sets:show")
    return call.args["id"]
