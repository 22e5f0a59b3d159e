"""From clouds.yaml, OS_* and --os-* to an authenticated cloud, as the openstack client does it."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

from keystoneauth1 import exceptions as ksa
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from openstack import enable_logging
from openstack import exceptions as sdk
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion

from haos import __version__
from haos.adapters.cloud import OpenStackCloud
from haos.adapters.cloud_errors import PassingError, translated
from haos.adapters.cloud_rest import DEADLINE_S, RETRIES, Rest, patiently
from haos.errors import AuthenticationError, CloudError, UsageError

if TYPE_CHECKING:
    import requests

TAGS_MICROVERSION = "2.26"
"""Of Nova: the first that shows server tags and filters by them."""
SETTINGS = ("ssh_user", "ssh_key", "ssh_jump", "ssh_config")
"""What haos reads from the `haos:` section of a cloud."""
NO_CLOUD = "name a cloud of clouds.yaml with --os-cloud or OS_CLOUD; none at hand? haos lab up"

OnRequest = Callable[[str, str, float], None]
"""Told of every answer: method, URL, seconds until it began."""


def connect(
    os_argv: Sequence[str],
    *,
    cloud: str | None = None,
    config_files: Sequence[Path] | None = None,
    debug: bool = False,
    on_request: OnRequest | None = None,
) -> OpenStackCloud:
    """Authenticate (2 requests). Raises AuthenticationError, CloudError or UsageError."""
    if debug:
        enable_logging(debug=True, http_debug=True)
    else:
        # Without a handler Python prints keystoneauth's own warnings beside our errors.
        logging.getLogger("keystoneauth").addHandler(logging.NullHandler())
    region = cloud_region([*(["--os-cloud", cloud] if cloud else []), *os_argv], config_files)
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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise where argparse would print its usage and exit."""
        raise UsageError(message)


def cloud_region(os_argv: Sequence[str], config_files: Sequence[Path] | None) -> CloudRegion:
    """Read the configuration. Raises AuthenticationError if it is not enough to log in with."""
    files = [str(path) for path in config_files] if config_files else None
    try:
        config = OpenStackConfig(
            config_files=files,
            app_name="haos",
            app_version=__version__,
            override_defaults={"status_code_retries": RETRIES},
        )
        parser = _Parser(prog="haos", add_help=False, allow_abbrev=False)
        config.register_argparse_arguments(parser, list(os_argv), [])
        options, unknown = parser.parse_known_args(list(os_argv))
        if unknown:
            raise UsageError(f"no such option: {unknown[0]}", hint="openstack --help lists the --os-* options")
        region = config.get_one(argparse=options)
    except (sdk.ConfigException, ksa.MissingRequiredOptions, ksa.NoMatchingPlugin) as error:
        raise AuthenticationError(" ".join(str(error).split()), hint=NO_CLOUD) from error
    _check(region)
    return region


def _check(region: CloudRegion) -> None:
    """Refuse what keystoneauth answers with an error of no use."""
    auth = region.get_auth_args()
    if region.config.get("auth_type") in ("password", "v3password") and not auth.get("password"):
        raise AuthenticationError("no password is given", hint="set OS_PASSWORD, or password: in clouds.yaml")
    url = urlsplit(str(auth.get("auth_url", "http://none")))
    if url.scheme not in ("http", "https") or not url.netloc:
        raise AuthenticationError(
            f"auth_url {url.geturl()!r} is not a URL", hint="it looks like https://HOST/identity/v3"
        )
    for key in ("cacert", "cert", "key"):
        path = region.config.get(key)
        if path and not Path(path).expanduser().exists():
            raise AuthenticationError(
                f"there is no file {path}, which {key} names", hint="check --os-cacert and the like"
            )


def _session(region: CloudRegion, on_request: OnRequest | None) -> Session:
    with translated("use these credentials"):
        session = region.get_session()
    session.timeout = session.timeout or DEADLINE_S
    session.app_name, session.app_version = "haos", __version__
    if on_request is not None:
        hook = on_request

        def tell(answer: requests.Response, *_: Any, **__: Any) -> None:
            hook(str(answer.request.method), str(answer.request.url), answer.elapsed.total_seconds())

        session.session.hooks["response"].append(tell)
    return session


def _authenticate(region: CloudRegion, session: Session) -> None:
    with translated(f"authenticate at {region.get_auth_args().get('auth_url', 'the cloud')}"):
        session.get_token()


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
    with translated(f"find the {service} service"):
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
