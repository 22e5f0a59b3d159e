"""One fault on the Active node, seen from the observer: inject, take-over, restore, failback."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from haos.core import vrrp
from haos.core.clocks import Moment
from haos.core.insight import Witness, dual_answers_s, fault_moment, insight
from haos.core.judgement import Promise, judge_leg
from haos.core.leg import FAILBACK, Leg
from haos.core.model import Node, Pair
from haos.core.outage import Verdict
from haos.core.probe import NO_SERVICE, History
from haos.core.service_probe import complaint
from haos.workflow.context import Context, Probe
from haos.workflow.faults import Fault
from haos.workflow.injection import Injection, failback_timeout_s, takeover_timeout_s
from haos.workflow.peers import not_seen_by_peers
from haos.workflow.settle import (
    PROBE_INTERVAL_S,
    SETTLE_TIMEOUT_S,
    await_one_active,
    await_service,
    await_target,
    backup_ready,
    has_settled,
    macs_of,
    own_names,
)
from haos.workflow.witnesses import Witnesses

KEPT_S = 2.0
"""So much of the time before a leg is kept, for the picture."""
SPLIT_S = 3.0
"""So long a split is looked at, once the Backup has taken over as well."""


@dataclass(frozen=True)
class Trial:
    """What all legs of one fault share: the pair, who looks on, and what else than the bound is asked for."""

    pair: Pair
    nodes: tuple[Node, ...]
    probe: Probe | None
    ctx: Context
    witnesses: Witnesses | None = None
    max_outage_s: float | None = None
    max_dual_active_s: float | None = None
    round: int = 1
    judged: list[Leg] = field(default_factory=list)  # so far: what is left of a trial that breaks off

    @property
    def interval_s(self) -> float:
        """Between probes, as asked for."""
        return self.probe.history().interval_s if self.probe else PROBE_INTERVAL_S

    def mark(self, label: str) -> None:
        """Name this moment in the observer's history."""
        if self.probe:
            self.probe.mark(label)

    def bound_of(self, fault: Fault, active: Node) -> float:
        """Return how long the VIP may be gone if this node fails that way."""
        backups = [member.priority for member in self.pair.members if member.port_id != active.port.id]
        return fault.bound_s(self.pair.timing, backups)

    def failback_bound_s(self) -> float:
        """Return the bound of a failback: what VRRP predicts, and two probes for the switch of ARP entries."""
        preferred = max(member.priority for member in self.pair.members)
        return vrrp.bound_of_failback_s(self.pair.timing, preferred, self.pair.mode) + 2 * self.interval_s


def run_trial(fault: Fault, trial: Trial, active: Node) -> tuple[Leg, ...]:
    """Inject the fault on the Active node, wait for the take-over, restore, wait for the failback.

    Without preemption there is no failback, unless both nodes were Active meanwhile: the same fault on the new Active
    node brings the VIP back. A node is restored whatever happens, Ctrl-C included.
    """
    legs = _inject(fault, trial, active)
    if trial.pair.timing.preempt or legs[0].verdict is Verdict.UNKNOWN:
        return legs
    if legs[-1].label == FAILBACK:
        return legs
    holder, sights = await_one_active(trial.pair, trial.nodes, trial.ctx)
    if holder is None or holder.name != legs[0].target or not backup_ready(trial.pair, sights):
        return legs
    return *legs, *_inject(fault, trial, holder)


def _inject(fault: Fault, trial: Trial, active: Node) -> tuple[Leg, ...]:
    injection = Injection(fault, trial.pair, active, trial.bound_of(fault, active), trial.ctx, trial.interval_s)
    try:
        over = _fault_leg(trial, injection)
        trial.judged.append(over)
        if over.history is not None and over.history.lost:
            injection.undo()
            return _with_insight(trial, injection, (over,))
        if not trial.pair.timing.preempt:
            return _with_insight(trial, injection, (over, *_stay_or_return(trial, injection, over.target)))
        return _with_insight(trial, injection, (over, _failback_leg(trial, injection, over.target)))
    except (Exception, KeyboardInterrupt):
        injection.undo()
        raise


def _fault_leg(trial: Trial, injection: Injection) -> Leg:
    fault, active = injection.fault, injection.node
    others = [node for node in trial.nodes if node is not active]
    bound_s = trial.bound_of(fault, active)
    promise = Promise(bound_s, trial.max_outage_s, trial.max_dual_active_s, fault.splits)
    # A node that is cut off cannot be asked, and one that hangs has nothing to say: the others alone are.
    asked = others if fault.cuts or fault.splits else trial.nodes
    injection.arm()
    with _measuring(trial, f"{fault.name} on {active.name}"):
        trial.mark(fault.name)
        injection.make()
        timeout_s = takeover_timeout_s(fault, bound_s)
        # One that comes back by itself may do so before it was seen to be away.
        awaited = trial.nodes if fault.lasts_by_itself and not fault.cuts else others
        target = await_target(awaited, trial.pair, asked, timeout_s, trial.ctx)
        if fault.lasts_by_itself and target is active:
            return _seen(trial, fault, fault.name, active, _was_there(trial, others), promise, back=active)
        return _seen(trial, fault, fault.name, active, target, promise)


def _was_there(trial: Trial, others: Sequence[Node]) -> Node | None:
    """Return who took over by its own log, where the node was back before anybody could look."""
    seen = trial.witnesses.read() if trial.witnesses else {}
    for node in others:
        log = seen[node.name].log if node.name in seen else None
        if log is not None and any(event.held for event in log.events):
            return node
    return None


