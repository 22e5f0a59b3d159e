"""VRRP arithmetic: VRIDs, profiles, priorities, and how long a takeover takes (RFC 9568)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from haos.core import service
from haos.core.crowd import beyond
from haos.core.model import Mode, Pair, Timing, vrid_of
from haos.errors import UnsatisfiableError, UsageError

PROFILES = {"conservative": 1.0, "standard": 0.3, "fast": 0.1, "fastest": 0.05}
"""Name -> advertisement interval in seconds."""
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.01, 40.95
"""keepalived's lower limit; the upper one of the 12 bits on the wire (RFC 9568, 5.2.7)."""
LONGEST_PREEMPT_DELAY_S = 1000  # keepalived's limit
FASTEST_NODES = 2
"""At 0.05 s a third node is one skew of 20 ms away only at a priority so low that a crash takes it twice as long."""
TOP_PRIORITY = 240
"""Near the top the skew is short; above it stays head-room for a switchover (255 is the address owner's)."""
FIRST_STEP = 10
MIN_SKEW_APART_S = 0.020
"""From the third node on: Backups closer than this were both seen to turn Active (measured, keepalived 2.2.7)."""
MARGIN_S = 0.1
"""What scheduling and the network may add to a predicted bound before the verdict is FAIL."""
GARP_REFRESH_S = 1.0
"""How often the Active node repeats its gratuitous ARP (`garp_master_refresh`, render.py)."""
BFD_INTERVAL_MS = 50
BFD_MULTIPLIER = 3
BFD_BACKUP_INTERVAL_S = 0.01
"""The Backup's own interval under BFD: it is in Fault while BFD is up, and waits three of these once BFD is down."""


@dataclass(frozen=True)
class Prediction:
    """How long the VIP may be gone for one kind of fault, and why."""

    fault: str
    bound_s: float
    why: str


def choose_vrid(macs: Iterable[str], version: int, *, avoid: Iterable[int] = (), passed: int = 0) -> int:
    """Return the lowest VRID whose virtual MAC no port of the network has; so many of them are passed over.

    Raises UnsatisfiableError.
    """
    taken = {found[0] for mac in macs if (found := vrid_of(mac)) and found[1] == version} | set(avoid)
    for vrid in beyond((one for one in range(1, 256) if one not in taken), passed):
        return vrid
    raise UnsatisfiableError(
        f"all 255 IPv{version} VRIDs are taken on this network",
        hint="openstack port list --device-owner haos:vip; tear a pair down, or use another network",
    )


def profile_of(interval_s: float) -> str | None:
    """Return the name of the profile with this advertisement interval."""
    return next((name for name, seconds in PROFILES.items() if seconds == interval_s), None)


def priorities(count: int, interval_s: float) -> tuple[int, ...]:
    """Return the priorities of `count` nodes, highest first: 240, 230, then at least 20 ms of skew apart."""
    step = max(FIRST_STEP, math.ceil(MIN_SKEW_APART_S * 256 / interval_s))
    chosen = [TOP_PRIORITY, TOP_PRIORITY - FIRST_STEP][:count]
    while len(chosen) < count:
        chosen.append(chosen[-1] - step)
    if chosen[-1] < 1:
        raise UnsatisfiableError(
            f"{count} nodes do not fit below each other at an advertisement interval of {interval_s:g} s",
            hint="use fewer nodes or a longer interval",
        )
    return tuple(chosen)


def check_priorities(wanted: Sequence[int], count: int) -> None:
    """Refuse priorities that cannot be the nodes'. Raises UsageError."""
    if len(wanted) != count:
        raise UsageError(f"{len(wanted)} priorities for {count} nodes", hint="one for each of --nodes, in its order")
    if len(set(wanted)) < len(wanted):
        raise UsageError("two nodes have the same priority", hint="which of them shall have the VIP?")
    if not all(1 <= priority <= 254 for priority in wanted):
        raise UsageError("a priority is a number from 1 to 254", hint="0 and 255 have meanings of their own in VRRP")


def check_timing(timing: Timing, count: int) -> None:
    """Refuse timing that keepalived or the wire cannot express. Raises UsageError."""
    interval_s, delay_s = timing.advertisement_interval_s, timing.preempt_delay_s
    if not SHORTEST_INTERVAL_S <= interval_s <= LONGEST_INTERVAL_S or round(interval_s * 100, 6) % 1:
        raise UsageError(
            f"an advertisement interval of {interval_s:g} s is out of range",
            hint=f"{SHORTEST_INTERVAL_S} to {LONGEST_INTERVAL_S} s in steps of 0.01 s (RFC 9568, 5.2.7)",
        )
    if not 0 <= delay_s <= LONGEST_PREEMPT_DELAY_S:
        raise UsageError(f"a preempt delay of {delay_s} s is out of range", hint=f"0 to {LONGEST_PREEMPT_DELAY_S} s")
    if timing.bfd and count != 2:
        raise UsageError(f"--bfd works with two nodes, not with {count}", hint="leave out --bfd; --profile fast")
    if count > FASTEST_NODES and interval_s <= PROFILES["fastest"]:
        raise UsageError(f"an interval of {interval_s:g} s is for two nodes, not for {count}", hint="--profile fast")


