"""Access rules of application credentials: which requests they allow, and what stands in one that allows another.

The rules of https://docs.openstack.org/keystone/latest/user/application_credentials.html#access-rules, as
keystonemiddleware reads them: `*` and `{name}` stand for one part of a path, `**` for any number of parts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_TOKEN = re.compile(r"(\{[^}]*\}|\*(?!\*))|(\*\*)|([^{}*])")
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, order=True)
class AccessRule:
    """One kind of request that is allowed; `service` is a type of the catalog."""

    service: str
    method: str
    path: str

    def allows(self, service: str, method: str, path: str) -> bool:
        """Say whether a request is of this kind; `path` is the whole one that the service is asked for."""
        return (service, method) == (self.service, self.method) and _pattern(self.path).fullmatch(path) is not None

    def __str__(self) -> str:
        return json.dumps({"service": self.service, "method": self.method, "path": self.path})


def rule_for(service: str, method: str, path: str) -> AccessRule:
    """Return the narrowest rule that allows a request whatever its ids are, those that follow `tags` included."""
    parts = path.split("/")
    folded = [
        "*" if _ID.fullmatch(part) or previous == "tags" else part
        for previous, part in zip(["", *parts], parts, strict=False)
    ]
    return AccessRule(service, method, "/".join(folded))


def _pattern(path: str) -> re.Pattern[str]:
    parts = ("[^/]+" if one else ".*" if many else re.escape(literal) for one, many, literal in _TOKEN.findall(path))
    return re.compile("".join(parts))
