"""SSH host keys as text: read one line strictly, and find those that an instance printed on its console."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
END = "-----END SSH HOST KEY KEYS-----"

KEY_TYPES = frozenset(
    {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"},
)
# Printed by old images and well formed, but no OpenSSH of today accepts it.
OUTDATED_TYPES = frozenset({"ssh-dss"})

_MARKER = re.compile(r"(?i)(BEGIN|END)[\s-]+SSH[\s-]+HOST[\s-]+KEY[\s-]+KEYS")
_COMMENT = re.compile(r"[!-~]+")


@dataclass(frozen=True)
class HostKey:
    """A public host key; `blob` is base64 as in known_hosts."""

    type: str
    blob: str

    @property
    def fingerprint(self) -> str:
        """The fingerprint as ssh shows it."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def label(self) -> str:
        """The short name of the key's type: ED25519, ECDSA, RSA."""
        return self.type.removeprefix("ssh-").split("-")[0].upper()

    def line(self, name: str) -> str:
        """Return the known_hosts line that binds the key to a name."""
        return f"{name} {self.type} {self.blob}"

    def __str__(self) -> str:
        return f"{self.label} {self.fingerprint}"


@dataclass(frozen=True)
class ConsoleKeys:
    """What a console log says of the host keys: some keys, or the reason why none of it is to be trusted."""

    keys: tuple[HostKey, ...] = ()
    reason: str | None = None


def parse_key(text: str) -> HostKey | None:
    """Read `TYPE BLOB [COMMENT]`; None unless every byte of the blob is what the type demands."""
    words = text.split(" ")
    if len(words) not in (2, 3) or (len(words) == 3 and not _COMMENT.fullmatch(words[2])):
        return None
    key_type, blob = words[:2]
    if key_type not in KEY_TYPES | OUTDATED_TYPES:
        return None
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return None
    fields = _fields(raw)
    # Re-encoding refuses the loose spellings of base64, which would pass as another key with the same bytes.
    if base64.b64encode(raw).decode() != blob or not fields or not _fits(key_type, fields):
        return None
    return HostKey(key_type, blob)


def keys_on_console(log: str) -> ConsoleKeys:
    """Find cloud-init's block of host keys; trust nothing unless there is exactly one and it is whole.

    Whoever can write to the console can print a block of his own: two blocks, or one with anything else in it,
    say that somebody did, or that the log was cut.
    """
    lines = [line.rstrip("\r\n \t") for line in log.split("\n")]
    marked = [number for number, line in enumerate(lines) if _MARKER.search(line)]
    if not marked:
        return ConsoleKeys(reason="its console log holds no host keys (not printed, or rolled over since)")
    begins, ends = lines.count(BEGIN), lines.count(END)
    if begins > 1 or ends > 1 or len(marked) > 2:
        return ConsoleKeys(reason="its console log holds more than one block of host keys")
    if len(marked) < 2:
        return ConsoleKeys(reason="the block of host keys on its console log is cut")
    first, last = marked
    if lines[first] != BEGIN or lines[last] != END:
        return ConsoleKeys(reason="the block of host keys on its console log is malformed")
    return _read_block(lines[first + 1 : last])


def _read_block(lines: list[str]) -> ConsoleKeys:
    keys = [parse_key(line) for line in lines]
    known = tuple(key for key in keys if key is not None)
    if len(known) < len(keys):
        return ConsoleKeys(reason="the block of host keys on its console log holds lines that are no host keys")
    types = [key.type for key in known]
    if len(set(types)) < len(types):
        return ConsoleKeys(reason="the block of host keys on its console log has two keys of one type")
    usable = tuple(key for key in known if key.type in KEY_TYPES)
    if not usable:
        return ConsoleKeys(reason="the block of host keys on its console log holds no usable key")
    return ConsoleKeys(usable)


def _fields(raw: bytes) -> list[bytes]:
    """Split a blob into its length-prefixed fields (RFC 4251, section 5); [] if they do not fill it exactly."""
    fields: list[bytes] = []
    while raw:
        size = int.from_bytes(raw[:4], "big")
        if len(raw) < 4 + size:
            return []
        fields.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return fields


def _fits(key_type: str, fields: list[bytes]) -> bool:
    """Say whether the fields are those of a key of this type (RFC 4253, 5656, 8709)."""
    if fields[0] != key_type.encode():
        return False
    if key_type == "ssh-ed25519":
        return len(fields) == 2 and len(fields[1]) == 32
    if key_type == "ssh-rsa":
        return len(fields) == 3 and len(fields[2]) >= 128
    if key_type == "ssh-dss":
        return len(fields) == 5
    curve = key_type.removeprefix("ecdsa-sha2-")
    point = {"nistp256": 65, "nistp384": 97, "nistp521": 133}[curve]
    return len(fields) == 3 and fields[1] == curve.encode() and len(fields[2]) == point
