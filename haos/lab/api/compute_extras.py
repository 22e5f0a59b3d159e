"""What else clients ask of Nova and Glance: versions, flavors, zones, the one image."""

from __future__ import annotations

from haos.lab.api.catalog import base_of
from haos.lab.api.compute_base import V21, base, denied
from haos.lab.api.compute_limits import LimitsApi
from haos.lab.api.compute_records import FLAVOR, IMAGE, ZONE, links
from haos.lab.api.errors import NO_SUCH_PAGE, ApiError
from haos.lab.api.microversions import MAX_VERSION, MIN_VERSION, version_of, written
from haos.lab.api.routing import Call, Doc, Response, Route
from haos.lab.api.store import Store


class ExtrasApi:
    """The small things of Nova, and Glance."""

    def __init__(self, store: Store) -> None:
        self._limits = LimitsApi(store)

    def routes(self) -> list[Route]:
        """Return these routes."""
        return [
            Route("GET", "/compute", _versions, public=True),
            Route("GET", V21, _version_document, public=True),
            Route("GET", f"{V21}/flavors", _flavors),
            Route("GET", f"{V21}/flavors/detail", _flavors_in_full),
            Route("GET", f"{V21}/flavors/{{id}}", _flavor),
            Route("GET", f"{V21}/flavors/{{id}}/os-extra_specs", _extra_specs),
            Route("GET", f"{V21}/os-availability-zone", _zones),
            Route("GET", f"{V21}/os-availability-zone/detail", _zone_details),
            *self._limits.routes(),
            Route("GET", "/image", _image_versions, public=True),
            Route("GET", "/image/v2/images", _images),
            Route("GET", "/image/v2/images/{id}", _one_image),
        ]


def _versions(call: Call) -> Response:
    old = {"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": "", "updated": "2011-01-21T11:33:21Z"}
    old_link = {"rel": "self", "href": f"{base_of(call)}/compute/v2/"}
    return Response(200, {"versions": [{**old, "links": [old_link]}, _version(call)]})


def _version_document(call: Call) -> Response:
    kind = "application/vnd.openstack.compute+json;version=2.1"
    described = {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"}
    version = _version(call)
    more = {"links": [*version["links"], described], "media-types": [{"base": "application/json", "type": kind}]}
    return Response(200, {"version": {**version, **more}})


def _version(call: Call) -> Doc:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": written(MAX_VERSION),
        "min_version": written(MIN_VERSION),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{base(call)}/"}],
    }


def _flavor_document(call: Call) -> Doc:
    version = version_of(call.request)
    shown: Doc = {
        **FLAVOR,
        "links": links("flavors", FLAVOR["id"], base(call)),
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "rxtx_factor": 1.0,
        "swap": "" if version < (2, 75) else 0,
    }
    if version >= (2, 55):
        shown["description"] = None
    if version >= (2, 61):
        shown["extra_specs"] = {}
    return shown


def _flavors(call: Call) -> Response:
    brief = ("id", "name", "links", "description")
    whole = _flavor_document(call)
    return Response(200, {"flavors": [{key: whole[key] for key in brief if key in whole}]})


def _flavors_in_full(call: Call) -> Response:
    return Response(200, {"flavors": [_flavor_document(call)]})


def _flavor(call: Call) -> Response:
    _check_flavor(call)
    return Response(200, {"flavor": _flavor_document(call)})


def _extra_specs(call: Call) -> Response:
    _check_flavor(call)
    return Response(200, {"extra_specs": {}})


def _check_flavor(call: Call) -> None:
    if call.args["id"] != FLAVOR["id"]:
        raise ApiError(404, f"Flavor {call.args['id']} could not be found.")


def _zones(call: Call) -> Response:
    zone = {"zoneName": ZONE, "zoneState": {"available": True}, "hosts": None}
    return Response(200, {"availabilityZoneInfo": [zone]})


def _zone_details(call: Call) -> Response:
    if not call.caller.admin:
        raise denied("os-availability-zone:detail")
    return _zones(call)


def _image_versions(call: Call) -> Response:
    link = {"rel": "self", "href": f"{base_of(call)}/image/v2/"}
    numbers = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)
    older = [{"id": f"v2.{number}", "status": "SUPPORTED", "links": [link]} for number in (0, 1, *numbers)]
    return Response(300, {"versions": [{"id": "v2.17", "status": "CURRENT", "links": [link]}, *older]})


def _images(call: Call) -> Response:
    whole = {"images": [_image()], "first": "/v2/images", "schema": "/v2/schemas/images"}
    return Response(200, whole)


def _image() -> Doc:
    one = f"/v2/images/{IMAGE['id']}"
    known: Doc = {"status": "active", "visibility": "public", "disk_format": "raw", "container_format": "bare"}
    known |= {"min_disk": 0, "min_ram": 0, "protected": False, "os_hidden": False, "tags": []}
    return {**IMAGE, **known, "self": one, "file": f"{one}/file", "schema": "/v2/schemas/image"}


def _one_image(call: Call) -> Response:
    if call.args["id"] != IMAGE["id"]:
        raise ApiError(404, f"No image found with ID {call.args['id']}", NO_SUCH_PAGE)
    return Response(200, _image())
