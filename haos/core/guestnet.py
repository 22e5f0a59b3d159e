"""Who configures a node's network card, and what keeps it from dropping a VIP that keepalived has put there."""

from __future__ import annotations

import re
from collections.abc import Mapping

KEEP_MARKER = "# Made by haos: it goes with the last pair."
_NETWORKD_FOLDER = "/etc/systemd/network"


def manager_of(seen: Mapping[str, str], device: str, index: int) -> tuple[str | None, str | None]:
    """Return who configures a device, and systemd-networkd's file for it, from the managers' own state files."""
    networkd = _assignments(seen.get(f"networkd:{index}", ""))
    if networkd.get("NETWORK_FILE") and networkd.get("ADMIN_STATE") not in {"unmanaged", "initialized"}:
        return "systemd-networkd", networkd["NETWORK_FILE"]
    if _assignments(seen.get(f"nm:{index}", "")).get("connection-uuid"):
        return "NetworkManager", None
    if any(line.partition("=")[0] == device for line in seen.get("ifupdown", "").splitlines()):
        return "ifupdown", None
    return None, None


def keep_path(network_file: str) -> str:
    """Return where haos's drop-in for a .network file lies: by name, wherever the file itself is."""
    return f"{_NETWORKD_FOLDER}/{network_file.rpartition('/')[2]}.d/haos.conf"


def systemd_version(text: str) -> int | None:
    """Return 252 of "systemd 252 (252.39-1~deb12u2)"."""
    match = re.match(r"systemd (\d+)", text)
    return int(match[1]) if match else None


def _assignments(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, equals, value in lines if equals}
