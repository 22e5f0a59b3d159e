"""VRRP arithmetic against RFC 9568's formulas and what was measured on keepalived."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core import vrrp
from haos.core.model import Timing, virtual_mac, vrid_of
from haos.errors import UnsatisfiableError


def test_virtual_macs_are_the_rfcs() -> None:
    assert virtual_mac(1, 4) == "00:00:5e:00:01:01"
    assert virtual_mac(255, 6) == "00:00:5e:00:02:ff"
    with pytest.raises(ValueError, match="1-255"):
        virtual_mac(256, 4)


@given(st.integers(1, 255), st.sampled_from([4, 6]))
def test_a_virtual_mac_names_its_vrid(vrid: int, version: int) -> None:
    assert vrid_of(virtual_mac(vrid, version).upper()) == (vrid, version)


@pytest.mark.parametrize("mac", ["fa:16:3e:00:00:01", "00:00:5e:00:01:00", "00:00:5e:00:03:01"])
def test_other_macs_name_none(mac: str) -> None:
    assert vrid_of(mac) is None


@given(st.sets(st.integers(1, 255)), st.sampled_from([4, 6]))
def test_the_lowest_free_vrid_of_the_family_is_chosen(taken: set[int], version: int) -> None:
    other = 10 - version
    macs = [virtual_mac(vrid, version) for vrid in taken] + [virtual_mac(vrid, other) for vrid in range(1, 256)]
    free = [vrid for vrid in range(1, 256) if vrid not in taken]
    if free:
        assert vrrp.choose_vrid(macs, version) == free[0]
    else:
        with pytest.raises(UnsatisfiableError, match="255"):
            vrrp.choose_vrid(macs, version)


def test_priorities_of_two_and_of_more() -> None:
    assert vrrp.priorities(2, 0.3) == (240, 230)
    assert vrrp.priorities(5, 0.3) == (240, 230, 212, 194, 176)


@given(st.integers(2, 5), st.sampled_from([1.0, 0.3, 0.1]))
def test_backups_are_apart_from_the_third_on(count: int, interval_s: float) -> None:
    chosen = vrrp.priorities(count, interval_s)
    skews = [vrrp.skew_time_s(priority, interval_s) for priority in chosen]
    assert all(1 <= priority <= 254 for priority in chosen)
    assert all(later - sooner >= vrrp.MIN_SKEW_APART_S for sooner, later in pairwise(skews[1:]))


def test_too_many_nodes_for_a_short_interval() -> None:
    with pytest.raises(UnsatisfiableError, match="5 nodes do not fit"):
        vrrp.priorities(5, 0.05)


def test_bounds_follow_the_rfc() -> None:
    # RFC 9568, 6.1: Skew_Time = ((256 - Priority) * Active_Adver_Interval) / 256; three intervals on top for a crash.
    assert vrrp.bound_of_clean_stop_s(Timing(1.0), [100]) == pytest.approx(0.609375)
    assert vrrp.bound_of_crash_s(Timing(1.0), [100]) == pytest.approx(3.609375)
    assert vrrp.bound_of_clean_stop_s(Timing(0.3), [230, 212]) == pytest.approx(26 / 256 * 0.3)
