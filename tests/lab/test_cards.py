"""What an instance is told about its network."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address, ip_interface
from typing import Any

import pytest

from haos.lab import cards
from haos.lab.model import Nic

FIRST = Nic("p1", "n1", "ens3", "fa:16:3e:8d:dc:bb", (ip_interface("10.0.0.2/24"),), (ip_address("10.0.0.1"),))
SECOND = Nic(
    "p2",
    "n2",
    "ens4",
    "fa:16:3e:00:00:02",
    (ip_interface("10.0.1.2/24"), ip_interface("2001:db8::2/64")),
    (ip_address("10.0.1.1"), ip_address("2001:db8::1")),
)


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that ip is given."""
    lines: list[str] = []
    monkeypatch.setattr(subprocess, "run", lambda argv, *, input, **_: lines.extend(input.splitlines()))
    return lines


def test_link_local_address_is_the_kernels() -> None:
    assert str(cards.link_local(FIRST.mac)) == "fe80::f816:3eff:fe8d:dcbb"


def test_each_version_has_one_default_route_by_the_first_card_that_has_a_gateway(batch: list[Any]) -> None:
    cards.configure((FIRST, SECOND))
    assert [line for line in batch if line.startswith("route")] == [
        "route add default via 10.0.0.1 dev ens3",
        "route add default via 2001:db8::1 dev ens4",
    ]


def test_addresses_are_usable_at_once(batch: list[Any]) -> None:
    cards.configure((SECOND,))
    added = [line for line in batch if line.startswith("address add")]
    assert "address add 10.0.1.2/24 dev ens4" in added
    assert [line for line in added if ":" in line and not line.endswith("nodad")] == []
