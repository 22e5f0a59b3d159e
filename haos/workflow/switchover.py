"""`haos switchover`: move the VIP to another node as planned work, and let it stay there.

The target is raised above the others by its weight, takes over, and only then the priorities are exchanged: in the
record first, then on the target, then on the others. Its weight keeps it the highest until all of them agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from haos.core.changes import RestoreNode, RewriteRecord, Undo, Unweigh
from haos.core.judgement import Promise, judge_leg
from haos.core.leg import Leg
from haos.core.model import Instance, Node, Pair, Role, Timing
from haos.core.node import Removal, Sight
from haos.core.outage import Verdict, total_unanswered
from haos.core.switchover import Look, Switchover, Way, decide, is_ready, objections, records
from haos.errors import (
    CloudError,
    NotFoundError,
    UnsatisfiableError,
    VerificationError,
)
from haos.workflow.context import Context, Probe
from haos.workflow.faults_node import WITHDRAW
from haos.workflow.injection import Injection
from haos.workflow.intent import refuse_pending
from haos.workflow.parallel import for_each
from haos.workflow.peers import not_seen_by_peers
from haos.workflow.resolve import find_pair, pair_nodes
from haos.workflow.settle import (
    ANSWER_TIMEOUT_S,
    POLL_S,
    PROBE_INTERVAL_S,
    SETTLE_TIMEOUT_S,
    backup_ready,
    has_settled,
    is_answered,
    macs_of,
    one_active,
    sights_of,
)
from haos.workflow.status import find_watcher
from haos.workflow.undo import raise_after_undo, rewrite_record

LABEL = "switchover"
STAYED = "stayed"
"""The moment from which nothing holds the VIP but the priorities in the files."""
STEADY_TIMEOUT_S = 5.0
SLOWEST_POLL_S = 1.0


@dataclass(frozen=True)
class Prepared:
    """What is to be done, and who watches."""

    move: Switchover
    observer: Instance | None


@dataclass(frozen=True)
class Switched:
    """How a switchover ended."""

    move: Switchover
    observer: Instance | None
    leg: Leg | None  # None where the VIP was there already
    lost_probes: int | None = None  # None where nobody counted


def prepare(name: str | None, to: str | None, *, back: bool, observer_ref: str | None, ctx: Context) -> Prepared:
    """Look at the pair and decide; changes nothing.

    Raises NotFoundError, or UnsatisfiableError where the pair is not healthy or no Backup is ready.
    """
    with ctx.progress.step("look at the cloud"):
        pair, reservation = find_pair(ctx.cloud, name)
        found, ports = pair_nodes(ctx.cloud, pair)
        refuse_pending(pair, reservation, found)
        nodes = _whole(pair, found)
        observer = find_watcher(observer_ref, {port.device_id for port in ports}, found, ctx)
    with ctx.progress.step("look at the nodes"):
        nodes, looks, active = _look(pair, nodes, ctx)
    home = next(node for node in nodes if node.port.id == pair.home.port_id)
    move = decide(pair, nodes, looks, active, home if back else _named(to, pair, nodes))
    return Prepared(move, observer)


def _whole(pair: Pair, found: dict[str, Node]) -> tuple[Node, ...]:
    missing = [member.port_id for member in pair.members if member.port_id not in found]
    if missing:
        raise UnsatisfiableError(
            f"pair {pair.name} is not whole: port {', '.join(missing)} or its instance is gone",
            hint=f"haos status {pair.name}",
        )
    return tuple(found[member.port_id] for member in pair.members)


def _named(ref: str | None, pair: Pair, nodes: tuple[Node, ...]) -> Node | None:
    if ref is None:
        return None
    named = [node for node in nodes if ref in (node.name, node.instance.id)]
    if len(named) != 1:
        listed = ", ".join(node.name for node in nodes)
        raise NotFoundError(f"{ref!r} is no node of pair {pair.name}", hint=f"its nodes are {listed}")
    return named[0]


def _look(pair: Pair, nodes: tuple[Node, ...], ctx: Context) -> tuple[tuple[Node, ...], dict[str, Look], Node]:
    """Look until every node is in a steady role. Raises UnsatisfiableError if the pair is not healthy by then."""
    facts = for_each(nodes, lambda node: ctx.fleet.node(node.instance).facts(node.port.mac))
    nodes = tuple(replace(node, interface=facts[node].interface) for node in nodes)
    by_name = {node.name: seen for node, seen in facts.items()}
    deadline_s = ctx.clock.now_s() + STEADY_TIMEOUT_S
    while True:
        sights = sights_of(pair, nodes, ctx)
        looks = {name: Look(by_name[name], sight) for name, sight in sights.items()}
        reasons = list(objections(pair, nodes, looks))
        active = one_active(nodes, sights)
        if active is not None and not reasons:
            return nodes, looks, active
        if ctx.clock.now_s() >= deadline_s:
            raise _unfit(pair, reasons or [f"the nodes do not agree on one Active: {_disagreement(sights)}"])
        ctx.clock.sleep(POLL_S)


def _disagreement(sights: dict[str, Sight]) -> str:
    return ", ".join(f"{name} is {sight.role}{' with the VIP' * sight.holds_vip}" for name, sight in sights.items())


def _unfit(pair: Pair, reasons: list[str]) -> UnsatisfiableError:
    hint = f"haos status {pair.name}; the haos create that made the pair brings it back to what it should be"
    return UnsatisfiableError(f"pair {pair.name} is not healthy. {'; '.join(reasons)}", hint=hint)


def switchover(prepared: Prepared, ctx: Context) -> Switched:
    """Move the VIP, and let it stay; what fails is undone.

    Raises VerificationError (exit 4) where the VIP did not follow, LeftoverError where not all could be undone.
    """
    move = prepared.move
    if move.nothing_to_do:
        return Switched(move, None, None)
    with _watched(prepared, ctx) as probe:
        undos: list[Undo] = []
        try:
            _move(move, probe, undos, ctx)
            _exchange(move, undos, ctx)
            _let_go(move, probe, ctx)
        except (Exception, KeyboardInterrupt) as error:
            hint = f"haos switchover {move.before.name} --to {move.target.name} goes on from here"
            raise_after_undo(error, undos, move.nodes, ctx, hint=hint)
        return _judged(move, prepared.observer if probe else None, probe)


@contextmanager
def _watched(prepared: Prepared, ctx: Context) -> Iterator[Probe | None]:
    """Let the observer ask the VIP throughout. Raises VerificationError if it is not answered to begin with."""
    move, observer = prepared.move, prepared.observer
    if observer is None:
        ctx.progress.note("no observer: the nodes' own view says where the VIP is; nobody counts lost probes")
        yield None
        return
    probe = ctx.fleet.observer(observer).start_probe(move.before.vip, interval_s=PROBE_INTERVAL_S)
    try:
        with ctx.progress.step(f"ask {move.before.vip} from {observer.name}"):
            answered = probe.wait(is_answered, ANSWER_TIMEOUT_S)
        if not answered:
            lost = probe.history().lost
            why = f"the observer was lost: {lost}" if lost else f"{move.before.vip} does not answer {observer.name}"
            raise VerificationError(f"{why}; nothing was changed", hint=f"haos status {move.before.name}")
        yield probe
    finally:
        probe.stop()


def _move(move: Switchover, probe: Probe | None, undos: list[Undo], ctx: Context) -> None:
    """Let the target take over, and wait until it has."""
    pair, target = move.before, move.target
    if probe is not None:
        probe.mark(LABEL)
    undos += [Unweigh(node.name, pair.name, move.weight_on(node)) for node in move.weighed]
    for node, weight in move.weights:
        with ctx.progress.step(f"{'raise' if node is target else 'lower'} {node.name}"):
            ctx.fleet.node(node.instance).weigh(pair.name, weight)
    if not move.moves:
        return
    if move.is_withdrawn(target):
        with ctx.progress.step(f"bring {target.name} back"):
            _write(move, target, pair, ctx)
            _await_fit(move, ctx)
    if move.way is Way.WITHDRAW:
        with ctx.progress.step(f"withdraw on {move.active.name}"):
            undos.append(_restore(move, move.active))
            # Guarded by the node's own timer: if haos is killed, the pair is not without a Backup for long.
            Injection(WITHDRAW, pair, move.active, move.bound_s, ctx).make()
    title = f"wait until {move.target.name} is Active{_delay(move)}"
    names = {node.port.mac: node.name for node in move.nodes}
    with ctx.progress.measuring(title, probe.history, names) if probe else ctx.progress.step(title):
        _await_there(move, LABEL, probe, ctx)


def _delay(move: Switchover) -> str:
    delay_s = move.before.timing.preempt_delay_s
    return f", after its preempt delay of {delay_s} s" if move.way is Way.RAISE and delay_s else ""


def _await_there(move: Switchover, since: str, probe: Probe | None, ctx: Context) -> None:
    """Wait until the target alone has the VIP, and is who answers for it. Raises VerificationError."""
    pair, target = move.before, move.target
    timing = pair.timing
    timeout_s = SETTLE_TIMEOUT_S + timing.preempt_delay_s + 6 * timing.advertisement_interval_s
    deadline_s = ctx.clock.now_s() + timeout_s
    while one_active(move.nodes, sights := sights_of(pair, move.nodes, ctx)) is not target:
        if ctx.clock.now_s() >= deadline_s:
            seen = _disagreement(sights)
            why = f"{target.name} did not become the only Active in {timeout_s:.0f} s: {seen}"
            raise VerificationError(why, hint=_look_there(move))
        ctx.clock.sleep(_pause_s(timing))
    macs = macs_of(target, pair)
    if probe is None:
        wrong = not_seen_by_peers(target, macs, pair, move.nodes, ctx)
    elif probe.wait(lambda history: has_settled(history, since, macs), timeout_s) or probe.history().lost:
        wrong = None  # what was not seen makes the verdict; it is no reason to go back
    else:
        wrong = f"the observer is not answered by {target.name} alone"
    if wrong is not None:
        raise VerificationError(wrong, hint=_look_there(move))


def _look_there(move: Switchover) -> str:
    return f"what was done is undone; haos status {move.before.name}"


def _pause_s(timing: Timing) -> float:
    """Return how long to wait between two looks: each leaves a line in keepalived's log, and a delay may be long."""
    return min(SLOWEST_POLL_S, max(POLL_S, timing.preempt_delay_s / 20 if timing.preempt else 0.0))


