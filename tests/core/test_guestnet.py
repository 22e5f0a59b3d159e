"""The drop-in that lets systemd-networkd keep a VIP: where it is needed, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from haos.core.guestnet import KEEP_MARKER, keep_files, keeps, systemd_version
from haos.core.node import NodeFacts

NETPLAN = "/run/systemd/network/10-netplan-ens3.network"


def facts(**changes: Any) -> NodeFacts:
    seen = {"net_manager": "systemd-networkd", "network_file": NETPLAN, "systemd_version": 252, **changes}
    return NodeFacts("ha", "Debian", "apt", systemd=True, interface="ens3", **seen)


def test_drop_in_of_the_ports_file() -> None:
    [file] = keep_files(facts())
    assert file.path == "/etc/systemd/network/10-netplan-ens3.network.d/haos.conf"
    assert file.text == f"{KEEP_MARKER}\n[Network]\nKeepConfiguration=static\n"
    assert file.mode == 0o644, "systemd-networkd reads it as a user of its own"


@pytest.mark.parametrize(
    "changes",
    [
        {"net_manager": "NetworkManager", "network_file": None},
        {"net_manager": None, "network_file": None},
        {"network_keeps": "dhcp"},  # somebody else has decided
        {"systemd_version": 242},
    ],
)
def test_no_drop_in(changes: dict[str, Any]) -> None:
    assert keep_files(facts(**changes)) == ()


@pytest.mark.parametrize(
    ("texts", "kept"),
    [
        ("[Network]\nDHCP=yes\n", None),
        ("KeepConfiguration=no\n", None),
        (" KeepConfiguration = yes\n", "yes"),
        ("KeepConfiguration=yes\nKeepConfiguration=\n", None),
        ("#KeepConfiguration=yes\n", None),
    ],
)
def test_what_is_kept_already(texts: str, kept: str | None) -> None:
    assert keeps(texts) == kept


@pytest.mark.parametrize(("text", "version"), [("systemd 252 (252.39-1~deb12u2)", 252), ("", None)])
def test_systemd_version(text: str, version: int | None) -> None:
    assert systemd_version(text) == version
