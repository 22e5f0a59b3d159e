"""The steps of an exchange of nodes, made and, if one fails, undone step by step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

from haos.core.changes import Undo, Unweigh
from haos.core.model import Instance, Node, Pair, Role
from haos.core.node import Sight
from haos.core.replace import Exchange, Way
from haos.core.replace_plan import AwaitReady, HandOver, LetGo, Stage, Step, steps
from haos.core.switchover import Look, Switchover, best_backup, is_ready
from haos.core.switchover import Way as Move
from haos.errors import HaosError, LeftoverError, RemoteError, VerificationError
from haos.workflow.apply import apply, kept
from haos.workflow.context import Context, Probe
from haos.workflow.ledger import Ledger
from haos.workflow.parallel import for_each
from haos.workflow.recheck import RewrittenError
from haos.workflow.settle import (
    ANSWER_TIMEOUT_S,
    POLL_S,
    PROBE_INTERVAL_S,
    SETTLE_TIMEOUT_S,
    has_settled,
    is_answered,
    macs_of,
    one_active,
    sights_of,
)
from haos.workflow.switchover import Switched, judged
from haos.workflow.switchover_steps import STAYED, await_takeover, raise_target, take_over
from haos.workflow.undo import undo_all


class Run:
    """An exchange under way: what was done, and how it is undone."""

    def __init__(self, exchange: Exchange, observer: Instance | None, hint: str, ctx: Context) -> None:
        self.switched: Switched | None = None
        self._exchange = exchange
        self._observer = observer
        self._hint = hint
        self._ctx = ctx
        self._undos: list[Callable[[], list[str]]] = []
        self._move: Switchover | None = None
        self._probe: Probe | None = None

    def make(self) -> None:
        """Make every step. What one fails at is undone as far as that step goes; `undo` undoes those before it."""
        try:
            planned, of = steps(self._exchange), self._exchange
            for index in range(len(planned)):
                if of is not self._exchange:
                    planned, of = steps(self._exchange), self._exchange
                self._step(planned[index])
        finally:
            if self._probe is not None:
                self._probe.stop()

    def undo(self, error: BaseException) -> NoReturn:
        """Undo every step, the last one first, and raise the error.

        What cannot be undone ends it there, since each step rests on the ones before. LeftoverError (exit 6) then.
        """
        while self._undos:
            left = self._undos.pop()()
            if left:
                reason = str(error) or "interrupted"
                raise LeftoverError(f"{reason}. Not undone: {'; '.join(left)}", hint=self._hint) from error
        raise error

    def _step(self, step: Step) -> None:
        match step:
            case Stage():
                ledger = self._apply(step)
                self._learn(ledger)
                self._undos.append(lambda: undo_all(ledger.undos, step.plan.desired.nodes, self._ctx))
            case AwaitReady(pair):
                self._await_ready(pair, self._exchange.new)
            case HandOver(pair, nodes):
                self._hand_over(pair, nodes)
            case LetGo(pair):
                self._let_go(pair)

    def _apply(self, stage: Stage) -> Ledger:
        """Make a stage's changes, or none of them. Raises LeftoverError where another run has changed the record."""
        try:
            return apply(stage.plan, stage.seen, self._ctx, hint=self._hint)
        except RewrittenError as error:
            if not error.undos:
                raise
            raise kept(error, error.undos, "since the other run's record may rest on it", hint=self._hint) from error

    def _learn(self, ledger: Ledger) -> None:
        """Know what Neutron has chosen, for the steps that follow: the group's id, the revision of the record."""
        exchange = self._exchange
        group, reservation = ledger.group or exchange.group, ledger.reservation or exchange.reservation
        if group is not exchange.group or reservation is not exchange.reservation:
            self._exchange = replace(exchange, group=group, reservation=reservation)

    def _await_ready(self, pair: Pair, node: Node) -> None:
        deadline_s = self._ctx.clock.now_s() + SETTLE_TIMEOUT_S
        with self._ctx.progress.step(f"wait until {node.name} is ready to take over"):
            while True:
                sight = sights_of(pair, (node,), self._ctx)[node.name]
                if is_ready(pair, sight) or (sight.role is Role.ACTIVE and sight.holds_vip):
                    return
                if self._ctx.clock.now_s() >= deadline_s:
                    raise VerificationError(
                        f"{node.name} is {sight.role} and does not become a Backup",
                        hint=f"on {node.name}: journalctl -u keepalived",
                    )
                self._ctx.clock.sleep(POLL_S)

    def _hand_over(self, pair: Pair, nodes: tuple[Node, ...]) -> None:
        """Let the best of the others take over from the old node, if that has the VIP. Raises what take_over does."""
        old = self._exchange.old
        assert old is not None, "somebody leaves"
        with self._ctx.progress.step("see who has the VIP"):
            active, sights = self._steady(pair, nodes)
        if active is None or active.port.id != old.member.port_id:
            return
        move = _move(pair, nodes, active, sights, self._ctx)
        undos: list[Undo] = []
        self._undos.append(lambda: self._hand_back(move, undos))
        self._move, self._probe = move, self._asking(pair)
        if move.way is Move.RAISE:
            take_over(move, self._probe, undos, self._ctx)
        else:  # it takes over as the old one says goodbye
            raise_target(move, self._probe, undos, self._ctx)

    def _steady(self, pair: Pair, nodes: tuple[Node, ...]) -> tuple[Node | None, dict[str, Sight]]:
        """Wait until one node is Active and, if it is the old one, another is ready; None if that does not come."""
        ctx, timing, old = self._ctx, pair.timing, self._exchange.old
        deadline_s = ctx.clock.now_s() + 6 * timing.advertisement_interval_s + SETTLE_TIMEOUT_S
        while True:
            sights = sights_of(pair, nodes, ctx)
            active = one_active(nodes, sights)
            leaves = active is not None and old is not None and active.port.id == old.member.port_id
            settled = active is not None and (not leaves or any(is_ready(pair, sight) for sight in sights.values()))
            if settled or ctx.clock.now_s() >= deadline_s:
                return active, sights
            ctx.clock.sleep(POLL_S)

    def _asking(self, pair: Pair) -> Probe | None:
        """Let the observer ask the VIP from now on; one that is not answered to begin with has nothing to say."""
        if self._observer is None:
            return None
        try:
            observer = self._ctx.fleet.observer(self._observer)
            probe = observer.start_probe(pair.vip, interval_s=PROBE_INTERVAL_S)
        except RemoteError as error:
            self._ctx.progress.note(str(error))
            return None
        with self._ctx.progress.step(f"ask {pair.vip} from {self._observer.name}"):
            answered = probe.wait(is_answered, ANSWER_TIMEOUT_S)
        if answered:
            return probe
        probe.stop()
        self._ctx.progress.note(f"{pair.vip} does not answer {self._observer.name}: nobody counts lost probes")
        return None

    def _let_go(self, pair: Pair) -> None:
        exchange, move, probe = self._exchange, self._move, self._probe
        nodes = tuple(node for node in exchange.nodes if node.port.id in {one.port_id for one in pair.members})
        if move is not None:
            move = replace(move, nodes=nodes)
            if move.way is Move.WITHDRAW:
                await_takeover(move, probe, self._ctx)
        if probe is not None:
            probe.mark(STAYED)
        given = {node.name for node in move.weighed} if move else set()
        for node in nodes:
            if node.name in given or exchange.facts[node.name].weights.get(pair.name):
                with self._ctx.progress.step(f"let {node.name} count as its priority says"):
                    self._ctx.fleet.node(node.instance).weigh(pair.name, 0)
        if move is not None:
            if probe is not None:
                macs = macs_of(move.target, pair)
                probe.wait(lambda history: has_settled(history, STAYED, macs), SETTLE_TIMEOUT_S)
            self.switched = judged(move, self._observer if probe else None, probe)

    def _hand_back(self, move: Switchover, undos: list[Undo]) -> list[str]:
        """Undo a hand-over: with the old node as it was the VIP goes back to it, and no probe need be lost."""
        if self._exchange.way is not Way.BESIDE or move.way is not Move.RAISE:
            return undo_all(undos, move.nodes, self._ctx)
        pair, ctx = move.before, self._ctx
        with suppress(HaosError):
            sights = sights_of(pair, move.nodes, ctx)
            if one_active(move.nodes, sights) is move.target:
                looks = _looks(move.nodes, sights, ctx)
                take_over(replace(move, looks=looks, active=move.target, target=move.active), None, [], ctx)
        return undo_all([Unweigh(move.active.name, pair.name, 0), *undos], move.nodes, ctx)


def _move(pair: Pair, nodes: tuple[Node, ...], active: Node, sights: dict[str, Sight], ctx: Context) -> Switchover:
    """Decide on a hand-over: no priority is exchanged, since the old node is about to leave."""
    looks = _looks(nodes, sights, ctx)
    return Switchover(pair, pair, nodes, looks, active, best_backup(pair, nodes, looks, active))


def _looks(nodes: tuple[Node, ...], sights: dict[str, Sight], ctx: Context) -> dict[str, Look]:
    facts = for_each(nodes, lambda node: ctx.fleet.node(node.instance).facts(node.port.mac))
    return {node.name: Look(facts[node], sights[node.name]) for node in nodes}
