"""Service checks: what must succeed on a node for it to hold the VIP.

Each becomes a script of its own beside the pair's file, run by keepalived every second: two failures in a row and the
node gives the VIP up (it says so, with priority 0); two successes and it is a Backup again.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from collections.abc import Iterable

from haos.core.model import ServiceCheck
from haos.errors import UsageError

INTERVAL_S = 1
TIMEOUT_S = 1
FALL = 2
RISE = 2
DETECTION_S = INTERVAL_S + FALL * max(INTERVAL_S, TIMEOUT_S)
"""A service that begins to hang right after a check: the next one starts an interval later, each has to time out."""
MAX_CHECKS = 5
MAX_LENGTH = 1000

_TCP = re.compile(r"tcp:(?:(?P<host>[0-9.]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>\d{1,5})")
_URL = re.compile(r"https?://(?:[^\s/?#@]*@)?(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:[/?#]|$)", re.I)
_HEADER = re.compile(r"^# haos-check: ([A-Za-z0-9+/=]+)$", re.MULTILINE)


def parse_checks(specs: Iterable[str]) -> tuple[ServiceCheck, ...]:
    """Return the checks that the user asked for. Raises UsageError for what cannot be one."""
    checks = tuple(ServiceCheck(_checked(spec.strip())) for spec in specs)
    if len(checks) > MAX_CHECKS:
        raise UsageError(f"{len(checks)} service checks are too many", hint=f"at most {MAX_CHECKS}")
    return checks


def _checked(spec: str) -> str:
    if not spec or len(spec) > MAX_LENGTH or re.search(r"[\x00-\x1f\x7f]", spec):
        raise UsageError(f"{spec[:40]!r} cannot be a service check", hint="one line: a command, tcp:PORT or a URL")
    if spec.startswith("tcp:"):
        match = _TCP.fullmatch(spec)
        if not match or not 1 <= int(match["port"]) <= 65535:
            raise UsageError(f"{spec!r} names no TCP port", hint="--check tcp:443, or tcp:ADDRESS:443")
    if needs_http(ServiceCheck(spec)) and not _URL.match(spec):
        raise UsageError(f"{spec!r} names no host", hint="--check http://127.0.0.1:8080/health")
    return spec


def needs_http(check: ServiceCheck) -> bool:
    """Say whether a node needs curl, wget or Python to carry the check out."""
    return check.spec.lower().startswith(("http://", "https://"))


def is_command(check: ServiceCheck) -> bool:
    """Say whether a check is a command of the user's, not haos's own script for a port or a URL."""
    return not needs_http(check) and _TCP.fullmatch(check.spec) is None


def script(check: ServiceCheck) -> str:
    """Return the script that carries a check out: exit code 0 means that the service is well."""
    return "\n".join(("#!/bin/sh", "# Made by haos: it overwrites what is changed here.", *_lines(check), ""))


def _lines(check: ServiceCheck) -> tuple[str, ...]:
    if match := _TCP.fullmatch(check.spec):
        host = (match["host"] or "127.0.0.1").strip("[]")
        return (f"exec bash -c 'exec 3<>/dev/tcp/{host}/{match['port']}'",)
    if needs_http(check):
        url = shlex.quote(check.spec)
        fetch = f"import urllib.request as u; u.urlopen({check.spec!r}, timeout={TIMEOUT_S})"
        return (
            f"if command -v curl >/dev/null; then exec curl -fsS -m {TIMEOUT_S} -o /dev/null {url}; fi",
            f"if command -v wget >/dev/null; then exec wget -q -T {TIMEOUT_S} -t 1 -O /dev/null {url}; fi",
            f"exec python3 -c {shlex.quote(fetch)}",
        )
    return (check.spec,)


def header(check: ServiceCheck) -> str:
    """Return the comment of a pair's file that keeps a check, so that a later run need not be told it again."""
    return f"# haos-check: {base64.b64encode(check.spec.encode()).decode()}"


def checks_of(text: str) -> tuple[ServiceCheck, ...]:
    """Return the checks that a pair's file keeps; what is not one of haos's own making is passed over."""
    found = []
    for encoded in _HEADER.findall(text):
        try:
            found.append(ServiceCheck(_checked(base64.b64decode(encoded, validate=True).decode())))
        except (binascii.Error, UnicodeDecodeError, UsageError):
            continue
    return tuple(found)
