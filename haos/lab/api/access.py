"""Access rules: what a token of an application credential may ask for, as keystonemiddleware has it.

A service that gets a token with such rules refuses (401) every request that none of them allows; pages that need no
token are open. Keystone takes rules only in this form, and an empty list for none.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from haos.lab.api.errors import ApiError
from haos.lab.api.routing import Doc

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
LONGEST_PATH = 225
_TOKEN = re.compile(r"(\{[^}]*\}|\*(?!\*))|(\*\*)|([^{}*])")


@dataclass(frozen=True)
class AccessRule:
    """One kind of request: `*` and `{name}` in the path stand for one part of it, `**` for any number."""

    service: str
    method: str
    path: str
    id: str

    def allows(self, service: str, method: str, path: str) -> bool:
        """Say whether a request is of this kind."""
        return (service, method) == (self.service, self.method) and _pattern(self.path).fullmatch(path) is not None

    def shown(self) -> Doc:
        """Return it as Keystone shows it."""
        return asdict(self)


def allowed(rules: Iterable[AccessRule], service: str, method: str, path: str) -> bool:
    """Say whether a request is allowed; `path` is the whole one, as the service is asked for it."""
    if (service, method) == ("identity", "GET") and path.endswith("/v3/auth/tokens"):
        return True  # tokens can always be looked at
    return any(rule.allows(service, method, path) for rule in rules)


def read(given: object) -> tuple[AccessRule, ...]:
    """Parse the rules in the body of a new application credential; 400 for anything else."""
    if not isinstance(given, list):
        raise _invalid("access_rules", given, "is not of type 'array'")
    return tuple(_rule(number, each) for number, each in enumerate(given))


def _rule(number: int, given: object) -> AccessRule:
    at = f"access_rules/{number}"
    if not isinstance(given, dict):
        raise _invalid(at, given, "is not of type 'object'")
    for name in ("path", "service", "method"):
        if not isinstance(given.get(name), str):
            raise _invalid(f"{at}/{name}", given.get(name), "is not of type 'string'")
    path, service, method = given["path"], given["service"], given["method"]
    if method not in METHODS:
        raise _invalid(f"{at}/method", method, f"is not one of {list(METHODS)}")
    if not path.startswith("/") or len(path) > LONGEST_PATH:
        raise _invalid(f"{at}/path", path, r"does not match '^/\\.*', or is too long")
    if not re.fullmatch(r"[a-zA-Z0-9-]{1,64}", service):
        raise _invalid(f"{at}/service", service, "does not match '^[a-zA-Z0-9-]+$'")
    return AccessRule(service, method, path, str(given.get("id") or uuid.uuid4().hex))


def _invalid(where: str, value: object, why: str) -> ApiError:
    return ApiError(400, f"Invalid input for field '{where}': {value!r} {why}")


def _pattern(path: str) -> re.Pattern[str]:
    parts = ("[^/]+" if one else ".*" if many else re.escape(literal) for one, many, literal in _TOKEN.findall(path))
    return re.compile("".join(parts))
