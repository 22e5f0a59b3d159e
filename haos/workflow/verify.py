"""Prove a pair: one Active, the observer is answered, and the VIP moves and comes back within the bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haos.core.leg import Leg
from haos.core.model import Instance, Node, Pair
from haos.core.outage import Verdict, in_a_row
from haos.core.probe import History
from haos.errors import RemoteError
from haos.workflow.context import Context, Probe
from haos.workflow.faults import WITHDRAW, Fault
from haos.workflow.peers import not_seen_by_peers
from haos.workflow.trial import (
    PROBE_INTERVAL_S,
    SETTLED_ECHOES,
    await_one_active,
    backup_ready,
    macs_of,
    run_trial,
)

ANSWER_TIMEOUT_S = 10.0
"""An address pair or a rule takes effect with delay on every backend (0.5 s on OVN, 2 s on OVS, measured)."""
__all__ = ["Verdict", "Verification", "look_on", "prove", "worst"]


@dataclass(frozen=True)
class Verification:
    """What was seen of a pair."""

    verdict: Verdict
    reason: str
    active: str | None = None  # node name
    answered_from: str | None = None  # MAC that the observer got its answers from
    legs: tuple[Leg, ...] = ()

    @property
    def ignored_garp(self) -> bool:
        """Whether the VIP moved and the network went on delivering to the old node."""
        return any(leg.unheard for leg in self.legs)

    @property
    def taken_over(self) -> bool:
        """Whether one node was Active, and every move that was tried took place as far as the nodes know."""
        return self.active is not None and all(leg.verdict is not Verdict.FAIL for leg in self.legs)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return FAIL before UNKNOWN before PASS."""
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS


def look_on(pair: Pair, nodes: Sequence[Node], observer: Instance | None, ctx: Context) -> Verification:
    """Verify passively: nothing is moved."""
    return _verify(pair, nodes, observer, ctx, ())


def prove(pair: Pair, nodes: Sequence[Node], observer: Instance | None, ctx: Context) -> Verification:
    """Verify with one trial failover and failback, by withdrawing this pair's instance alone."""
    return _verify(pair, nodes, observer, ctx, (WITHDRAW,))


def _verify(
    pair: Pair, nodes: Sequence[Node], observer: Instance | None, ctx: Context, faults: Sequence[Fault]
) -> Verification:
    try:
        return run_faults(pair, nodes, observer, ctx, faults)
    except RemoteError as error:
        return Verification(Verdict.UNKNOWN, f"verification broke off: {error}")


def run_faults(
    pair: Pair, nodes: Sequence[Node], observer: Instance | None, ctx: Context, faults: Sequence[Fault]
) -> Verification:
    """Check that the pair is healthy, then try each fault in turn. Raises RemoteError when a node is lost."""
    with ctx.progress.step("wait for exactly one Active node"):
        active, sights = await_one_active(pair, nodes, ctx)
    if active is None:
        seen = ", ".join(
            f"{name} is {sight.role}{' with the VIP' * sight.holds_vip}" for name, sight in sights.items()
        )
        return Verification(Verdict.FAIL, f"the nodes do not agree on one Active: {seen}")
    if faults and not backup_ready(pair, sights):
        return Verification(Verdict.FAIL, f"no Backup is ready to take over from {active.name}", active.name)
    if observer is None:
        return _without_observer(pair, nodes, active, ctx, faults)
    probe = ctx.fleet.observer(observer).start_probe(pair.vip, interval_s=PROBE_INTERVAL_S)
    try:
        return _with_probe(pair, nodes, active, observer, probe, ctx, faults)
    finally:
        probe.stop()


def _without_observer(
    pair: Pair, nodes: Sequence[Node], active: Node, ctx: Context, faults: Sequence[Fault]
) -> Verification:
    """Let the nodes watch each other: that the VIP moves is seen, how long it was gone is not."""
    with ctx.progress.step(f"ask who has {pair.vip} from the other nodes"):
        wrong = not_seen_by_peers(active, macs_of(active, pair), pair, nodes, ctx)
    if wrong is not None:
        return Verification(Verdict.FAIL, wrong, active.name)
    legs = _try_all(pair, nodes, active, None, ctx, faults)
    bad = next((leg for leg in legs if leg.verdict is Verdict.FAIL), None)
    seen = "take-over seen by the nodes themselves" if legs else f"{active.name} holds the VIP"
    reason = f"{bad.label}: {bad.reason}" if bad else f"{seen}; outage unknown, since nobody observed"
    return Verification(worst([Verdict.UNKNOWN, *(leg.verdict for leg in legs)]), reason, active.name, None, legs)


def _with_probe(
    pair: Pair,
    nodes: Sequence[Node],
    active: Node,
    observer: Instance,
    probe: Probe,
    ctx: Context,
    faults: Sequence[Fault],
) -> Verification:
    with ctx.progress.step(f"ask {pair.vip} from {observer.name}"):
        answered = probe.wait(is_answered, ANSWER_TIMEOUT_S)
    history = probe.history()
    if history.lost:
        return Verification(Verdict.UNKNOWN, f"the observer was lost: {history.lost}", active.name)
    if not answered:
        return Verification(
            Verdict.FAIL, f"{pair.vip} does not answer {observer.name}, though {active.name} holds it", active.name
        )
    macs = macs_of(active, pair)
    responder = next((mac for mac in recent_responders(history) if mac not in macs), last_responder(history))
    if responder is not None and responder not in macs:
        return Verification(
            Verdict.FAIL,
            f"{pair.vip} is answered by {responder}, not by {active.name} ({active.port.mac})",
            active.name,
            responder,
        )
    legs = _try_all(pair, nodes, active, probe, ctx, faults)
    bad = next((leg for leg in legs if leg.verdict is not Verdict.PASS), None)
    reason = f"{bad.label} on {bad.origin}: {bad.reason}" if bad else f"{pair.vip} answers from {active.name}"
    return Verification(worst([leg.verdict for leg in legs]), reason, active.name, responder, legs)


def _try_all(
    pair: Pair, nodes: Sequence[Node], active: Node, probe: Probe | None, ctx: Context, faults: Sequence[Fault]
) -> tuple[Leg, ...]:
    legs: list[Leg] = []
    for index, fault in enumerate(faults):
        if index:
            holder, sights = await_one_active(pair, nodes, ctx)
            if holder is None or not backup_ready(pair, sights):
                break  # the leg before has said why
            active = holder
        legs += run_trial(fault, pair, nodes, active, probe, ctx)
    return tuple(legs)


def is_answered(history: History) -> bool:
    """Say whether the last echoes were all answered, and the last fresh ARP request too."""
    fresh = not history.asks or any(ask.answers for ask in history.asks[-5:])
    return bool(in_a_row(history, SETTLED_ECHOES)) and fresh


def recent_responders(history: History) -> tuple[str, ...]:
    """Return every MAC that answered one of the last fresh ARP requests."""
    return tuple(mac for ask in history.asks[-5:] for mac in ask.answers)


def last_responder(history: History) -> str | None:
    """Return the MAC that answered last: a fresh ARP request's before an echo's."""
    for ask in reversed(history.asks):
        if ask.answers:
            return ask.answers[-1]
    return next((echo.responder for echo in reversed(history.echoes) if echo.responder), None)
