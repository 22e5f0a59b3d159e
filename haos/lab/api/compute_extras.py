"""What else clients ask of Nova and Glance: versions, flavors, limits, zones, the one image."""

from __future__ import annotations

from haos.lab.api.compute_records import FLAVOR, IMAGE, MAX_VERSION, MIN_VERSION, ZONE, version_of
from haos.lab.api.errors import ApiError
from haos.lab.api.routing import Call, Doc, Response, Route
from haos.lab.api.store import Store

V21 = "/compute/v2.1"
LIMITS = {"instances": 100, "cores": 200, "ram": 512000, "server_groups": 10, "server_group_members": 10}


class ExtrasApi:
    """The small things of Nova, and Glance."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return these routes."""
        return [
            Route("GET", "/compute", _versions, public=True),
            Route("GET", V21, _version_document, public=True),
            Route("GET", f"{V21}/flavors", _flavors),
            Route("GET", f"{V21}/flavors/detail", _flavors),
            Route("GET", f"{V21}/flavors/{{id}}", _flavor),
            Route("GET", f"{V21}/flavors/{{id}}/os-extra_specs", lambda call: Response(200, {"extra_specs": {}})),
            Route("GET", f"{V21}/limits", self.limits),
            Route("GET", f"{V21}/os-quota-sets/{{id}}", _quota),
            Route("GET", f"{V21}/os-quota-sets/{{id}}/detail", self.quota_detail),
            Route("GET", f"{V21}/os-availability-zone", _zones),
            Route("GET", f"{V21}/os-availability-zone/detail", _zone_details),
            Route("GET", "/image", _image_versions, public=True),
            Route("GET", "/image/v2/images", lambda call: Response(200, {"images": [_image()]})),
            Route("GET", "/image/v2/images/{id}", _one_image),
        ]

    def limits(self, call: Call) -> Response:
        """Show what the project may and does use."""
        used = self._used(call.caller.project_id)
        absolute = {"maxTotalInstances": LIMITS["instances"], "maxTotalCores": LIMITS["cores"]}
        absolute |= {"maxTotalRAMSize": LIMITS["ram"], "totalInstancesUsed": used, "totalCoresUsed": used}
        return Response(200, {"limits": {"rate": [], "absolute": {**absolute, "totalRAMUsed": used * FLAVOR["ram"]}}})

    def quota_detail(self, call: Call) -> Response:
        """Show limits with what is used."""
        used = self._used(call.args["id"])
        in_use = {"instances": used, "cores": used, "ram": used * FLAVOR["ram"]}
        details = {
            name: {"limit": limit, "in_use": in_use.get(name, 0), "reserved": 0} for name, limit in LIMITS.items()
        }
        return Response(200, {"quota_set": {"id": call.args["id"], **details}})

    def _used(self, project_id: str) -> int:
        return len(self._store.where("servers", project_id=project_id))


def version_headers(call: Call) -> dict[str, str]:
    """Return the headers that say which microversion an answer is."""
    major, minor = version_of(call)
    return {
        "OpenStack-API-Version": f"compute {major}.{minor}",
        "X-OpenStack-Nova-API-Version": f"{major}.{minor}",
        "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    }


def check_version(call: Call) -> None:
    """Refuse a microversion that is not offered."""
    wanted = version_of(call)
    if not MIN_VERSION <= wanted <= MAX_VERSION:
        low, high = (f"{major}.{minor}" for major, minor in (MIN_VERSION, MAX_VERSION))
        text = f"Version {wanted[0]}.{wanted[1]} is not supported by the API. Minimum is {low} and maximum is {high}."
        raise ApiError(406, text)


def _versions(call: Call) -> Response:
    return Response(200, {"versions": [_version(call)]})


def _version_document(call: Call) -> Response:
    return Response(200, {"version": _version(call)})


def _version(call: Call) -> Doc:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": f"{MAX_VERSION[0]}.{MAX_VERSION[1]}",
        "min_version": f"{MIN_VERSION[0]}.{MIN_VERSION[1]}",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{_host(call)}{V21}/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}],
    }


def _host(call: Call) -> str:
    return f"http://{call.request.headers.get('host', '')}"


def _flavor_document() -> Doc:
    constant = {"OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": False, "swap": 0, "rxtx_factor": 1.0}
    return {**FLAVOR, **constant, "os-flavor-access:is_public": True, "extra_specs": {}, "links": []}


def _flavors(call: Call) -> Response:
    return Response(200, {"flavors": [_flavor_document()]})


def _flavor(call: Call) -> Response:
    if call.args["id"] != FLAVOR["id"]:
        raise ApiError(404, f"Flavor {call.args['id']} could not be found.")
    return Response(200, {"flavor": _flavor_document()})


def _quota(call: Call) -> Response:
    return Response(200, {"quota_set": {"id": call.args["id"], **LIMITS}})


def _zones(call: Call) -> Response:
    zone = {"zoneName": ZONE, "zoneState": {"available": True}, "hosts": None}
    return Response(200, {"availabilityZoneInfo": [zone]})


def _zone_details(call: Call) -> Response:
    if not call.caller.admin:
        raise ApiError(403, "Policy doesn't allow os_compute_api:os-availability-zone:detail to be performed.")
    return _zones(call)


def _image_versions(call: Call) -> Response:
    link = {"rel": "self", "href": f"{_host(call)}/image/v2/"}
    return Response(300, {"versions": [{"id": "v2.16", "status": "CURRENT", "links": [link]}]})


def _image() -> Doc:
    return {**IMAGE, "status": "active", "visibility": "public", "disk_format": "raw", "container_format": "bare"}


def _one_image(call: Call) -> Response:
    if call.args["id"] != IMAGE["id"]:
        raise ApiError(404, f"No image found with ID {call.args['id']}")
    return Response(200, _image())
