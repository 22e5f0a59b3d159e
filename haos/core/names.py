"""The identity of a pair: project + network + name."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable, Sequence

from haos.errors import UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")


def check_name(name: str) -> str:
    """Return the name if it may be a pair's; raises UsageError."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a pair's name",
            hint="letters, digits, '.', '_' and '-', starting with a letter or digit, at most 41 characters",
        )
    return name


def default_name(node_names: Iterable[str]) -> str:
    """Return the nodes' names, slugged, sorted and joined: the same whatever order they were given in."""
    slugs = sorted(slug(name) for name in node_names)
    joined = "-".join(part for part in slugs if part)[:41].rstrip("-._")
    if not joined:
        raise UsageError("no pair name can be made of these nodes' names", hint="give one with --name")
    return joined


def slug(text: str) -> str:
    """Return the text reduced to what a pair's name may hold."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")


def rebuild_command(name: str, network: str, nodes: Sequence[str] = ("A", "B")) -> str:
    """Return the command that writes a pair's record anew from what lies on its nodes."""
    words = ["haos", "repair", name, "--rebuild-record", "--network", network, "--nodes", ",".join(nodes)]
    return shlex.join(words)


def device_id(name: str) -> str:
    """Return the `device_id` of a pair's reservation port."""
    return f"haos-{name}"


def group_name(name: str) -> str:
    """Return the name of a pair's security group."""
    return f"haos-{name}"


def port_name(name: str) -> str:
    """Return the name of a pair's reservation port."""
    return f"haos-vip-{name}"


def group_mark(reservation_id: str) -> str:
    """Return the description that marks a security group as belonging to one reservation of haos."""
    return f"haos:vip {reservation_id}"


def floating_mark(reservation_id: str) -> str:
    """Return the description that marks a floating IP as made by haos for one reservation."""
    return f"haos:vip {reservation_id}"
