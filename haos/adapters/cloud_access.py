"""A 401 that does not come from the login: what an application credential's access rules do not allow."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from keystoneauth1 import exceptions as ksa
from keystoneauth1.access import AccessInfoV3
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity.base import BaseIdentityPlugin

from haos.core.access import AccessRule, rule_for
from haos.errors import ForbiddenError

ANEW = "openstack application credential create --access-rules docs/access-rules.json NAME"
"""The rules of a credential cannot be changed."""


def forbidden(what: str, adapter: Adapter, method: str, path: str) -> ForbiddenError | None:
    """Return the error for a request that was answered with 401; None where the rules are not the reason.

    Services answer so to a token that is good: keystonemiddleware knows of no 403.
    """
    rules, service = _rules(adapter), adapter.service_type or ""
    if not rules:
        return None
    asked = urlsplit(adapter.endpoint_override or "").path + path
    wanted = rule_for(service, method, asked)
    if any(rule.allows(service, method, asked) for rule in rules):
        return ForbiddenError(
            f"cannot {what}: the application credential's access rules have {wanted}, but it is refused (HTTP 401)",
            hint=f"does this cloud check such rules? its {service} service needs service_type = {service} for it",
        )
    return ForbiddenError(
        f"cannot {what}: the application credential's access rules lack {wanted} (HTTP 401)",
        hint=f"make another one: {ANEW}",
    )


def _rules(adapter: Adapter) -> tuple[AccessRule, ...]:
    plugin = adapter.auth or adapter.session.auth
    if not isinstance(plugin, BaseIdentityPlugin):
        return ()
    try:
        known = plugin.get_access(adapter.session)
    except ksa.ClientException:
        return ()
    told: Any = known.application_credential_access_rules if isinstance(known, AccessInfoV3) else None
    return tuple(AccessRule(each["service"], each["method"], each["path"]) for each in told or ())