def _exchange(move: Switchover, undos: list[Undo], ctx: Context) -> None:
    """Exchange the priorities: in the record first, then on the target, then on the others."""
    old, new = records(move)
    if old != new:
        with ctx.progress.step("write the record"):
            undos.append(RewriteRecord(move.before.reservation_id, old, new))
            if not rewrite_record(move.before.reservation_id, old, new, ctx):
                raise CloudError("somebody else has changed the pair meanwhile", hint="run the same command again")
    for node in move.stale:
        with ctx.progress.step(f"write the new priority on {node.name}"):
            undos.append(_restore(move, node))
            _write(move, node, move.after, ctx)


def _write(move: Switchover, node: Node, pair: Pair, ctx: Context) -> None:
    """Give a node the pair in this form; a withdrawal there ends with it."""
    agent = ctx.fleet.node(node.instance)
    agent.configure(move.config(node, pair))
    agent.activate()


def _restore(move: Switchover, node: Node) -> RestoreNode:
    config = move.config(node, move.before)
    return RestoreNode(node.name, Removal(config.pair, config.vip, config.interface), config)


def _let_go(move: Switchover, probe: Probe | None, ctx: Context) -> None:
    """Take the weights away, and see that the VIP stays where it is."""
    if probe is not None:
        probe.mark(STAYED)
    for node in move.weighed:
        with ctx.progress.step(f"let {node.name} count as its priority says"):
            ctx.fleet.node(node.instance).weigh(move.before.name, 0)
    with ctx.progress.step(f"see that {move.target.name} keeps the VIP"):
        _await_there(move, STAYED, probe, ctx)
        _await_backup(move, ctx)


