"""From clouds.yaml, OS_* and --os-* to an authenticated cloud, as the openstack client does it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic as _now_s
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from openstack.config.cloud_region import CloudRegion

from haos import __version__
from haos.adapters.cloud import OpenStackCloud
from haos.adapters.cloud_config import cloud_region, secrets_of
from haos.adapters.cloud_errors import PassingError, StrangeAnswerError, public_url, translated
from haos.adapters.cloud_fields import understood
from haos.adapters.cloud_rest import DEADLINE_S, RETRIES, Rest, patiently
from haos.errors import AuthenticationError, CloudError, NotFoundError

if TYPE_CHECKING:
    import requests

TAGS_MICROVERSION = "2.26"
"""Of Nova: the first that shows server tags and filters by them."""
SETTINGS = ("ssh_user", "ssh_key", "ssh_jump", "ssh_config")
"""What haos reads from the `haos:` section of a cloud."""

OnRequest = Callable[[str, str, float], None]
"""Told of every request: method, URL without secrets, seconds until it was answered or failed."""
OnSecrets = Callable[[Iterable[str]], None]
"""Told, before the first request, of the secrets that the configuration holds."""


def connect(
    os_argv: Sequence[str],
    *,
    cloud: str | None = None,
    config_files: Sequence[Path] | None = None,
    on_request: OnRequest | None = None,
    on_secrets: OnSecrets = lambda _: None,
) -> OpenStackCloud:
    """Authenticate (2 requests). Raises AuthenticationError, CloudError or UsageError."""
    # Without a handler Python prints keystoneauth's own warnings beside our errors.
    logging.getLogger("keystoneauth").addHandler(logging.NullHandler())
    region = cloud_region([*(["--os-cloud", cloud] if cloud else []), *os_argv], config_files)
    on_secrets(secrets_of(region.config))
    session = _session(region, on_request)
    # keystoneauth repeats no token request by itself.
    patiently(lambda: _authenticate(region, session), PassingError, attempts=RETRIES + 1, deadline_s=DEADLINE_S)
    project_id = session.get_project_id()
    if not project_id:
        raise AuthenticationError("these credentials are not scoped to a project", hint="set OS_PROJECT_NAME")
    return OpenStackCloud(
        _rest(region, session, "network", "v2.0"),
        _rest(region, session, "compute", "v2.1", microversion=TAGS_MICROVERSION),
        project_id,
        settings_of(region.config),
        insecure=not region.get_requests_verify_args()[0],
    )


def _session(region: CloudRegion, on_request: OnRequest | None) -> Session:
    with translated("use these credentials"):
        session = region.get_session()
    session.timeout = session.timeout or DEADLINE_S
    session.app_name, session.app_version = "haos", __version__
    _let_no_login_wait_for_itself(session.session)
    if on_request is not None:
        _tell(session.session, on_request)
    return session


def _let_no_login_wait_for_itself(session: requests.Session) -> None:
    """Refuse the versions of Keystone that are told to nobody without a token.

    keystoneauth asks again with a token then, for which it waits on a lock that it holds itself: for ever.
    """
    send = session.send

    def guarded(request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = send(request, **options)
        if answer.status_code == 401 and request.method == "GET" and "X-Auth-Token" not in request.headers:
            raise AuthenticationError(
                f"cannot authenticate: {public_url(str(request.url))} asks for a login before it tells its versions"
                " (HTTP 401)",
                hint="is auth_url right, and does nothing that wants a login of its own stand before Keystone?",
            )
        return answer

    session.send = guarded  # type: ignore[method-assign]


def _tell(session: requests.Session, on_request: OnRequest) -> None:
    """Tell of every request that leaves; a hook of requests would hear of those alone that are answered."""
    send = session.send

    def told(request: requests.PreparedRequest, **options: Any) -> requests.Response:
        started_s = _now_s()
        try:
            return send(request, **options)
        finally:
            on_request(str(request.method), public_url(str(request.url)), _now_s() - started_s)

    session.send = told  # type: ignore[method-assign]


def _authenticate(region: CloudRegion, session: Session) -> None:
    where = public_url(str(region.get_auth_args().get("auth_url", "the cloud")))
    try:
        with translated(f"authenticate at {where}"), understood(f"authenticate at {where}"):
            session.get_token()
            session.get_project_id()
    except (NotFoundError, StrangeAnswerError) as error:
        if "Application Credential" in error.reason:  # Keystone's word for one that was deleted
            hint = "openstack application credential list; openstack application credential create NAME"
            raise AuthenticationError(error.reason, hint=hint) from error
        raise CloudError(error.reason, hint="is auth_url right? it looks like https://HOST/identity/v3") from error


def _rest(
    region: CloudRegion, session: Session, service: str, version: str, *, microversion: str | None = None
) -> Rest:
    """Return a service at its endpoint of the catalog as it is, without a request for its versions."""
    adapter = Adapter(
        session,
        service_type=region.get_service_type(service),
        service_name=region.get_service_name(service),
        interface=region.get_interface(service),
        region_name=region.get_region_name(service),
        rate_limit=region.get_rate_limit(service),
        concurrency=region.get_concurrency(service),
    )
    with translated(f"find the {service} service"), understood(f"find the {service} service"):
        endpoint = region.get_endpoint(service) or adapter.get_endpoint()
    if not endpoint:
        where = f" in region {adapter.region_name}" if adapter.region_name else ""
        raise CloudError(f"this cloud's catalog has no {service} endpoint{where}", hint="openstack catalog list")
    adapter.endpoint_override = versioned(endpoint, version)
    retries = region.get_status_code_retries(service)
    return Rest(adapter, retries=RETRIES if retries is None else retries, microversion=microversion)


def versioned(endpoint: str, version: str) -> str:
    """Return the endpoint with its API version: Neutron's catalog entry often lacks it."""
    bare = endpoint.rstrip("/")
    there = any(part[:1] == "v" and part[1:2].isdigit() for part in urlsplit(bare).path.split("/"))
    return bare if there else f"{bare}/{version}"


def settings_of(config: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the `haos:` section of the cloud; unknown keys are refused, since a typo would be ignored silently."""
    section = config.get("haos") or {}
    if not isinstance(section, Mapping):
        raise CloudError("clouds.yaml: section haos must be a mapping", hint=f"known are {', '.join(SETTINGS)}")
    unknown = sorted(set(section) - set(SETTINGS))
    if unknown:
        raise CloudError(
            f"clouds.yaml: unknown key {unknown[0]!r} in section haos", hint=f"known are {', '.join(SETTINGS)}"
        )
    return {key: str(value) for key, value in section.items() if value is not None}
