"""What an attribute's value must be, and what Neutron makes of it: one function for each kind of value."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from haos.lab.api.errors import invalid, neutron

Converter = Callable[[str, Any], Any]
"""(attribute, value as sent) -> value as kept; raises the 400 that the value deserves."""

TRUE = ("1", "t", "true", "on", "y", "yes")
FALSE = ("0", "f", "false", "off", "n", "no")
MAC = re.compile(r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4}", re.IGNORECASE)
NOBODYS_MACS = ("00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff")
TEXT_LENGTH = 255


def boolean(name: str, value: Any) -> bool:
    """Take a boolean, or one of the words and numbers that mean one."""
    word = str(value).strip().lower()
    if word not in TRUE + FALSE:
        raise neutron("InvalidInput", error_message=f"'{value}' cannot be converted to boolean")
    return word in TRUE


def text(name: str, value: Any) -> str:
    """Take a string of 255 characters at most."""
    if wrong := wrong_text(value):
        raise invalid(name, wrong)
    return str(value)


def wrong_text(value: Any) -> str:
    """Say what keeps a value from being such a string, nothing if it is one."""
    if not isinstance(value, str):
        return f"'{value}' is not a valid string"
    return f"'{value}' exceeds maximum length of {TEXT_LENGTH}" if len(value) > TEXT_LENGTH else ""


def uuid(name: str, value: Any) -> str:
    """Take an id."""
    try:
        UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise invalid(name, f"'{value}' is not a valid UUID") from None
    return str(value)


def uuid_or_none(name: str, value: Any) -> str | None:
    """Take an id, or null for none."""
    return None if value is None else uuid(name, value)


def uuids(name: str, value: Any) -> list[str]:
    """Take a list of different ids; null is the empty list."""
    if value is None:
        return []
    if wrong := wrong_list(value):
        raise invalid(name, wrong)
    return [uuid(name, item) for item in value]


def different_texts(name: str, value: Any) -> list[str]:
    """Take a list of different strings."""
    if wrong := wrong_texts(value):
        raise invalid(name, wrong)
    return list(value)


def wrong_texts(value: Any) -> str:
    """Say what keeps a value from being a list of different strings, nothing if it is one."""
    return wrong_list(value) or next(filter(None, map(wrong_text, value)), "")


def wrong_list(value: Any) -> str:
    """Say that a value is no list, or what it has twice; nothing if it is a list of different things."""
    if not isinstance(value, list):
        return f"'{value}' is not a list"
    twice = dict.fromkeys(str(item) for item in value if value.count(item) > 1)
    return f"Duplicate items in the list: '{', '.join(twice)}'" if twice else ""


def mac(name: str, value: Any) -> str | None:
    """Take the MAC address of a port; null leaves the choice to Neutron."""
    if value is None:
        return None
    if not is_mac(value):
        raise invalid(name, f"'{value}' is not a valid MAC address")
    return str(value)


def address_or_none(name: str, value: Any) -> str | None:
    """Take an IP address, or null for none."""
    if value is None:
        return None
    try:
        return str(ip_address(str(value)))
    except ValueError:
        raise invalid(name, f"'{value}' is not a valid IP address") from None


def choice(*allowed: Any) -> Converter:
    """Make a converter that takes nothing but these values."""

    def one(name: str, value: Any) -> Any:
        if value not in allowed:
            raise invalid(name, f"{value} is not in valid_values")
        return value

    return one


def is_mac(value: object) -> bool:
    """Say whether Neutron takes it for the MAC address of a host, or of a group of hosts."""
    return isinstance(value, str) and MAC.fullmatch(value) is not None and value.lower() not in NOBODYS_MACS


def one_of(*allowed: str) -> Converter:
    """Take one of some words."""

    def convert(name: str, value: Any) -> str:
        if value not in allowed:
            raise invalid(name, f"{value} is not in valid_values")
        return str(value)

    return convert


def plain_mac(address: str) -> str:
    """Spell a MAC address the usual way: lower case, with colons."""
    digits = re.sub(r"[:.-]", "", address.lower())
    return ":".join(digits[place : place + 2] for place in range(0, len(digits), 2))
