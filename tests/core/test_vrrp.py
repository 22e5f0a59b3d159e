"""VRRP arithmetic against RFC 9568's formulas and what was measured on keepalived."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core import vrrp
from haos.core.model import Member, Mode, Pair, ServiceCheck, Timing, virtual_mac, vrid_of
from haos.errors import UnsatisfiableError, UsageError


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


def pair(timing: Timing, *priorities: int, checks: tuple[ServiceCheck, ...] = ()) -> Pair:
    members = tuple(Member(f"port-{priority}", priority) for priority in priorities)
    return Pair("web", "n", "p", ip_address("10.0.0.9"), 1, members, timing=timing, checks=checks)


def predicted(one: Pair) -> dict[str, float]:
    return {each.fault: round(each.bound_s, 6) for each in vrrp.predict(one)}


def test_each_kind_of_fault_is_predicted_from_the_best_backup() -> None:
    skew = 26 / 256 * 0.3
    assert predicted(pair(Timing(0.3), 240, 230, 212)) == {
        "clean stop": round(skew, 6),
        "crash or partition": round(0.9 + skew, 6),
        "failback": 0.0,
    }
    checked = pair(Timing(0.3), 240, 230, checks=(ServiceCheck("tcp:1"),))
    assert predicted(checked)["failed check"] == round(3 + skew, 6)


def test_bfd_bounds_are_its_detection_time_and_the_backups_own_wait() -> None:
    # RFC 5880, 6.8.4: Detect Mult times the interval; then 3 x 10 ms and the skew of that.
    bound_s = round(0.150 + 0.030 + 26 / 256 * 0.01, 6)
    found = predicted(pair(Timing(1.0, bfd=True), 240, 230))
    assert found["clean stop"] == found["crash or partition"] == bound_s
    assert found["failback"] == 16 / 256 * 1.0


def test_profiles_have_names_both_ways() -> None:
    assert vrrp.PROFILES == {"conservative": 1.0, "standard": 0.3, "fast": 0.1, "fastest": 0.05}
    assert vrrp.profile_of(0.3) == "standard"
    assert vrrp.profile_of(0.4) is None


@pytest.mark.parametrize("interval_s", [0.01, 0.05, 0.29, 0.3, 0.57, 1.0, 40.95])
def test_intervals_that_the_wire_can_carry(interval_s: float) -> None:
    vrrp.check_timing(Timing(interval_s), 2)


@pytest.mark.parametrize(
    ("timing", "count", "reason"),
    [
        (Timing(0.009), 2, "out of range"),
        (Timing(0.015), 2, "out of range"),
        (Timing(40.96), 2, "out of range"),
        (Timing(float("nan")), 2, "out of range"),
        (Timing(1.0, -1), 2, "preempt delay"),
        (Timing(1.0, 1001), 2, "preempt delay"),
        (Timing(1.0, bfd=True), 3, "two nodes"),
        (Timing(0.05), 3, "for two nodes"),
    ],
)
def test_timing_that_cannot_be(timing: Timing, count: int, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        vrrp.check_timing(timing, count)


def test_with_the_virtual_mac_a_switch_may_follow_the_old_node_until_the_next_gratuitous_arp() -> None:
    assert vrrp.bound_of_failback_s(Timing(), 240) == 0.0
    assert vrrp.bound_of_failback_s(Timing(), 240, Mode.VMAC) == vrrp.GARP_REFRESH_S == 1.0
