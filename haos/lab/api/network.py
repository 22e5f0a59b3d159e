"""The Neutron API put together: discovery, extensions, what is empty for a project, and all collections."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from haos.lab.api.collection import PREFIX, Collection
from haos.lab.api.errors import neutron
from haos.lab.api.floating import FloatingIps
from haos.lab.api.groups import Groups
from haos.lab.api.networks import Networks
from haos.lab.api.ports import Ports
from haos.lab.api.quotas import Quotas
from haos.lab.api.router_interfaces import RouterInterfaces
from haos.lab.api.routers import Routers
from haos.lab.api.routing import Call, Doc, Response, Route
from haos.lab.api.rules import Rules
from haos.lab.api.store import Store
from haos.lab.api.subnets import Subnets
from haos.lab.api.tags import Tags
from haos.lab.model import FabricKind, Power

CORE = ("network", "subnet", "subnetpool", "port")
"""What Neutron names at /v2.0: it forgets all that extensions bring."""

EXTENSIONS = (
    "address-group",
    "address-scope",
    "agent",
    "allowed-address-pairs",
    "auto-allocated-topology",
    "availability_zone",
    "binding",
    "binding-extended",
    "default-subnetpools",
    "empty-string-filtering",
    "ext-gw-mode",
    "external-net",
    "extra_dhcp_opt",
    "extraroute",
    "filter-validation",
    "fip-port-details",
    "floating-ip-port-forwarding",
    "floatingip-pools",
    "ip_allocation",
    "l2_adjacency",
    "multi-provider",
    "net-mtu",
    "net-mtu-writable",
    "network-ip-availability",
    "network_availability_zone",
    "pagination",
    "port-device-profile",
    "port-mac-address-regenerate",
    "port-resource-request",
    "port-security",
    "project-id",
    "provider",
    "quota_details",
    "quotas",
    "rbac-policies",
    "rbac-security-groups",
    "revision-if-match",
    "router",
    "router_availability_zone",
    "security-group",
    "security-groups-default-rules",
    "security-groups-normalized-cidr",
    "security-groups-remote-address-group",
    "security-groups-shared-filtering",
    "service-type",
    "sorting",
    "standard-attr-description",
    "standard-attr-revisions",
    "standard-attr-tag",
    "standard-attr-timestamp",
    "stateful-security-group",
    "subnet-external-network",
    "subnet-service-types",
    "subnet_allocation",
    "uplink-status-propagation",
)
"""What Neutron has with OVN as with agents."""
AGENTS_EXTENSIONS = (
    "ip-substring-filtering",
    "l3_agent_scheduler",
    "port-security-groups-filtering",
    "tag-ports-during-bulk-creation",
)
OVS_EXTENSIONS = ("agent-resources-synced", "availability_zone_filter", "dvr")
EMPTY = (
    "address-groups",
    "address-scopes",
    "agents",
    "availability_zones",
    "network-ip-availabilities",
    "rbac-policies",
    "service-providers",
    "subnetpools",
)


class NetworkApi:
    """Neutron."""

    def __init__(self, store: Store, power: Callable[[str], Power | None], fabric_kind: FabricKind) -> None:
        self.ports = Ports(store, power)
        routers = Routers(store)
        self._interfaces = RouterInterfaces(store, routers)
        self._store = store
        more = OVS_EXTENSIONS if fabric_kind is FabricKind.OVS else ()
        self._aliases = (*EXTENSIONS, *AGENTS_EXTENSIONS, *more)
        self._collections: Sequence[Collection] = (
            Networks(store),
            Subnets(store),
            self.ports,
            Groups(store),
            Rules(store),
            FloatingIps(store, self.ports),
            routers,
        )

    def routes(self) -> list[Route]:
        """Return every route under /network."""
        routes = [
            Route("GET", "/network", self.versions, public=True),
            Route("GET", PREFIX, self.version),
            Route("GET", f"{PREFIX}/extensions", self.extensions),
            Route("GET", f"{PREFIX}/extensions/{{alias}}", self.extension),
            *(Route("GET", f"{PREFIX}/{name}", _nothing) for name in EMPTY),
            *Quotas(self._store).routes(),
            *self._interfaces.routes(),
        ]
        for collection in self._collections:
            routes += collection.routes()
        return routes + Tags(self._collections).routes()

    def versions(self, call: Call) -> Response:
        """Answer version discovery."""
        return Response(200, {"versions": [_version(call)]})

    def version(self, call: Call) -> Response:
        """List the resources of v2.0."""
        base = f"http://{call.request.headers.get('host', '')}{PREFIX}"
        resources = [
            {"name": name, "collection": f"{name}s", "links": [{"rel": "self", "href": f"{base}/{name}s"}]}
            for name in CORE
        ]
        return Response(200, {"resources": resources})

    def extensions(self, call: Call) -> Response:
        """List the extensions."""
        return Response(200, {"extensions": [_extension(alias) for alias in self._aliases]})

    def extension(self, call: Call) -> Response:
        """Show one extension."""
        alias = call.args["alias"]
        if alias not in self._aliases:
            raise neutron("HTTPNotFound")
        return Response(200, {"extension": _extension(alias)})


def _version(call: Call) -> Doc:
    href = f"http://{call.request.headers.get('host', '')}{PREFIX}/"
    return {"id": "v2.0", "status": "CURRENT", "links": [{"rel": "self", "href": href}]}


def _extension(alias: str) -> Doc:
    words = alias.replace("-", " ").replace("_", " ")
    return {"alias": alias, "name": words, "description": words, "updated": "2024-01-01T00:00:00-00:00", "links": []}


def _nothing(call: Call) -> Response:
    name = call.request.path.rsplit("/", 1)[1].replace("-", "_")
    return Response(200, {name: []})
