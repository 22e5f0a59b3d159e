"""The steps of a switchover: each waits for its effect, and leaves in `undos` what would take it back."""

from __future__ import annotations

from haos.core.changes import RestoreNode, RewriteRecord, Undo, Unweigh
from haos.core.model import Node, Pair, Role, Timing
from haos.core.node import Removal, Sight
from haos.core.switchover import Switchover, Way, is_ready, records
from haos.errors import CloudError, VerificationError
from haos.workflow.context import Context, Probe
from haos.workflow.faults_node import WITHDRAW
from haos.workflow.injection import Injection
from haos.workflow.peers import not_seen_by_peers
from haos.workflow.settle import (
    POLL_S,
    SETTLE_TIMEOUT_S,
    backup_ready,
    has_settled,
    macs_of,
    one_active,
    own_names,
    sights_of,
)
from haos.workflow.undo import rewrite_record

LABEL = "switchover"
STAYED = "stayed"
"""The moment from which nothing holds the VIP but the priorities in the files."""
SLOWEST_POLL_S = 1.0


def take_over(move: Switchover, probe: Probe | None, undos: list[Undo], ctx: Context) -> None:
    """Let the target take over, and wait until it has."""
    pair, target = move.before, move.target
    raise_target(move, probe, undos, ctx)
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
    await_takeover(move, probe, ctx)


def raise_target(move: Switchover, probe: Probe | None, undos: list[Undo], ctx: Context) -> None:
    """Let the target count as the highest of all."""
    pair, target = move.before, move.target
    if probe is not None:
        probe.mark(LABEL)
    undos += [Unweigh(node.name, pair.name, move.weight_on(node)) for node in move.weighed]
    for node, weight in move.weights:
        with ctx.progress.step(f"{'raise' if node is target else 'lower'} {node.name}"):
            ctx.fleet.node(node.instance).weigh(pair.name, weight)


def await_takeover(move: Switchover, probe: Probe | None, ctx: Context) -> None:
    """Wait until the target alone has the VIP, and is who answers for it. Raises VerificationError."""
    title = f"wait until {move.target.name} is Active{_delay(move)}"
    with ctx.progress.measuring(title, probe.history, own_names(move.nodes)) if probe else ctx.progress.step(title):
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
            seen = disagreement(sights)
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


def exchange(move: Switchover, undos: list[Undo], ctx: Context) -> None:
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


def let_go(move: Switchover, probe: Probe | None, ctx: Context) -> None:
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


def disagreement(sights: dict[str, Sight]) -> str:
    return ", ".join(f"{name} is {sight.role}{' with the VIP' * sight.holds_vip}" for name, sight in sights.items())
