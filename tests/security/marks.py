"""Secrets that are known again wherever they turn up: plain, or encoded in the ways that programs encode things."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

AWKWARD = "/+ &%3a'\"ü"
"""Ends each secret, so that it looks different in a URL, in JSON and in a shell."""
_WORD = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|x([0-9a-f]{2}))")
_TOKEN = re.compile(r"gAAAA[\w-]{16,}")
HASHES = ("md5", "sha1", "sha256", "sha512")


@dataclass(frozen=True)
class Mark:
    """One secret; `core` is enough of it to tell."""

    core: str

    @property
    def value(self) -> str:
        """The whole secret."""
        return self.core + AWKWARD

    @property
    def in_url(self) -> str:
        """The secret as a URL holds it."""
        return quote(self.value, safe="")

    def is_in(self, text: str) -> bool:
        """Say whether it is there, in whatever form."""
        hashes = (hashlib.new(name, self.value.encode()).hexdigest() for name in HASHES)
        return any(self.core in form for form in _forms(text)) or any(each in text.lower() for each in hashes)


def leaks(text: str, marks: Iterable[Mark]) -> list[str]:
    """Return what is in a text and should not be: these secrets, and tokens that open something."""
    found = [mark.core for mark in marks if mark.is_in(text)]
    return [*found, *(f"token {each[:12]}…" for each in _TOKEN.findall(text))]


def _forms(text: str) -> Iterator[str]:
    yield text
    yield unquote_plus(text)
    yield html.unescape(text)
    yield _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)
    for word in set(_WORD.findall(text)):
        for start in range(4):  # it may stand in the middle of another word
            bare = word[start:].rstrip("=").translate(str.maketrans("-_", "+/"))
            try:
                decoded = base64.b64decode(bare + "=" * (-len(bare) % 4)).decode(errors="replace")
            except (binascii.Error, ValueError):
                continue
            yield decoded
            yield unquote_plus(decoded)
