"""`haos replace-node`: give a pair another node in the place of one that is broken, gone or to be retired."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace

from haos.core import record
from haos.core.checks import Finding, raise_blockers
from haos.core.model import Added, Instance, Pair
from haos.core.outage import Verdict
from haos.core.replace import Exchange
from haos.core.replace_plan import AwaitReady, LetGo, Stage, Step, steps
from haos.errors import HaosError, LeftoverError, VerificationError
from haos.workflow.context import Context
from haos.workflow.preflight import look_at_cloud
from haos.workflow.recheck import refuse_leaving
from haos.workflow.replace_decide import ReplaceRequest as ReplaceRequest
from haos.workflow.replace_decide import (
    decided,
    departing_node,
    leaving_member,
    look,
    refuse_departing,
    refuse_watcher,
    wanted_pair,
)
from haos.workflow.replace_steps import Run
from haos.workflow.resolve import find_pair, pair_nodes, the_one
from haos.workflow.switchover import Switched
from haos.workflow.undo import rewrite_record
from haos.workflow.verify import Verification, look_on, prove


@dataclass(frozen=True)
class Prepared:
    """All that will be done, and what it was decided from."""

    request: ReplaceRequest
    exchange: Exchange
    observer: Instance | None
    warnings: tuple[Finding, ...]

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is to be done, those left out that come to nothing."""
        return tuple(step for step in steps(self.exchange) if not is_idle(step, self.exchange))

    @property
    def changes_something(self) -> bool:
        """Whether anything is to be done beside looking on."""
        return any(isinstance(step, Stage) for step in self.steps)

    @property
    def hint(self) -> str:
        """The command that goes on from wherever this run ends."""
        old, new = self.request.old, self.request.new
        words = shlex.join(("haos", "replace-node", self.exchange.pair.name, "--old", old, "--new", new))
        return f"{words} goes on from here"

    @property
    def stays(self) -> tuple[str, ...]:
        """What stays on a node that was passed over, one line each."""
        old, pair = self.exchange.old, self.exchange.pair
        if old is None or old.silent is None:
            return ()
        found = [f"{old.silent}; files of pair {pair.name}, and keepalived if it runs, stay on {old.name}"]
        if Added.PACKAGE in old.member.added:
            found.append(f"package keepalived, which haos installed, stays on {old.name}")
        if old.node is not None and not old.node.port.port_security:
            found.append(f"{old.name}'s port has no port security: a keepalived there may answer for {pair.vip}")
        return tuple(found)


@dataclass(frozen=True)
class Replaced:
    """How it ended; `verification` is None where it was not wanted."""

    prepared: Prepared
    pair: Pair
    switched: Switched | None  # how the VIP left the old node, where it had it
    verification: Verification | None

    @property
    def proven(self) -> bool:
        """Whether all was seen that was to be seen."""
        if self.verification is None or self.verification.verdict is Verdict.PASS:
            return True
        return not self.prepared.request.watched and self.verification.taken_over


def is_idle(step: Step, exchange: Exchange) -> bool:
    """Say whether a step changes nothing, by what was seen."""
    if isinstance(step, Stage):
        return not step.plan
    if isinstance(step, AwaitReady):
        return True
    moves = exchange.old is not None and exchange.old.is_active
    if isinstance(step, LetGo):
        name = exchange.pair.name
        return not moves and not any(exchange.facts[node.name].weights.get(name) for node in exchange.nodes)
    return not moves


def prepare(request: ReplaceRequest, ctx: Context) -> Prepared:
    """Look at cloud and nodes, and decide; changes nothing.

    Raises what find_pair and look_at_cloud do, UnsatisfiableError for every blocker, and RemoteError for nodes out of
    reach: the old one's, too, unless it is forced.
    """
    with ctx.progress.step("look at the cloud"):
        pair, reservation = find_pair(ctx.cloud, request.pair)
        refuse_leaving(reservation, pair.name, ctx)
        found, ports = pair_nodes(ctx.cloud, pair)
        instance = the_one(request.new, ctx.cloud.instances([request.new])[request.new])
        leaving = leaving_member(request, pair, found, ports, instance)
        refuse_watcher(request, instance, found, leaving)
        wanted = wanted_pair(request, pair, found, leaving, instance)
        seen = look_at_cloud(wanted, ctx)
        raise_blockers(seen.findings)
    with ctx.progress.step("look at the nodes"):
        seen, old = look(seen, wanted, departing_node(leaving, found, ports), pair, ctx)
    for error in seen.errors.values():
        raise error
    warnings = raise_blockers(seen.findings)
    if old is not None:
        refuse_departing(old, pair, request)
    exchange = decided(pair, reservation, seen, old, instance, request, ctx)
    return Prepared(request, exchange, seen.place.observer, warnings)


def replace_node(prepared: Prepared, ctx: Context) -> Replaced:
    """Make the exchange, and prove the pair; what fails is undone.

    Raises VerificationError (exit 4) where the new node does not do what it should, LeftoverError where not all could
    be undone.
    """
    exchange, request = prepared.exchange, prepared.request
    run = Run(exchange, prepared.observer if request.verify else None, prepared.hint, ctx)
    try:
        run.make()
        verification = _verified(prepared, ctx) if request.verify else None
    except LeftoverError as error:
        raise LeftoverError(error.reason, hint=prepared.hint) from error
    except (Exception, KeyboardInterrupt) as error:
        run.undo(error)
    pair = exchange.after
    if not pair.verified and verification is not None and verification.verdict is Verdict.PASS:
        pair = _marked(pair, ctx)
    return Replaced(prepared, pair, run.switched, verification)


def _verified(prepared: Prepared, ctx: Context) -> Verification:
    """Look on, and try a failover where the pair as it is was never proven. Raises VerificationError."""
    exchange = prepared.exchange
    there = {node.port.id for node in exchange.nodes}
    pair = exchange.after
    pair = replace(pair, members=tuple(member for member in pair.members if member.port_id in there))
    verify = look_on if pair.verified else prove
    verification = verify(pair, exchange.nodes, prepared.observer, ctx)
    if verification.verdict is Verdict.FAIL:
        undone = "; what this run changed was undone" if prepared.changes_something else ""
        raise VerificationError(f"{verification.reason}{undone}", hint=f"haos status {pair.name}")
    return verification


def _marked(pair: Pair, ctx: Context) -> Pair:
    """Write into the record that the pair as it is now was proven."""
    proven = replace(pair, verified=True)
    try:
        written = rewrite_record(pair.reservation_id, record.encode(pair), record.encode(proven), ctx)
    except HaosError as error:
        ctx.progress.note(f"the pair is proven, but the record could not be told so: {error}")
        return pair
    return proven if written else pair
