"""The fields of what an API answered, each held to the type that it has there.

A field that is missing or of another type must not be taken for "none": address pairs that were not told would be
lost by the next change, an allocation pool that was not told would be no reason against an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar
from uuid import UUID

from haos.core.model import Address, Network
from haos.errors import CloudError

T = TypeVar("T")
LONGEST_VALUE = 40
"""Characters of a value that an error shows."""
_MAC = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")
_EXTENSIONS = {"allowed_address_pairs": "allowed-address-pairs", "security_groups": "security-group"}
"""Field -> the extension of Neutron's that it comes with."""
_HINT = "--debug shows the request and the whole answer"


def unreadable(what: str, why: str, field: str = "") -> CloudError:
    """Return the error for an answer that is not what the API gives."""
    missing = _EXTENSIONS.get(field)
    hint = f"haos needs Neutron's extension {missing}: openstack extension list --network" if missing else _HINT
    return CloudError(f"{what}: the cloud did not answer as the API does: {why}", hint=hint)


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Turn what keystoneauth trips over, in a login or a catalog that is none, into CloudError."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise unreadable(f"cannot {what}", f"{type(error).__name__} {_shown(str(error))}") from error


def part(answer: object, key: str, what: str) -> Mapping[str, Any]:
    """Return the object under a key of an answer; `what` says what was asked for ("cannot get port …")."""
    inner = answer.get(key) if isinstance(answer, Mapping) else None
    if not isinstance(inner, Mapping):
        raise unreadable(what, f"{key} is {_shown(inner)}")
    return inner


def parts(answer: object, key: str, what: str) -> list[dict[str, Any]]:
    """Return the list of objects under a key of an answer."""
    inner = answer.get(key) if isinstance(answer, Mapping) else None
    if not isinstance(inner, list):
        raise unreadable(what, f"{key} is {_shown(inner)}")
    for one in inner:
        if not isinstance(one, dict):
            raise unreadable(what, f"in {key} is {_shown(one)}")
    return inner


class Fields:
    """One resource. Each method raises CloudError where the field is not what the API makes of it."""

    def __init__(self, body: object, kind: str) -> None:
        self._kind = kind
        self._body: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        if not isinstance(body, Mapping):
            raise self.wrong("", f"it is {_shown(body)}")

    def wrong(self, field: str, why: str) -> CloudError:
        """Return the error that a field is not as it should be."""
        name = self._body.get("id")
        who = f"{self._kind} {_shown(name).strip(chr(39))}" if isinstance(name, str) and name else f"a {self._kind}"
        return unreadable(f"cannot read {who}", f"{field} {why}".strip(), field)

    def has(self, field: str) -> bool:
        """Say whether the field is there, and not null."""
        return self._body.get(field) is not None

    def _typed(self, field: str, kind: type[T], default: T | None) -> T:
        value = self._body.get(field)
        if value is None and default is not None:
            return default
        if field not in self._body:
            raise self.wrong(field, "is missing")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(field, f"is {_shown(value)}")
        return value

    def text(self, field: str, default: str | None = None) -> str:
        """Return a text; without a default it must be there, and not be empty."""
        value = self._typed(field, str, default)
        if not value and default is None:
            raise self.wrong(field, "is empty")
        return value

    def uuid(self, field: str) -> str:
        """Return a UUID as it is spelled there."""
        value = self.text(field)
        try:
            UUID(value)
        except ValueError:
            raise self.wrong(field, f"is {_shown(value)}") from None
        return value

    def choice(self, field: str, *values: str) -> str:
        """Return a text that is one of these."""
        value = self.text(field)
        if value not in values:
            raise self.wrong(field, f"is {_shown(value)}")
        return value

    def text_or_none(self, field: str) -> str | None:
        """Return a text, None where it is missing, null or empty."""
        return self.text(field, "") or None

    def word_or_none(self, field: str) -> str | None:
        """Return a text or a number, as a text; None where it is missing or null."""
        is_number = isinstance(self._body.get(field), int)
        return str(self.number(field, 0)) if is_number else self.text_or_none(field)

    def flag(self, field: str, default: bool) -> bool:
        """Return a boolean; one that is there must not be null."""
        return self._typed(field, bool, None) if field in self._body else default

    def number(self, field: str, default: int) -> int:
        """Return a number, the default where it is missing or null."""
        return self._typed(field, int, default)

    def number_or_none(self, field: str) -> int | None:
        """Return a number, None where it is missing or null."""
        return self.number(field, 0) if self.has(field) else None

    def mac(self, field: str, default: str | None = None) -> str:
        """Return a MAC address as it is spelled there."""
        value = self.text(field, default)
        if not _MAC.fullmatch(value):
            raise self.wrong(field, f"is {_shown(value)}")
        return value

    def address(self, field: str) -> Address:
        """Return an IP address."""
        value = self.text(field)
        try:
            return ip_address(value)
        except ValueError:
            raise self.wrong(field, f"is {_shown(value)}") from None

    def address_or_none(self, field: str) -> Address | None:
        """Return an IP address, None where it is null; the field must be there."""
        if field not in self._body:
            raise self.wrong(field, "is missing")
        return self.address(field) if self._body[field] not in (None, "") else None

    def network(self, field: str, *, strict: bool = True) -> Network:
        """Return an IP network."""
        value = self.text(field)
        try:
            return ip_network(value, strict=strict)
        except ValueError:
            raise self.wrong(field, f"is {_shown(value)}") from None

    def texts(self, field: str, default: list[str] | None = None) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self._typed(field, list, default)
        for value in values:
            if not isinstance(value, str):
                raise self.wrong(field, f"holds {_shown(value)}")
        return tuple(values)

    def addresses(self, field: str) -> tuple[Address, ...]:
        """Return a list of IP addresses."""
        try:
            return tuple(ip_address(value) for value in self.texts(field))
        except ValueError as error:
            raise self.wrong(field, f"holds what is no address: {_shown(str(error))}") from None

    def items(self, field: str) -> tuple[Fields, ...]:
        """Return a list of objects."""
        return tuple(self._inner(value, field) for value in self._typed(field, list, None))

    def mapping(self, field: str) -> Fields | None:
        """Return an object, None where it is missing or null."""
        return self._inner(self._body[field], field) if self.has(field) else None

    def lists(self) -> tuple[Fields, ...]:
        """Return the objects of all lists that this one holds, whatever they are called."""
        return tuple(one for field in self._body for one in self.items(field))

    def _inner(self, value: object, field: str) -> Fields:
        if not isinstance(value, Mapping):
            raise self.wrong(field, f"holds {_shown(value)}")
        return _Inner(value, field, self)


class _Inner(Fields):
    """An object within a resource; its errors name the resource."""

    def __init__(self, body: Mapping[str, Any], name: str, outer: Fields) -> None:
        super().__init__(body, name)
        self._name, self._outer = name, outer

    def wrong(self, field: str, why: str) -> CloudError:
        return self._outer.wrong(self._name, f"{field} {why}".strip())


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
