"""From clouds.yaml, OS_* and --os-* to an authenticated cloud, as the openstack client does it."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keystoneauth1 import exceptions as ksa
from keystoneauth1.adapter import Adapter
from openstack import enable_logging
from openstack import exceptions as sdk
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from haos import __version__
from haos.adapters.cloud import OpenStackCloud
from haos.adapters.cloud_errors import LostAnswerError, translated
from haos.errors import AuthenticationError, CloudError

REQUEST_TIMEOUT_S = 60.0
SETTINGS = ("ssh_user", "ssh_key", "ssh_jump", "ssh_config")
"""What haos reads from the `haos:` section of a cloud."""


def connect(
    os_argv: Sequence[str], *, config_files: Sequence[Path] | None = None, debug: bool = False
) -> OpenStackCloud:
    """Authenticate (2 requests). Raises AuthenticationError or CloudError."""
    if debug:
        enable_logging(debug=True, http_debug=True)
    else:
        # Without a handler Python prints keystoneauth's own warnings beside our errors.
        logging.getLogger("keystoneauth").addHandler(logging.NullHandler())
    region = cloud_region(os_argv, config_files)
    with translated("use these credentials"):
        session = region.get_session()
    session.timeout = session.timeout or REQUEST_TIMEOUT_S
    session.app_name, session.app_version = "haos", __version__
    # keystoneauth repeats no token request by itself.
    for attempt in Retrying(
        retry=retry_if_exception_type(LostAnswerError),
        stop=stop_after_attempt(3),
        wait=wait_exponential(0.5),
        reraise=True,
    ):
        with attempt, translated(f"authenticate at {region.get_auth_args().get('auth_url', 'the cloud')}"):
            session.get_token()
    project_id = session.get_project_id()
    if not project_id:
        raise AuthenticationError("these credentials are not scoped to a project", hint="set OS_PROJECT_NAME")
    with translated("find the endpoints"):
        network = adapter(region, "network")
        network.endpoint_override = versioned(network.get_endpoint(), "/v2.0")
        compute = adapter(region, "compute")
        compute.endpoint_override = compute.get_endpoint()
    if not network.endpoint_override or not compute.endpoint_override:
        raise CloudError("this cloud's catalog has no network or no compute endpoint", hint="openstack catalog list")
    return OpenStackCloud(
        network,
        compute,
        project_id,
        settings_of(region.config),
        insecure=region.get_requests_verify_args()[0] is False,
    )


def cloud_region(os_argv: Sequence[str], config_files: Sequence[Path] | None) -> CloudRegion:
    """Read the configuration. Raises AuthenticationError if there is none, or no cloud of that name."""
    files = [str(path) for path in config_files] if config_files else None
    try:
        config = OpenStackConfig(config_files=files, app_name="haos", app_version=__version__)
        parser = argparse.ArgumentParser(add_help=False)
        config.register_argparse_arguments(parser, list(os_argv), [])
        options, _ = parser.parse_known_args(list(os_argv))
        return config.get_one(argparse=options)
    except (sdk.ConfigException, ksa.MissingRequiredOptions, ksa.NoMatchingPlugin) as error:
        raise AuthenticationError(
            " ".join(str(error).split()),
            hint="name a cloud of clouds.yaml with --os-cloud or OS_CLOUD; none at hand? haos lab up",
        ) from error


def adapter(region: CloudRegion, service: str) -> Adapter:
    """Return a plain adapter: the catalog's endpoint as it is, without a request for its versions."""
    return Adapter(
        region.get_session(),
        service_type=region.get_service_type(service),
        interface=region.get_interface(service),
        region_name=region.get_region_name(service),
        endpoint_override=region.get_endpoint(service),
    )


def versioned(endpoint: str | None, version: str) -> str | None:
    """Return the endpoint with its API version: Neutron's catalog entry often lacks it."""
    if endpoint is None:
        return None
    bare = endpoint.rstrip("/")
    return bare if bare.endswith(version) else bare + version


def settings_of(config: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the `haos:` section of the cloud; unknown keys are refused, since a typo would be ignored silently."""
    section = config.get("haos") or {}
    unknown = sorted(set(section) - set(SETTINGS))
    if unknown:
        raise CloudError(
            f"clouds.yaml: unknown key {unknown[0]!r} in section haos", hint=f"known are {', '.join(SETTINGS)}"
        )
    return {key: str(value) for key, value in section.items()}
