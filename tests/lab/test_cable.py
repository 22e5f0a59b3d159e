"""A cut cable: the switch loses every frame of one port, and of no other."""

from __future__ import annotations

import pytest

from haos.lab import control
from tests.lab.main_job import cloud, on

pytestmark = pytest.mark.lab

FIRST = "10.200.51.32"


def pings(lab: str) -> bool:
    return "2 received" in on(lab, "observer", f"ping -c 2 -i 0.2 -W 1 {FIRST}", ok=False)


def test_a_cut_cable_loses_every_frame_until_it_is_mended(lab_name: str) -> None:
    [port] = cloud(lab_name).network.ports(fixed_ips=f"ip_address={FIRST}")
    assert pings(lab_name)
    control.cut_port(lab_name, port.id, dark=True)
    try:
        assert not pings(lab_name)
        assert cloud(lab_name).network.get_port(port.id).status == "ACTIVE"
    finally:
        control.cut_port(lab_name, port.id, dark=False)
    assert pings(lab_name)
