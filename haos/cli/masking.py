"""What is written about trouble (logs, --debug, tracebacks) without the secrets that may stand in it.

Results and one-line errors never hold a secret. What other libraries log, and what a bug raises, may: an auth_url
with a password in it, a whole configuration.
"""

from __future__ import annotations

import html
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence, Set
from types import TracebackType
from typing import TextIO
from urllib.parse import quote, quote_plus, unquote, urlsplit

HIDDEN = "***"
SHORTEST = 4
"""What is shorter is in half of all words: it is no secret either."""
NAMED = re.compile(r"(?i)password|secret|token|passcode|passphrase|private_key")
"""The names of options and variables whose value is a secret."""
_USERINFO = re.compile(r"(?<=://)[^\s/?#\"'<>]*@")
_TOKEN = re.compile(r"gAAAA[\w-]{16,}=*")
_BASIC = re.compile(r"(?i)\b(basic|bearer) [A-Za-z0-9+/=._~-]{8,}")


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text without these secrets, however they are spelled, without passwords in URLs and without tokens."""
    forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _spelled(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    text = _BASIC.sub(rf"\1 {HIDDEN}", _TOKEN.sub(HIDDEN, text))
    return _USERINFO.sub(f"{HIDDEN}@", text)


def _spelled(secret: str) -> Iterator[str]:
    yield from (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), html.escape(secret))
    yield from (json.dumps(secret)[1:-1], repr(secret)[1:-1], repr(secret.encode())[2:-1])


def secrets_said(openstack: Sequence[str]) -> set[str]:
    """Return the secrets of the environment, and those of --os-* options."""
    found = {value for name, value in os.environ.items() if NAMED.search(name) or name.startswith("OS_AUTH_URL")}
    for index, word in enumerate(openstack):
        name, equals, value = word.partition("=")
        if NAMED.search(name):
            found.add(value if equals else "".join(openstack[index + 1 : index + 2]))
    return {secret for value in found for secret in _inside(value)}


def _inside(value: str) -> Iterator[str]:
    """Yield the password of a URL, and anything else as it is."""
    if "://" not in value:
        yield value
        return
    try:
        password = urlsplit(value).password or ""
    except ValueError:
        return
    yield from (password, unquote(password))


class MaskingFormatter(logging.Formatter):
    """Writes log records without these secrets: the set may grow meanwhile."""

    def __init__(self, secrets: Set[str], fmt: str | None = None, datefmt: str | None = None) -> None:
        super().__init__(fmt, datefmt)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """Return the masked line."""
        return masked(super().format(record), self._secrets)


def show_traceback(error: BaseException, secrets: Set[str], stream: TextIO | None = None) -> None:
    """Print what Python would about an error, masked."""
    print(masked("".join(traceback.format_exception(error)), secrets), end="", file=stream or sys.stderr)


def mask_bugs(secrets: Set[str]) -> None:
    """Let what ends the process, or a thread of it, be printed masked."""

    def told(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
        show_traceback(error, secrets)

    sys.excepthook = told
