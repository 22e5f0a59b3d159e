"""`haos switchover`: move the VIP to another node as planned work, and let it stay there.

The target is raised above the others by its weight, takes over, and only then the priorities are exchanged: in the
record first, then on the target, then on the others. Its weight keeps it the highest until all of them agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from haos.core import record
from haos.core.changes import CleanNode, Undo
from haos.core.judgement import Promise, judge_leg
from haos.core.leg import Leg
from haos.core.model import Instance, Node, Pair, Port
from haos.core.node import Removal
from haos.core.outage import Verdict, total_unanswered
from haos.core.switchover import Look, Switchover, decide, objections
from haos.errors import (
    HaosError,
    NotFoundError,
    RemoteError,
    UnsatisfiableError,
    VerificationError,
)
from haos.workflow.context import Context, Probe
from haos.workflow.intent import refuse_pending
from haos.workflow.last_look import torn_down
from haos.workflow.parallel import for_each
from haos.workflow.recheck import refuse_leaving
from haos.workflow.resolve import find_pair, pair_nodes, whole
from haos.workflow.settle import (
    ANSWER_TIMEOUT_S,
    POLL_S,
    PROBE_INTERVAL_S,
    has_settled,
    is_answered,
    macs_of,
    one_active,
    sights_of,
)
from haos.workflow.status import find_watcher
from haos.workflow.switchover_steps import LABEL, STAYED, disagreement, exchange, let_go, take_over
from haos.workflow.trust import refuse_doubtful
from haos.workflow.turns import TakenError, alone_on
from haos.workflow.undo import raise_after_undo

STEADY_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Prepared:
    """What is to be done, and who watches."""

    move: Switchover
    observer: Instance | None
    insisted: bool = False  # the user named the observer


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
        refuse_leaving(reservation, pair.name, ctx)
        found, ports = pair_nodes(ctx.cloud, pair)
        refuse_pending(pair, reservation, found)
        nodes = whole(pair, found)
        observer = find_watcher(observer_ref, {port.device_id for port in ports}, found, ctx)
    with ctx.progress.step("look at the nodes"):
        nodes, looks, active = _look(pair, nodes, ports, ctx)
    home = next(node for node in nodes if node.port.id == pair.home.port_id)
    move = decide(pair, nodes, looks, active, home if back else _named(to, pair, nodes))
    return Prepared(move, observer, insisted=observer_ref is not None)


def _named(ref: str | None, pair: Pair, nodes: tuple[Node, ...]) -> Node | None:
    if ref is None:
        return None
    named = [node for node in nodes if ref in (node.name, node.instance.id)]
    if len(named) != 1:
        listed = ", ".join(node.name for node in nodes)
        raise NotFoundError(f"{ref!r} is no node of pair {pair.name}", hint=f"its nodes are {listed}")
    return named[0]


def _look(
    pair: Pair, nodes: tuple[Node, ...], ports: tuple[Port, ...], ctx: Context
) -> tuple[tuple[Node, ...], dict[str, Look], Node]:
    """Look until every node is in a steady role. Raises UnsatisfiableError if the pair is not healthy by then."""
    facts = for_each(nodes, lambda node: ctx.fleet.node(node.instance).facts(node.port.mac))
    nodes = tuple(replace(node, interface=facts[node].interface) for node in nodes)
    by_name = {node.name: seen for node, seen in facts.items()}
    refuse_doubtful(pair, nodes, by_name, ports)
    deadline_s = ctx.clock.now_s() + STEADY_TIMEOUT_S
    while True:
        sights = sights_of(pair, nodes, ctx)
        looks = {name: Look(by_name[name], sight) for name, sight in sights.items()}
        reasons = list(objections(pair, nodes, looks))
        active = one_active(nodes, sights)
        if active is not None and not reasons:
            return nodes, looks, active
        if ctx.clock.now_s() >= deadline_s:
            raise _unfit(pair, reasons or [f"the nodes do not agree on one Active: {disagreement(sights)}"])
        ctx.clock.sleep(POLL_S)


def _unfit(pair: Pair, reasons: list[str]) -> UnsatisfiableError:
    hint = f"haos status {pair.name}; the haos create that made the pair brings it back to what it should be"
    return UnsatisfiableError(f"pair {pair.name} is not healthy. {'; '.join(reasons)}", hint=hint)


def switchover(prepared: Prepared, ctx: Context) -> Switched:
    """Move the VIP, and let it stay; what fails is undone.

    Raises VerificationError (exit 4) where the VIP did not follow, LeftoverError where not all could be undone,
    UnsatisfiableError where another run moves the VIP all the time, or has moved it since, TornDownError where one
    takes the pair away.
    """
    move = prepared.move
    if move.nothing_to_do:
        return Switched(move, None, None)
    try:
        with alone_on(move.before, move.nodes, "a switchover", ctx) as waited:
            _refuse_moved(move.before, ctx)
            if waited:
                prepared = replace(prepared, move=_decided_again(move, ctx))
                move = prepared.move
            with _watched(prepared, ctx) as probe:
                _move(move, probe, ctx)
                return judged(move, prepared.observer if probe else None, probe)
    except TakenError as taken:
        raise UnsatisfiableError(f"{taken}; nothing was changed", hint=taken.hint) from taken


def _refuse_moved(before: Pair, ctx: Context) -> None:
    """Refuse a pair whose record is another by now (1 request). Raises UnsatisfiableError."""
    now = record.decode(ctx.cloud.port(before.reservation_id))
    if record.encode(now) != record.encode(before):
        raise UnsatisfiableError(
            f"pair {before.name} was changed by another run meanwhile; nothing was changed by this one",
            hint="run the same command again",
        )


def _decided_again(move: Switchover, ctx: Context) -> Switchover:
    """Decide by what the nodes are now, after a run that has ended or was killed: to the same end, from elsewhere."""
    found, ports = pair_nodes(ctx.cloud, move.before)
    nodes, looks, active = _look(move.before, whole(move.before, found), ports, ctx)
    return decide(move.before, nodes, looks, active, next(n for n in nodes if n.port.id == move.target.port.id))


def _move(move: Switchover, probe: Probe | None, ctx: Context) -> None:
    """Move the VIP, and see that the pair still stands; else no file of it stays on the nodes."""
    undos: list[Undo] = []
    pair, nodes = move.before, move.nodes
    try:
        take_over(move, probe, undos, ctx)
        exchange(move, undos, ctx)
        let_go(move, probe, ctx)
        if torn := torn_down(pair, pair.reservation_id, None, ctx):
            raise torn
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, HaosError) and (torn := torn_down(pair, pair.reservation_id, error, ctx)):
            taken = [CleanNode(node.name, Removal(pair.name, pair.vip, None)) for node in nodes]
            raise_after_undo(torn, taken, nodes, ctx, hint="haos list")
        hint = f"haos switchover {pair.name} --to {move.target.name} goes on from here"
        raise_after_undo(error, undos, nodes, ctx, hint=hint)


def _probe(prepared: Prepared, ctx: Context) -> Probe | None:
    """Start to ask the VIP. An observer that cannot be reached is no obstacle, unless the user named it."""
    if prepared.observer is None:
        return None
    try:
        observer = ctx.fleet.observer(prepared.observer)
        return observer.start_probe(prepared.move.before.vip, interval_s=PROBE_INTERVAL_S)
    except RemoteError as error:
        if prepared.insisted:
            raise
        ctx.progress.note(str(error))
        return None


@contextmanager
def _watched(prepared: Prepared, ctx: Context) -> Iterator[Probe | None]:
    """Let the observer ask the VIP throughout. Raises VerificationError if it is not answered to begin with."""
    move, observer, probe = prepared.move, prepared.observer, _probe(prepared, ctx)
    if observer is None or probe is None:
        ctx.progress.note("no observer watches: the nodes' own view says where the VIP is; nobody counts lost probes")
        yield None
        return
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


def judged(move: Switchover, observer: Instance | None, probe: Probe | None) -> Switched:
    """Judge what the observer saw of a move, from its beginning until now."""
    names = move.active.name, move.target.name
    bound_s = move.bound_s + 2 * PROBE_INTERVAL_S
    if probe is None:
        reason = "no observer watched: nobody saw from outside how long the VIP was gone"
        return Switched(move, None, Leg(LABEL, *names, bound_s, None, Verdict.UNKNOWN, reason))
    history = probe.history()
    if history.lost is not None:
        reason = f"the observer was lost: {history.lost}"
        return Switched(move, observer, Leg(LABEL, *names, bound_s, None, Verdict.UNKNOWN, reason, history))
    start_s = history.mark(LABEL).at_s - history.mark(LABEL).error_s
    macs = macs_of(move.target, move.after)
    judged = judge_leg(
        history, Promise(bound_s), start_s=start_s, target=move.target.name, macs=macs,
        settled=has_settled(history, STAYED, macs),
    )  # fmt: skip
    leg = Leg(LABEL, *names, bound_s, judged.outage, judged.verdict, judged.reason, history, start_s,
              end_s=history.now_s)  # fmt: skip
    return Switched(move, observer, leg, total_unanswered(history, start_s, history.now_s))
