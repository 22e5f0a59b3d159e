"""What of a login wins over what, as pure functions over the names that keystoneauth gives its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

APPLICATION_CREDENTIAL = "v3applicationcredential"
_SCOPE = ("project_id", "project_name", "domain_id", "domain_name", "system_scope", "trust_id")
_USER_DOMAIN = ("user_domain_id", "user_domain_name")
_USER = ("user_id", "username", *_USER_DOMAIN)
BY_PASSWORD = ("password", "v3password", "v3totp")
_PROJECT_DOMAIN = ("project_domain_id", "project_domain_name")
_RIVALS = (
    _SCOPE,
    ("user_id", "username"),
    _USER_DOMAIN,
    _PROJECT_DOMAIN,
    ("application_credential_id", "application_credential_name"),
)
"""Of each group one says it all: who gives one on the command line does not want the other of clouds.yaml."""


def merged_login(
    kind: str, own: Mapping[str, Any], given: Mapping[str, Any], filling: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the login: `given` before the cloud's `own`, and `filling` only where neither says anything."""
    merged = {name: value for name, value in own.items() if value not in (None, "")}
    for name in given:
        for rival in _rivals(name):
            merged.pop(rival, None)
    merged |= given
    if kind == APPLICATION_CREDENTIAL:
        # Its id says who and where: Keystone refuses what is left over from a password's settings.
        by_id = "application_credential_id" in {**filling, **merged}
        leftover = {*_SCOPE, *_PROJECT_DOMAIN, *(_USER if by_id else ())} - given.keys()
        merged = {name: value for name, value in merged.items() if name not in leftover}
        filling = {name: value for name, value in filling.items() if name not in leftover}
    for name, value in filling.items():
        if not any(rival in merged for rival in _rivals(name)):
            merged[name] = value
    return merged


def with_domains(login: Mapping[str, Any], default: str) -> dict[str, Any]:
    """Return the login with the default domain where a name lacks one, as the openstack client has it."""
    whole = dict(login)
    for name, (by_id, by_name) in (("username", _USER_DOMAIN), ("project_name", _PROJECT_DOMAIN)):
        shared = "default_domain_id" in whole or "default_domain_name" in whole
        if name in whole and not shared and by_id not in whole and by_name not in whole:
            whole[by_id] = default
    return whole


def _rivals(name: str) -> tuple[str, ...]:
    return next((group for group in _RIVALS if name in group), (name,))