def _await_fit(move: Switchover, ctx: Context) -> None:
    """Wait until the target is there again to take over. Raises VerificationError."""
    deadline_s = ctx.clock.now_s() + SETTLE_TIMEOUT_S
    while True:
        sight = sights_of(move.before, (move.target,), ctx)[move.target.name]
        if is_ready(move.before, sight) or sight.role is Role.ACTIVE:
            return
        if ctx.clock.now_s() >= deadline_s:
            raise VerificationError(
                f"{move.target.name} is {sight.role} and does not become a Backup", hint=_look_there(move)
            )
        ctx.clock.sleep(POLL_S)


def _await_backup(move: Switchover, ctx: Context) -> None:
    deadline_s = ctx.clock.now_s() + SETTLE_TIMEOUT_S
    while not backup_ready(move.after, sights_of(move.after, move.nodes, ctx)):
        if ctx.clock.now_s() >= deadline_s:
            raise VerificationError(f"no Backup is ready beside {move.target.name}", hint=_look_there(move))
        ctx.clock.sleep(POLL_S)


def _judged(move: Switchover, observer: Instance | None, probe: Probe | None) -> Switched:
    names = move.active.name, move.target.name
    bound_s = move.bound_s + 2 * PROBE_INTERVAL_S
    if probe is None:
        reason = "no observer: nobody saw from outside how long the VIP was gone"
        return Switched(move, None, Leg(LABEL, *names, bound_s, None, Verdict.UNKNOWN, reason))
    history = probe.history()
    start_s = history.mark(LABEL).at_s - history.mark(LABEL).error_s
    macs = macs_of(move.target, move.after)
    judged = judge_leg(
        history, Promise(bound_s), start_s=start_s, target=move.target.name, macs=macs,
        settled=has_settled(history, STAYED, macs),
    )  # fmt: skip
    leg = Leg(LABEL, *names, bound_s, judged.outage, judged.verdict, judged.reason, history, start_s,
              end_s=history.now_s)  # fmt: skip
    return Switched(move, observer, leg, total_unanswered(history, start_s, history.now_s))
