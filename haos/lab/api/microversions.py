"""Nova's microversions: which one a request asks for, and what is said about it."""

from __future__ import annotations

import re

from haos.lab.api.errors import ApiError
from haos.lab.api.routing import Request

Version = tuple[int, int]

MIN_VERSION: Version = (2, 1)
MAX_VERSION: Version = (2, 100)  # OpenStack 2025.1


def version_of(request: Request) -> Version:
    """Return the microversion that a request asks for, or raise 400 for what is none."""
    service, _, text = request.headers.get("openstack-api-version", "").partition(" ")
    if service != "compute":
        text = request.headers.get("x-openstack-nova-api-version", "")
    if not text:
        return MIN_VERSION
    if text == "latest":
        return MAX_VERSION
    if not re.fullmatch(r"[1-9]\d*\.(0|[1-9]\d*)", text):
        raise ApiError(400, f"API Version String {text} is of invalid format. Must be of format MajorNum.MinorNum.")
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def check_version(request: Request) -> None:
    """Refuse a microversion that is not offered."""
    wanted = version_of(request)
    if not MIN_VERSION <= wanted <= MAX_VERSION:
        low, high = written(MIN_VERSION), written(MAX_VERSION)
        text = f"Version {written(wanted)} is not supported by the API. Minimum is {low} and maximum is {high}."
        raise ApiError(406, text)


def version_headers(request: Request) -> dict[str, str]:
    """Return the headers that say which microversion an answer is; none for what was no version."""
    try:
        version = written(version_of(request))
    except ApiError:
        return {}
    return {
        "OpenStack-API-Version": f"compute {version}",
        "X-OpenStack-Nova-API-Version": version,
        "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    }


def written(version: Version) -> str:
    """Write a version as Nova does."""
    return f"{version[0]}.{version[1]}"
