"""`haos failover-test`: faults on a healthy pair, one after the other, each measured from the observer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from haos.core import service, vrrp
from haos.core.fault import Guard
from haos.core.leg import Leg
from haos.core.model import Instance, Node, Pair, ServiceCheck
from haos.core.node import NodeFacts
from haos.core.outage import Verdict, achieved_interval_s
from haos.core.report import FailoverReport
from haos.errors import HaosError, NotFoundError, UnsatisfiableError
from haos.workflow.context import Context
from haos.workflow.faults import Fault, faults_named
from haos.workflow.injection import hold_s
from haos.workflow.intent import refuse_pending
from haos.workflow.parallel import for_each
from haos.workflow.recheck import refuse_leaving
from haos.workflow.request import FailoverRequest
from haos.workflow.resolve import find_pair, pair_nodes, whole
from haos.workflow.status import find_watcher
from haos.workflow.trial import Trial, run_trial
from haos.workflow.trust import refuse_doubtful
from haos.workflow.verify import await_answer, find_active, worst
from haos.workflow.witnesses import watching

POLL_S = 0.1


@dataclass(frozen=True)
class PlannedFault:
    """A fault as it will be made on the preferred node."""

    fault: Fault
    bound_s: float
    heals_after_s: float | None  # the node's own timer or the guardian; None: it ends by itself


@dataclass(frozen=True)
class FailoverPlan:
    """All that a failover test will do, before it does any of it."""

    request: FailoverRequest
    pair: Pair
    nodes: tuple[Node, ...]
    observer: Instance
    faults: tuple[PlannedFault, ...]
    keepalived: dict[str, str]


def plan_failover(request: FailoverRequest, ctx: Context) -> FailoverPlan:
    """Look at the pair and refuse what must not be tried. Changes nothing.

    Raises UsageError, NotFoundError or UnsatisfiableError.
    """
    faults = faults_named(request.faults)
    with ctx.progress.step("look at the cloud"):
        pair, reservation = find_pair(ctx.cloud, request.pair)
        refuse_leaving(reservation, pair.name, ctx)
        found, ports = pair_nodes(ctx.cloud, pair)
        refuse_pending(pair, reservation, found)
        observer = find_watcher(request.observer, {port.device_id for port in ports}, found, ctx)
    if observer is None:
        raise NotFoundError("no instance to measure from", hint="name one with --observer")
    nodes = whole(pair, found)
    with ctx.progress.step("look at the nodes"):
        facts = for_each(nodes, lambda node: ctx.fleet.node(node.instance).facts(node.port.mac))
    refuse_doubtful(pair, nodes, {node.name: seen for node, seen in facts.items()}, ports)
    refuse_unfinished(pair, facts)
    refuse_fault(pair, facts)
    pair = replace(pair, checks=_kept_checks(pair, facts))
    faults = _possible(faults, request, pair)
    if not request.allow_collateral and any(fault.whole_node for fault in faults):
        refuse_collateral(pair, facts)
    nodes = tuple(replace(node, interface=seen.interface) for node, seen in facts.items())
    versions = {node.name: seen.keepalived or "" for node, seen in facts.items()}
    return FailoverPlan(
        request, pair, nodes, observer, tuple(_planned(fault, pair, request.interval_s) for fault in faults), versions
    )


def failover_test(
    plan: FailoverPlan, ctx: Context, salvage: Callable[[FailoverReport], object] = lambda _: None
) -> FailoverReport:
    """Run the faults of a plan, round by round; before each the pair must be healthy, or `force` be asked for.

    What was measured before an error, or an interrupt, is given to `salvage` before that is raised.
    """
    run = _Run(plan, ctx)
    try:
        run.all()
    except (HaosError, KeyboardInterrupt) as error:
        if run.legs:
            run.broke_off(str(error) or "interrupted")
            salvage(run.report())
        raise
    return run.report()


class _Run:
    """A failover test under way: what was seen so far."""

    def __init__(self, plan: FailoverPlan, ctx: Context) -> None:
        self._plan = plan
        self._ctx = ctx
        self._began_at = datetime.fromtimestamp(ctx.clock.wall_s(), UTC)
        self._broken: tuple[Verdict, str] | None = None
        self.legs: list[Leg] = []

    def all(self) -> None:
        """Try every fault in every round, as long as the test can go on."""
        for number in range(self._plan.request.rounds):
            for planned in self._plan.faults:
                if self.legs:
                    self._pause()
                if not self._one(planned.fault, number + 1):
                    return

    def broke_off(self, reason: str) -> None:
        """Note why the test ended before its end."""
        self._broken = Verdict.UNKNOWN, f"the test broke off: {reason}"

    def _pause(self) -> None:
        """Give the backend the time that was asked for between two faults."""
        until_s = self._ctx.clock.now_s() + self._plan.request.pause_s
        while (left_s := until_s - self._ctx.clock.now_s()) > 0:
            self._ctx.clock.sleep(min(left_s, POLL_S))

    def _one(self, fault: Fault, number: int) -> bool:
        """Try one fault; False if the test cannot go on after it."""
        plan, ctx = self._plan, self._ctx
        active, wrong = find_active(plan.pair, plan.nodes, ctx)
        if active is None or (wrong is not None and not plan.request.force):
            return self._refuse(wrong or "no node is Active")
        observer = ctx.fleet.observer(plan.observer)
        probe = observer.start_probe(plan.pair.vip, interval_s=plan.request.interval_s, service=plan.request.service)
        try:
            answer = await_answer(plan.pair, active, plan.observer, probe, ctx)
            if answer.verdict is Verdict.FAIL:
                return self._refuse(answer.reason)
            if answer.verdict is not None:
                return self._break(answer.verdict, answer.reason)
            with watching(plan.pair, plan.nodes, probe, ctx) as witnesses:
                trial = Trial(
                    plan.pair, plan.nodes, probe, ctx, witnesses,
                    plan.request.max_outage_s, plan.request.max_dual_active_s, number,
                )  # fmt: skip
                self._try(fault, trial, active)
        finally:
            probe.stop()
        lost = self.legs[-1].history.lost if self.legs[-1].history else None
        return lost is None or self._break(Verdict.UNKNOWN, f"the observer was lost: {lost}")

    def _try(self, fault: Fault, trial: Trial, active: Node) -> None:
        try:
            self.legs += run_trial(fault, trial, active)
        except (HaosError, KeyboardInterrupt):
            self.legs += trial.judged
            raise

    def _refuse(self, reason: str) -> bool:
        """A pair that is not healthy is no failover that failed, unless it was the test that made it so."""
        if self.legs:
            return self._break(Verdict.FAIL, reason)
        hint = f"haos status {self._plan.pair.name}"
        raise UnsatisfiableError(f"pair {self._plan.pair.name} is not fit to be tested: {reason}", hint=hint)

    def _break(self, verdict: Verdict, reason: str) -> bool:
        self._broken = verdict, reason
        return False

    def report(self) -> FailoverReport:
        """Put together what was seen."""
        plan, histories = self._plan, [leg.history for leg in self.legs if leg.history]
        verdict, reason = self._verdict()
        return FailoverReport(
            pair=plan.pair,
            observer=plan.observer.name,
            legs=tuple(self.legs),
            verdict=verdict,
            reason=reason,
            faults=tuple(planned.fault.name for planned in plan.faults),
            rounds=plan.request.rounds,
            max_outage_s=plan.request.max_outage_s,
            max_dual_active_s=plan.request.max_dual_active_s,
            began_at=self._began_at,
            interval_s=plan.request.interval_s,
            achieved_interval_s=max(map(achieved_interval_s, histories), default=None),
            method=histories[-1].method if histories else "",
            service=plan.request.service,
            keepalived=plan.keepalived,
        )

    def _verdict(self) -> tuple[Verdict, str]:
        verdicts = [leg.verdict for leg in self.legs]
        if self._broken is not None:
            verdict = worst([*verdicts, self._broken[0]])
            return verdict, self._broken[1]
        others = verdicts.count(worst(verdicts)) - 1
        bad = next((leg for leg in self.legs if leg.verdict is worst(verdicts)), None)
        if bad is None or bad.verdict is Verdict.PASS:
            return Verdict.PASS, f"{self._plan.pair.vip} moved {len(verdicts)} times, each within its bound"
        more = f" (and {others} more)" if others else ""
        return bad.verdict, f"{bad.label} on {bad.origin}: {bad.reason}{more}"


def _kept_checks(pair: Pair, facts: dict[Node, NodeFacts]) -> tuple[ServiceCheck, ...]:
    texts = (seen.pair_files[pair.name] for seen in facts.values() if pair.name in seen.pair_files)
    return next((checks for text in texts if (checks := service.checks_of(text))), ())


def _possible(faults: Sequence[Fault], request: FailoverRequest, pair: Pair) -> tuple[Fault, ...]:
    """Leave out what this pair lacks something for; refuse it where it was asked for by its name."""
    lacking = [fault for fault in faults if fault.needs == "check" and not pair.checks]
    named = [fault.name for fault in lacking if fault.name in request.faults]
    if named:
        raise UnsatisfiableError(
            f"pair {pair.name} has no service check that {named[0]} could make fail",
            hint="haos create … --check tcp:PORT gives it one",
        )
    return tuple(fault for fault in faults if fault not in lacking)


def _planned(fault: Fault, pair: Pair, interval_s: float) -> PlannedFault:
    bound_s = fault.bound_s(pair.timing, vrrp.backups_of(pair))
    return PlannedFault(fault, bound_s, None if fault.guard is Guard.ITSELF else hold_s(fault, bound_s, interval_s))


def refuse_unfinished(pair: Pair, facts: dict[Node, NodeFacts]) -> None:
    """Refuse a pair of which a switchover was broken off: its priorities are not the record's."""
    if any(pair.name in seen.weights for seen in facts.values()):
        raise UnsatisfiableError(
            f"a switchover of pair {pair.name} is under way, or was broken off",
            hint=f"haos switchover {pair.name} brings it to its end",
        )


def refuse_fault(pair: Pair, facts: dict[Node, NodeFacts]) -> None:
    """Refuse a pair with a node that is under a fault already. Raises UnsatisfiableError."""
    for node, seen in facts.items():
        if seen.fault is not None:
            raise UnsatisfiableError(
                f"fault {seen.fault} is in force on {node.name}: a failover-test is at work, or died",
                hint=f"the node ends it by itself; at once: haos failover-test --restore {pair.name}",
            )


def refuse_collateral(pair: Pair, facts: dict[Node, NodeFacts]) -> None:
    """Refuse to hit a whole node that serves others too. Raises UnsatisfiableError."""
    for node, seen in facts.items():
        others = sorted({*seen.pair_files} - {pair.name}) + sorted(seen.other_instances)
        if others:
            raise UnsatisfiableError(
                f"keepalived on {node.name} serves others too ({', '.join(others)}): they would be hit as well",
                hint="--fault withdraw hits this pair alone; --allow-collateral hits them all",
            )
