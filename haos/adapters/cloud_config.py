"""Which cloud, as whom: clouds.yaml, secure.yaml, OS_* and --os-*, read as the openstack client reads them.

The command line wins over everything, a named cloud over the environment, which only fills gaps.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import urlsplit

from keystoneauth1 import exceptions as ksa
from keystoneauth1.loading import get_plugin_loader
from keystoneauth1.loading.opts import Opt
from openstack import exceptions as sdk
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion

from haos import __version__
from haos.adapters.cloud_errors import public_url
from haos.adapters.cloud_login import APPLICATION_CREDENTIAL, BY_PASSWORD, merged_login, with_domains
from haos.adapters.cloud_rest import RETRIES
from haos.errors import AuthenticationError, UsageError

NO_CLOUD = "name a cloud of clouds.yaml with --os-cloud or OS_CLOUD; none at hand? haos lab up"
_APPLICATION_OPTIONS = tuple(f"--os-application-credential-{part}" for part in ("id", "name", "secret"))
_API_VERSIONS = ("compute", "identity", "image", "network", "object", "placement", "volume")
"""The openstack client has an option for the version of each."""
SECRET = re.compile(r"(?i)password|secret|token|passcode|passphrase")
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise where argparse would print its usage and exit."""
        raise UsageError(message, hint="haos --help; openstack --help lists every --os-* option")


class _Given(argparse.Namespace):
    """Takes no defaults: argparse finds every attribute set already, so only what was given lands in it."""

    def __getattr__(self, name: str) -> None:
        if name.startswith("_"):  # argparse's own notes
            raise AttributeError(name)


class _Skipped(logging.Handler):
    """Keeps what openstacksdk logs of a file that it cannot read, and then goes on without."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said: list[str] = []

    def __enter__(self) -> _Skipped:
        logging.getLogger("openstack.config").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("openstack.config").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self._said.append(record.getMessage())

    def __str__(self) -> str:
        return f"({'; '.join(self._said)})" if self._said else ""


class _Config(OpenStackConfig):
    """openstacksdk's configuration, but what was given on the command line wins."""

    given: Mapping[str, Any] = MappingProxyType({})
    filling: Mapping[str, Any] = MappingProxyType({})
    known: frozenset[str] | None = None
    default_domain = "default"

    def auth_config_hook(self, config: dict[str, Any]) -> dict[str, Any]:
        """Put the command line over the cloud's own values, and the environment into the gaps."""
        kept = {name: value for name, value in config["auth"].items() if self.known is None or name in self.known}
        login = merged_login(config["auth_type"], kept, self.given, self.filling)
        if config["auth_type"] in BY_PASSWORD:
            login = with_domains(login, self.default_domain)
        config["auth"] = login
        return config


def cloud_region(os_argv: Sequence[str], config_files: Sequence[Path] | None) -> CloudRegion:
    """Read the configuration. Raises AuthenticationError if it is not enough to log in with."""
    with _Skipped() as skipped:
        try:
            region = _read(os_argv, [str(path) for path in config_files] if config_files else None)
        except (sdk.ConfigException, ksa.AuthPluginException) as error:
            raise AuthenticationError(" ".join(f"{error} {skipped}".split()), hint=NO_CLOUD) from error
        except TypeError as error:
            # keystoneauth gives the whole of `auth:` to the plugin's constructor.
            if not (name := _UNEXPECTED.search(str(error))):
                raise
            raise AuthenticationError(
                f"this way to log in knows no {name[1]!r}", hint="check auth_type: and auth: in clouds.yaml"
            ) from error
    _check(region)
    return region


def _read(os_argv: Sequence[str], config_files: list[str] | None) -> CloudRegion:
    config = _Config(
        config_files=config_files,
        app_name="haos",
        app_version=__version__,
        override_defaults={"status_code_retries": RETRIES},
    )
    for name, cloud in config.cloud_config["clouds"].items():
        if not isinstance(cloud, dict) or not isinstance(cloud.get("auth", {}), dict):
            raise AuthenticationError(
                f"cloud {name} of clouds.yaml is no mapping, or its auth is none", hint=NO_CLOUD
            )
    return config.get_one(argparse=_options(config, list(os_argv)))


