"""Prove a pair: one Active, the observer is answered, and the VIP moves and comes back within the bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haos.core import record
from haos.core.leg import Leg
from haos.core.model import Instance, Node, Pair
from haos.core.outage import Verdict
from haos.core.probe import NO_SERVICE, Service
from haos.core.service_probe import complaint
from haos.errors import NotFoundError, RecordError, RemoteError
from haos.workflow.context import Context, Probe
from haos.workflow.faults import WITHDRAW, Fault
from haos.workflow.peers import not_seen_by_peers
from haos.workflow.settle import (
    ANSWER_TIMEOUT_S,
    PROBE_INTERVAL_S,
    await_one_active,
    await_service,
    backup_ready,
    is_answered,
    last_responder,
    macs_of,
    recent_responders,
)
from haos.workflow.trial import Trial, run_trial
from haos.workflow.turns import alone_on

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


def look_on(
    pair: Pair, nodes: Sequence[Node], observer: Instance | None, ctx: Context, service: Service = NO_SERVICE
) -> Verification:
    """Verify passively: nothing is moved.

    Where that fails it is done once more with the nodes alone: somebody at work there may have moved the VIP.
    """
    seen = _verify(pair, nodes, observer, ctx, (), service)
    if seen.verdict is not Verdict.FAIL:
        return seen
    try:
        with alone_on(pair, nodes, "a look", ctx):
            return _verify(pair, nodes, observer, ctx, (), service)
    except RemoteError:
        return seen


def prove(
    pair: Pair, nodes: Sequence[Node], observer: Instance | None, ctx: Context, service: Service = NO_SERVICE
) -> Verification:
    """Verify with one trial failover and failback, by withdrawing this pair's instance alone.

    One trial at a time: where another run has proven the pair meanwhile, looking is enough.
    """
    try:
        with alone_on(pair, nodes, "a trial failover", ctx) as waited:
            proven = waited and not pair.verified and _is_proven(pair, ctx)
            return _verify(pair, nodes, observer, ctx, () if proven else (WITHDRAW,), service)
    except RemoteError as error:
        return _broken_off(error)


def _is_proven(pair: Pair, ctx: Context) -> bool:
    """Say whether the pair is proven by its record as it is now (1 request)."""
    try:
        return record.decode(ctx.cloud.port(pair.reservation_id)).verified
    except (NotFoundError, RecordError):
        return False


def _verify(
    pair: Pair,
    nodes: Sequence[Node],
    observer: Instance | None,
    ctx: Context,
    faults: Sequence[Fault],
    service: Service,
) -> Verification:
    try:
        return _run(pair, nodes, observer, ctx, faults, service)
    except RemoteError as error:
        return _broken_off(error)


def _broken_off(error: RemoteError) -> Verification:
    return Verification(Verdict.UNKNOWN, f"verification broke off: {error}")


def _run(
    pair: Pair,
    nodes: Sequence[Node],
    observer: Instance | None,
    ctx: Context,
    faults: Sequence[Fault],
    service: Service,
) -> Verification:
    """Check that the pair is healthy, then try each fault in turn. Raises RemoteError when a node is lost."""
    active, wrong = find_active(pair, nodes, ctx, backup=bool(faults))
    if active is None or wrong is not None:
        return Verification(Verdict.FAIL, wrong or "", active.name if active else None)
    if observer is None:
        return _without_observer(pair, nodes, active, ctx, faults)
    probe = ctx.fleet.observer(observer).start_probe(pair.vip, interval_s=PROBE_INTERVAL_S, service=service)
    try:
        return _with_probe(pair, nodes, active, observer, probe, ctx, faults)
    finally:
        probe.stop()


def find_active(
    pair: Pair, nodes: Sequence[Node], ctx: Context, *, backup: bool = True
) -> tuple[Node | None, str | None]:
    """Wait for exactly one Active node and, with `backup`, one that is ready to take over.

    Returns (the Active node if there is exactly one, what is wrong if anything is).
    """
    with ctx.progress.step("wait for exactly one Active node"):
        active, sights = await_one_active(pair, nodes, ctx)
    if active is None:
        seen = ", ".join(
            f"{name} is {sight.role}{' with the VIP' * sight.holds_vip}" for name, sight in sights.items()
        )
        return None, f"the nodes do not agree on one Active: {seen}"
    if backup and not backup_ready(pair, sights):
        return active, f"no Backup is ready to take over from {active.name}"
    return active, None


def _without_observer(
    pair: Pair, nodes: Sequence[Node], active: Node, ctx: Context, faults: Sequence[Fault]
) -> Verification:
    """Let the nodes watch each other: that the VIP moves is seen, how long it was gone is not."""
    with ctx.progress.step(f"ask who has {pair.vip} from the other nodes"):
        wrong = not_seen_by_peers(active, macs_of(active, pair), pair, nodes, ctx)
    if wrong is not None:
        return Verification(Verdict.FAIL, wrong, active.name)
    legs = _try_all(Trial(pair, tuple(nodes), None, ctx), active, faults)
    bad = next((leg for leg in legs if leg.verdict is Verdict.FAIL), None)
    seen = "take-over seen by the nodes themselves" if legs else f"{active.name} holds the VIP"
    reason = f"{bad.label}: {bad.reason}" if bad else f"{seen}; outage unknown, since nobody observed"
    return Verification(worst([Verdict.UNKNOWN, *(leg.verdict for leg in legs)]), reason, active.name, None, legs)


@dataclass(frozen=True)
class Answer:
    """How the VIP answered the observer before anything was done to it; no verdict where it did as it should."""

    verdict: Verdict | None
    reason: str
    responder: str | None = None  # MAC


def await_answer(pair: Pair, active: Node, observer: Instance, probe: Probe, ctx: Context) -> Answer:
    """Wait until the observer is answered steadily, and by the Active node."""
    with ctx.progress.step(f"ask {pair.vip} from {observer.name}"):
        answered = probe.wait(is_answered, ANSWER_TIMEOUT_S)
    history = probe.history()
    if history.lost:
        return Answer(Verdict.UNKNOWN, f"the observer was lost: {history.lost}")
    if not answered:
        return Answer(Verdict.FAIL, f"{pair.vip} does not answer {observer.name}, though {active.name} holds it")
    macs = macs_of(active, pair)
    responder = next((mac for mac in recent_responders(history) if mac not in macs), last_responder(history))
    if responder is not None and responder not in macs:
        reason = f"{pair.vip} is answered by {responder}, not by {active.name} ({active.port.mac})"
        return Answer(Verdict.FAIL, reason, responder)
    if history.service != NO_SERVICE:
        with ctx.progress.step(f"ask the service behind {pair.vip} from {observer.name}"):
            await_service(probe)
        history = probe.history()
        if wrong := complaint(history, history.echoes[0].sent_s, history.now_s):
            return Answer(Verdict.FAIL, wrong, responder)
    return Answer(None, f"{pair.vip} answers from {active.name}", responder)


def _with_probe(
    pair: Pair,
    nodes: Sequence[Node],
    active: Node,
    observer: Instance,
    probe: Probe,
    ctx: Context,
    faults: Sequence[Fault],
) -> Verification:
    answer = await_answer(pair, active, observer, probe, ctx)
    if answer.verdict is not None:
        return Verification(answer.verdict, answer.reason, active.name, answer.responder)
    legs = _try_all(Trial(pair, tuple(nodes), probe, ctx), active, faults)
    bad = next((leg for leg in legs if leg.verdict is not Verdict.PASS), None)
    notes = probe.history().notes
    reason = f"{bad.label} on {bad.origin}: {bad.reason}" if bad else "; ".join((*notes, answer.reason))
    verdict = worst([Verdict.UNKNOWN if notes else Verdict.PASS, *(leg.verdict for leg in legs)])
    return Verification(verdict, reason, active.name, answer.responder, legs)


def _try_all(trial: Trial, active: Node, faults: Sequence[Fault]) -> tuple[Leg, ...]:
    return tuple(leg for fault in faults for leg in run_trial(fault, trial, active))
