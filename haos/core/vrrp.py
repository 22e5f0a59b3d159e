"""VRRP arithmetic: VRIDs, priorities, and how long a takeover takes (RFC 9568)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from haos.core.model import Timing, vrid_of
from haos.errors import UnsatisfiableError

TOP_PRIORITY = 240
"""Near the top the skew is short; above it stays head-room for a switchover (255 is the address owner's)."""
FIRST_STEP = 10
MIN_SKEW_APART_S = 0.020
"""From the third node on: Backups closer than this were both seen to turn Active (measured, keepalived 2.2.7)."""
MARGIN_S = 0.1
"""What scheduling and the network may add to a predicted bound before the verdict is FAIL."""


def choose_vrid(macs: Iterable[str], version: int, *, avoid: Iterable[int] = ()) -> int:
    """Return the lowest VRID whose virtual MAC no port of the network has. Raises UnsatisfiableError."""
    taken = {found[0] for mac in macs if (found := vrid_of(mac)) and found[1] == version} | set(avoid)
    for vrid in range(1, 256):
        if vrid not in taken:
            return vrid
    raise UnsatisfiableError(
        f"all 255 IPv{version} VRIDs are taken on this network",
        hint="openstack port list --device-owner haos:vip; tear a pair down, or use another network",
    )


def priorities(count: int, interval_s: float) -> tuple[int, ...]:
    """Return the priorities of `count` nodes, highest first: 240, 230, then at least 20 ms of skew apart."""
    step = max(FIRST_STEP, math.ceil(MIN_SKEW_APART_S * 256 / interval_s))
    chosen = [TOP_PRIORITY, TOP_PRIORITY - FIRST_STEP][:count]
    while len(chosen) < count:
        chosen.append(chosen[-1] - step)
    if chosen[-1] < 1:
        raise UnsatisfiableError(
            f"{count} nodes do not fit below each other at an advertisement interval of {interval_s} s",
            hint="use fewer nodes or a longer interval",
        )
    return tuple(chosen)


def skew_time_s(priority: int, interval_s: float) -> float:
    """Return Skew_Time: (256 - priority) / 256 of the Active node's interval (RFC 9568, 6.1)."""
    return (256 - priority) / 256 * interval_s


def active_down_interval_s(priority: int, interval_s: float) -> float:
    """Return Active_Down_Interval: three intervals and the skew (RFC 9568, 6.1)."""
    return 3 * interval_s + skew_time_s(priority, interval_s)


def bound_of_clean_stop_s(timing: Timing, backups: Sequence[int]) -> float:
    """Return the longest outage after the Active said goodbye with priority 0 (RFC 9568, 6.4.3): the skew alone."""
    return skew_time_s(max(backups), timing.advertisement_interval_s)


def bound_of_crash_s(timing: Timing, backups: Sequence[int]) -> float:
    """Return the longest outage after the Active fell silent, its last advertisement sent just before."""
    return active_down_interval_s(max(backups), timing.advertisement_interval_s)
