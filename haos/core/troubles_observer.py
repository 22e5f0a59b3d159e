"""What the observer says of a pair, judged: who answers for the VIP, and how much it can see. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from haos.core.outage import Verdict
from haos.core.sighting import Observation, stale_entry
from haos.core.status import CloudView, Trouble


def observer_troubles(
    seen: Observation, verdict: Verdict, reason: str, names: Mapping[str, str], view: CloudView
) -> Iterator[Trouble]:
    """Find what speaks against the pair, or against the observer, in what was seen from outside; `names`: of MACs."""
    name = seen.observer
    strangers = sorted({mac for mac in (seen.echo_from, *seen.arp_from) if mac} - {*names, view.reservation.mac})
    yield from (_taken(mac, view) for mac in strangers)
    if verdict is not Verdict.PASS and not strangers:
        yield Trouble("observer", name if verdict is Verdict.UNKNOWN else "", reason, seen.hint)
    if told := stale_entry(seen, names):
        yield Trouble("neighbour", name, f"its neighbour entry led to {told}, who does not hold the VIP", grave=False)
    if seen.lost is None and "+" not in seen.method:
        sees = "which node answers, nor who a new client is led to" if seen.method == "ping" else (
            "who a new client is led to")  # fmt: skip
        yield Trouble("observer-blind", name, f"it probes by {seen.method} and does not see {sees}",
                      "give it sudo without a password, and python3", grave=False)  # fmt: skip


def _taken(mac: str, view: CloudView) -> Trouble:
    """Say who answers for the VIP and is no node, as far as the network's ports tell."""
    port = next((port for port in view.ports if port.mac == mac), None) or next(
        (port for port in view.ports if any(pair.mac_address.lower() == mac for pair in port.pairs)), None
    )
    who, remedy = "no port of this network has that address", f"find {mac} on the network and take the VIP off there"
    if port is not None:
        whose = {"": "plugged in nowhere"}.get(port.device_id, f"of {port.device_owner or 'device'} {port.device_id}")
        who, remedy = (
            f"that is port {port.id}, {whose}",
            f"take {view.pair.vip} off there: openstack port show {port.id}",
        )
    return Trouble("vip-taken", "", f"{view.pair.vip} is answered by {mac}, which is no node's: {who}", remedy)
