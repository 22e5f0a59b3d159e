"""Who configures a node's network card, and what keeps it from dropping a VIP that keepalived has put there.

Measured with systemd 252 and keepalived 2.2.7, with static addresses and with DHCP. `networkctl reload` of a changed
file and `networkctl reconfigure` delete every address that networkd has not set itself; a DHCP renewal, a stop and a
start of networkd do not. keepalived sees its VIP go, turns Backup at once, and sets it again once it is Active again:
9 ms later where nobody else was faster. With KeepConfiguration=static the VIP is never deleted.

The drop-in takes effect with the next `networkctl reload`, which then keeps the VIP already. haos itself does not
reload: that deletes the node's own address if it came by DHCP, until the server gives it again (45 ms in the lab;
without end where the server is down). So does a reload after the drop-in is gone, whoever's it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from haos.core.node import NodeFacts, NodeFile

MIN_NETWORKD = 243
"""The first systemd that has KeepConfiguration=."""
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


def can_keep(facts: NodeFacts) -> bool:
    """Say whether this node's systemd-networkd can be told to keep a VIP."""
    return facts.systemd_version is None or facts.systemd_version >= MIN_NETWORKD


def keep_files(facts: NodeFacts) -> tuple[NodeFile, ...]:
    """Return the drop-in that lets systemd-networkd keep a VIP; none where somebody else has decided on it."""
    if facts.net_manager != "systemd-networkd" or facts.network_file is None:
        return ()
    if facts.network_keeps is not None or not can_keep(facts):
        return ()
    lines = (KEEP_MARKER, "[Network]", "KeepConfiguration=static")
    return (NodeFile(keep_path(facts.network_file), "\n".join(lines) + "\n", 0o644),)


def keeps(texts: str) -> str | None:
    """Return what a .network file and its drop-ins say of KeepConfiguration; None: nothing, or no."""
    said = re.findall(r"^[ \t]*KeepConfiguration[ \t]*=[ \t]*(\S*)", texts, re.MULTILINE)
    return said[-1] if said and said[-1].lower() not in {"", "no", "false", "off", "0"} else None


def keep_path(network_file: str) -> str:
    """Return where haos's drop-in for a .network file lies: by name, wherever the file itself is."""
    return f"{_NETWORKD_FOLDER}/{network_file.rpartition('/')[2]}.d/haos.conf"


def systemd_version(text: str) -> int | None:
    """Return 252 of "systemd 252 (252.39-1~deb12u2)"."""
    match = re.match(r"systemd ([0-9]{1,9})(?![0-9])", text)
    return int(match[1]) if match else None


def _assignments(text: str) -> dict[str, str]:
    lines = (line.partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, equals, value in lines if equals}
