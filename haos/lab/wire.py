"""The values of `haos.lab.model` as JSON, and back again by their declared types."""

from __future__ import annotations

import dataclasses
import ipaddress
import types
import typing
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

_PARSERS: dict[Any, Callable[[str], Any]] = {
    ipaddress.IPv4Address: ipaddress.ip_address,
    ipaddress.IPv6Address: ipaddress.ip_address,
    ipaddress.IPv4Network: ipaddress.ip_network,
    ipaddress.IPv6Network: ipaddress.ip_network,
    ipaddress.IPv4Interface: ipaddress.ip_interface,
    ipaddress.IPv6Interface: ipaddress.ip_interface,
}


def encode(value: Any) -> Any:
    """Turn a value into what JSON can say."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: encode(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if type(value) in _PARSERS:
        return str(value)
    return value


def decode(kind: type[T], data: Any) -> T:
    """Turn what JSON said into a value of a type."""
    made: T = _decode(kind, data)
    return made


def _decode(kind: Any, data: Any) -> Any:
    if data is None:
        return None
    if isinstance(kind, types.UnionType):
        return _decode(next(each for each in typing.get_args(kind) if each is not types.NoneType), data)
    if typing.get_origin(kind) is tuple:
        return tuple(_decode(typing.get_args(kind)[0], item) for item in data)
    if dataclasses.is_dataclass(kind):
        return _decode_fields(kind, data)
    if kind in _PARSERS:
        return _PARSERS[kind](data)
    return kind(data) if isinstance(kind, type) and issubclass(kind, Enum) else data


def _decode_fields(kind: Any, data: dict[str, Any]) -> Any:
    hints = _hints(kind)
    return kind(**{name: _decode(hints[name], item) for name, item in data.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