def skew_time_s(priority: int, interval_s: float) -> float:
    """Return Skew_Time: (256 - priority) / 256 of the Active node's interval (RFC 9568, 6.1)."""
    return (256 - priority) / 256 * interval_s


def active_down_interval_s(priority: int, interval_s: float) -> float:
    """Return Active_Down_Interval: three intervals and the skew (RFC 9568, 6.1)."""
    return 3 * interval_s + skew_time_s(priority, interval_s)


def bound_of_clean_stop_s(timing: Timing, backups: Sequence[int]) -> float:
    """Return the longest outage after the Active said goodbye with priority 0 (RFC 9568, 6.4.3): the skew alone."""
    if timing.bfd:
        return bound_by_bfd_s(backups)  # a node in Fault does not listen to goodbyes
    return skew_time_s(max(backups), timing.advertisement_interval_s)


def bound_of_crash_s(timing: Timing, backups: Sequence[int]) -> float:
    """Return the longest outage after the Active fell silent, its last advertisement sent just before."""
    if timing.bfd:
        return bound_by_bfd_s(backups)
    return active_down_interval_s(max(backups), timing.advertisement_interval_s)


def bound_of_failed_check_s(timing: Timing, backups: Sequence[int]) -> float:
    """Return the longest time from the service's failure to the takeover: detection, then a clean goodbye."""
    return service.DETECTION_S + bound_of_clean_stop_s(timing, backups)


def bound_of_failback_s(timing: Timing, preferred: int, mode: Mode = Mode.GARP) -> float:
    """Return the longest outage as the preferred node comes back: none, since it takes over only once it speaks.

    Under BFD the Backup gives up as soon as it sees the other one live, and says so with priority 0. With the virtual
    MAC the old Active node may answer the new one's gratuitous ARP before it lets go (measured, keepalived 2.2.7); a
    switch then leads to it until the next one is sent.
    """
    bound_s = skew_time_s(preferred, timing.advertisement_interval_s) if timing.bfd else 0.0
    return max(bound_s, GARP_REFRESH_S) if mode is Mode.VMAC else bound_s


def bound_by_bfd_s(backups: Sequence[int]) -> float:
    """Return the longest outage where BFD tells the Backup: Detection Time (RFC 5880, 6.8.4), then its own wait."""
    return BFD_MULTIPLIER * BFD_INTERVAL_MS / 1000 + active_down_interval_s(max(backups), BFD_BACKUP_INTERVAL_S)


def backups_of(pair: Pair) -> list[int]:
    """Return the priorities of those who wait while the preferred node is Active."""
    return sorted((member.priority for member in pair.members), reverse=True)[1:]


def predict(pair: Pair) -> tuple[Prediction, ...]:
    """Return the bound of each kind of fault on the preferred node, from the pair's timers."""
    timing, backups = pair.timing, backups_of(pair)
    interval_s, best = timing.advertisement_interval_s, max(backups)
    skew = f"skew (256-{best})/256 x {interval_s:g} s"
    by_bfd = f"BFD: {BFD_MULTIPLIER} x {BFD_INTERVAL_MS} ms, then 3 x {BFD_BACKUP_INTERVAL_S:g} s + skew"
    found = [
        Prediction("clean stop", bound_of_clean_stop_s(timing, backups), by_bfd if timing.bfd else skew),
        Prediction(
            "crash or partition",
            bound_of_crash_s(timing, backups),
            by_bfd if timing.bfd else f"3 x {interval_s:g} s + {skew}",
        ),
    ]
    if pair.checks:
        why = f"check every {service.INTERVAL_S} s, {service.FALL} failures, then as a clean stop"
        found.append(Prediction("failed check", bound_of_failed_check_s(timing, backups), why))
    preferred = max(member.priority for member in pair.members)
    back = "the preferred node takes over only once it speaks" if timing.preempt else "the VIP stays where it is"
    if timing.bfd:
        back = f"the Backup gives up as BFD comes up: skew (256-{preferred})/256 x {interval_s:g} s"
    if pair.mode is Mode.VMAC:
        back = f"a switch may follow the old node until the next gratuitous ARP: {GARP_REFRESH_S:g} s"
    found.append(Prediction("failback", bound_of_failback_s(timing, preferred, pair.mode), back))
    return tuple(found)