def _options(config: _Config, argv: list[str]) -> argparse.Namespace:
    """Return what openstacksdk shall see; what is about the login goes to its hook instead."""
    kind, chosen = _auth_type(config, argv)
    parser = _Parser(prog="haos", add_help=False, allow_abbrev=False)
    config.register_argparse_arguments(parser, ["--os-auth-type", kind, *argv], [])
    login = get_plugin_loader(kind).get_options()
    _add_what_openstack_has(parser, login)
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        raise UsageError(f"no such option: {unknown[0]}", hint="openstack --help lists the --os-* options")
    given = vars(parser.parse_known_args(argv, _Given())[0])
    config.given = {one.dest: given[f"os_{one.dest}"] for one in login if f"os_{one.dest}" in given}
    config.filling = {one.dest: value for one in login if (value := getattr(options, f"os_{one.dest}", None))}
    config.default_domain = options.haos_default_domain
    if chosen:
        config.known = frozenset(
            name.replace("-", "_") for one in login for name in (one.dest, *(old.name for old in one.deprecated))
        )
    hidden = {f"os_{one.dest}": None for one in login} | {"haos_default_domain": None, "haos_ignored": None}
    where = _where(given, config.cloud_config["clouds"].get(options.os_cloud or config.default_cloud) or {})
    return argparse.Namespace(**{**vars(options), **hidden, **where, "os_auth_type": kind})


def _where(given: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is about the way to the cloud: given, or the cloud's own (None), or the environment's."""
    found: dict[str, Any] = {"insecure": given.get("insecure")}
    for name in ("region_name", "interface", "cacert", "cert", "key"):
        from_environment = None if own.get(name) else os.environ.get(f"OS_{name.upper()}")
        found[f"os_{name}"] = given.get(f"os_{name}") or from_environment
    return found


def _add_what_openstack_has(parser: argparse.ArgumentParser, login: Sequence[Opt]) -> None:
    """Add the options that the openstack client understands and openstacksdk's parser does not."""
    for option in login:
        if "_" in option.name:
            name = option.name.replace("_", "-")
            parser.add_argument(f"--os-{name}", dest=f"os_{option.dest}", default=option.argparse_default)
    parser.add_argument(
        "--os-default-domain", dest="haos_default_domain", default=os.environ.get("OS_DEFAULT_DOMAIN", "default")
    )
    for version in _API_VERSIONS:
        parser.add_argument(f"--os-{version}-api-version", dest="haos_ignored")


def _auth_type(config: OpenStackConfig, argv: Sequence[str]) -> tuple[str, bool]:
    """Return how to log in, and whether the command line says so, by its name or by the secret that it gives."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--os-auth-type", "--os-auth-plugin")
    for option in ("--os-cloud", "--os-token", *_APPLICATION_OPTIONS):
        parser.add_argument(option)
    said, _ = parser.parse_known_args(list(argv))
    if said.os_auth_type:
        return said.os_auth_type, True
    if any(option.partition("=")[0] in _APPLICATION_OPTIONS for option in argv):
        return APPLICATION_CREDENTIAL, True
    if said.os_token:
        return "token", True
    known = config.get_one(cloud=said.os_cloud, validate=False).config
    return _without_a_word(str(known["auth_type"]), {**known, **known["auth"]}), False


def _without_a_word(kind: str, known: Mapping[str, Any]) -> str:
    """Return how to log in: "password" is also what openstacksdk says where nobody said anything."""
    if kind != "password" or known.get("password"):
        return kind
    if known.get("application_credential_secret"):
        return APPLICATION_CREDENTIAL
    if known.get("token"):
        return "token"
    if "OS_APPLICATION_CREDENTIAL_SECRET" in os.environ and "OS_PASSWORD" not in os.environ:
        kind = APPLICATION_CREDENTIAL
    return os.environ.get("OS_AUTH_TYPE") or kind


def secrets_of(config: Mapping[str, Any]) -> set[str]:
    """Return the values that a cloud's configuration keeps under names of secrets."""
    known = {**config, **(config.get("auth") or {})}
    return {
        str(value) for name, value in known.items() if value and SECRET.search(name) and not name.endswith("_url")
    }


def _check(region: CloudRegion) -> None:
    """Refuse what keystoneauth answers with an error of no use."""
    auth = region.get_auth_args()
    if region.config.get("auth_type") in ("password", "v3password") and not auth.get("password"):
        raise AuthenticationError("no password is given", hint="set OS_PASSWORD, or password: in clouds.yaml")
    url = urlsplit(str(auth.get("auth_url", "http://none")))
    if url.scheme not in ("http", "https") or not url.netloc:
        raise AuthenticationError(
            f"auth_url {public_url(url.geturl())!r} is not a URL", hint="it looks like https://HOST/identity/v3"
        )
    for key in ("cacert", "cert", "key"):
        path = region.config.get(key)
        if path and not Path(path).expanduser().exists():
            raise AuthenticationError(
                f"there is no file {path}, which {key} names", hint="check --os-cacert and the like"
            )