def _failback_leg(trial: Trial, injection: Injection, holder: str) -> Leg:
    active = injection.node
    bound_s = trial.failback_bound_s()
    promise = Promise(bound_s, trial.max_outage_s, trial.max_dual_active_s)
    origin = next((node for node in trial.nodes if node.name == holder), active)
    with _measuring(trial, f"failback to {active.name}"):
        trial.mark(FAILBACK)
        injection.undo()
        timeout_s = failback_timeout_s(trial.pair, bound_s)
        target = await_target([active], trial.pair, trial.nodes, timeout_s, trial.ctx)
        return _seen(trial, injection.fault, FAILBACK, origin, target, promise)


def _stay_or_return(trial: Trial, injection: Injection, holder: str) -> tuple[Leg, ...]:
    """End a fault where nothing preempts: the VIP stays, unless both nodes were Active all along.

    Then the one with the higher priority goes on, and the VIP returns: that is measured as a failback.
    """
    active = injection.node
    with _measuring(trial, f"end of {injection.fault.name} on {active.name}"):
        trial.mark(FAILBACK)
        injection.undo()
        now, _ = await_one_active(trial.pair, trial.nodes, trial.ctx)
        if now is not active:
            return ()
        origin = next((node for node in trial.nodes if node.name == holder), active)
        promise = Promise(trial.failback_bound_s(), trial.max_outage_s, trial.max_dual_active_s)
        return (_seen(trial, injection.fault, FAILBACK, origin, active, promise),)


def _measuring(trial: Trial, title: str) -> AbstractContextManager[None]:
    if trial.probe is None:
        return trial.ctx.progress.step(title)
    return trial.ctx.progress.measuring(title, trial.probe.history, own_names(trial.nodes))


def _seen(
    trial: Trial,
    fault: Fault,
    label: str,
    origin: Node,
    target: Node | None,
    promise: Promise,
    back: Node | None = None,
) -> Leg:
    """Wait until the observer agrees, and judge what it saw; without one, ask the other nodes.

    `back`: the node that has the VIP again already, and may answer as well as the target.
    """
    timeout_s = SETTLE_TIMEOUT_S + promise.bound_s
    macs = {mac for node in (target, back) if node for mac in macs_of(node, trial.pair)}
    names = origin.name, target.name if target else "nobody"
    if trial.probe is None:
        verdict, reason, unheard = _unwatched(trial, target, macs, timeout_s)
        return Leg(label, *names, promise.bound_s, None, verdict, reason, unheard=unheard,
                   fault=fault.name, round=trial.round)  # fmt: skip
    splits = promise.splits and target is not None
    settled = target is not None and trial.probe.wait(
        _watched_for(trial.probe.history().now_s + SPLIT_S) if splits else
        (lambda history: has_settled(history, label, macs)),
        timeout_s,
    )  # fmt: skip
    served = settled and not splits and trial.probe.history().service != NO_SERVICE
    if served:
        await_service(trial.probe)
    history = trial.probe.history()
    start_s = _start_s(history, label)
    judged = judge_leg(
        history, promise, start_s=start_s, target=target.name if target else None, macs=macs, settled=settled,
        dual_answers_s=dual_answers_s(history, own_names(trial.nodes), start_s, history.now_s),
    )  # fmt: skip
    if served and judged.verdict is Verdict.PASS:
        wrong = complaint(history, start_s, history.now_s, promise.max_outage_s)
        judged = replace(judged, verdict=Verdict.FAIL, reason=wrong) if wrong else judged
    return Leg(
        label, *names, promise.bound_s, judged.outage, judged.verdict, judged.reason,
        history.since(start_s - KEPT_S), start_s,
        judged.unheard, fault.name, trial.round, history.now_s, names=own_names(trial.nodes),
    )  # fmt: skip


def _watched_for(until_s: float) -> Callable[[History], bool]:
    return lambda history: history.now_s >= until_s


def _start_s(history: History, label: str) -> float:
    marks = [mark for mark in history.marks if mark.label == label]
    return marks[-1].at_s - marks[-1].error_s if marks else history.now_s


def _unwatched(trial: Trial, target: Node | None, macs: set[str], timeout_s: float) -> tuple[Verdict, str, bool]:
    if target is None:
        return Verdict.FAIL, f"nobody took over in {timeout_s:.0f} s", False
    wrong = not_seen_by_peers(target, macs, trial.pair, trial.nodes, trial.ctx)
    if wrong is not None:
        return Verdict.FAIL, wrong, True
    return Verdict.UNKNOWN, "no observer watched: nobody saw from outside how long the VIP was gone", False


def _with_insight(trial: Trial, injection: Injection, legs: Sequence[Leg]) -> tuple[Leg, ...]:
    """Add what the nodes wrote down; read once the fault is over, since it may have cut a node off."""
    if trial.witnesses is None:
        return tuple(legs)
    trial.witnesses.synchronise()
    seen = trial.witnesses.read()
    return tuple(_insight_of(leg, seen, injection) for leg in legs)


def _insight_of(leg: Leg, seen: Mapping[str, Witness], injection: Injection) -> Leg:
    if leg.history is None:
        return leg
    back = leg.label == FAILBACK
    stamped = fault_moment(seen.get(injection.node.name), healed=back) if injection.is_on_node else None
    found = insight(
        leg.history, seen, leg.names, target=leg.target, fault_at=stamped or _marked(leg),
        start_s=leg.start_s, end_s=leg.end_s,
    )  # fmt: skip
    return replace(leg, insight=found)


def _marked(leg: Leg) -> Moment | None:
    """Return when haos itself named the moment: it came at that time or up to the mark's error before."""
    marks = [mark for mark in (leg.history.marks if leg.history else ()) if mark.label == leg.label]
    return Moment(marks[-1].at_s - marks[-1].error_s / 2, marks[-1].error_s / 2) if marks else None
