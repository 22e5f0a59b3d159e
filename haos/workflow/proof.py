"""The proof of a pair that was made or changed, and what becomes of the pair where it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from haos.core import record
from haos.core.changes import Undo
from haos.core.checks import Finding
from haos.core.model import Mode, Pair, virtual_mac
from haos.core.plan import Plan, Seen
from haos.core.security import unsecured
from haos.errors import HaosError, LeftoverError, VerificationError
from haos.workflow.context import Context
from haos.workflow.decide import Avoid
from haos.workflow.last_look import sweeping, torn_down
from haos.workflow.ledger import Ledger
from haos.workflow.request import CreateRequest
from haos.workflow.resolve import Place
from haos.workflow.undo import raise_after_undo, rewrite_record, undo_all
from haos.workflow.verify import Verdict, Verification, look_on, prove


@dataclass(frozen=True)
class Prepared:
    """A plan, with all that it was made from."""

    request: CreateRequest
    place: Place
    seen: Seen
    plan: Plan
    warnings: tuple[Finding, ...]
    avoid: Avoid

    @property
    def pair(self) -> Pair:
        return self.plan.desired.pair

    @property
    def is_new(self) -> bool:
        """Whether the pair is made by this run."""
        return self.seen.pair is None

    @property
    def completes(self) -> bool:
        """Whether the plan does no more than what the record of the pair says already."""
        return self.seen.pair is not None and self.seen.pair == self.pair


class GarpIgnoredError(VerificationError):
    """The VIP moved, but the network went on delivering it to the old node: gratuitous ARP is ignored."""


def verified(prepared: Prepared, pair: Pair, ledger: Ledger, ctx: Context) -> Verification:
    """Look on, or prove a pair that was not proven yet; one that fails is undone as far as this run made it.

    Raises VerificationError, LeftoverError, and TornDownError where another run has taken the pair away.
    """
    undos = [] if prepared.completes else ledger.undos
    nodes = prepared.place.nodes
    try:
        return _seen_to_work(prepared, pair, ctx)
    except (Exception, KeyboardInterrupt) as error:
        expected = isinstance(error, HaosError)
        if expected and (torn := torn_down(pair, pair.reservation_id, error, ctx)):
            raise_after_undo(torn, sweeping(prepared.plan.desired, ledger, ctx), nodes, ctx)
        if isinstance(error, LeftoverError):
            _leftover(error, prepared, undos, ctx)
        if isinstance(error, VerificationError) and prepared.request.keep_on_failure:
            raise
        raise_after_undo(error, undos, nodes, ctx)


def _seen_to_work(prepared: Prepared, pair: Pair, ctx: Context) -> Verification:
    place, request = prepared.place, prepared.request
    if pair.verified and not request.verify_failover:
        return look_on(pair, place.nodes, place.observer, ctx, request.service)
    verification = prove(pair, place.nodes, place.observer, ctx, request.service)
    if verification.verdict is Verdict.FAIL:
        raise failed(verification, prepared)
    return verification


def _leftover(error: LeftoverError, prepared: Prepared, undos: Sequence[Undo], ctx: Context) -> NoReturn:
    if prepared.request.keep_on_failure:
        raise error
    left = undo_all(undos, prepared.place.nodes, ctx)
    if not left and prepared.is_new:
        reason = f"{error}; the pair was undone, and that with it"
        raise VerificationError(reason, hint="run the same command again") from error
    reason = f"{error}. {'Not undone: ' + '; '.join(left) if left else 'All that this run made was undone'}"
    raise LeftoverError(reason, hint=error.hint) from error


def marked(pair: Pair, ctx: Context) -> Pair:
    """Write into the record that a trial failover was seen to work."""
    proven = replace(pair, verified=True)
    try:
        written = rewrite_record(pair.reservation_id, record.encode(pair), record.encode(proven), ctx)
    except HaosError as error:
        ctx.progress.note(f"the pair is proven, but the record could not be told so: {error}")
        return pair
    if not written:
        ctx.progress.note("the pair is proven, but somebody else has changed it meanwhile: its record was left alone")
    return proven if written else pair


def failed(verification: Verification, prepared: Prepared) -> VerificationError:
    """Build the error of a pair that failed its proof; what an earlier run made stays, and is said."""
    # A pair that somebody else made meanwhile is not this run's to make again in another mode.
    kind = GarpIgnoredError if verification.ignored_garp and prepared.is_new else VerificationError
    name, reason = prepared.pair.name, verification.reason
    look = f"haos status {name}; undo: haos teardown {name}"
    if prepared.request.keep_on_failure:
        return kind(f"{reason}; the pair was kept, as you asked", hint=look)
    if not prepared.is_new:
        undone = "; what this run changed was undone" if prepared.plan and not prepared.completes else ""
        if verification.ignored_garp and prepared.pair.mode is Mode.GARP:
            # Another VIP is needed, since this one is cached by now: that is not for haos to decide.
            look = f"this network ignores gratuitous ARP: haos teardown {name}, and the same create finds another way"
        if _reservation_draws_frames(prepared):
            look = (
                "OVN delivers the virtual MAC to the reservation port, which has it: "
                f"haos teardown {name}, then haos create --mode vmac"
            )
        return kind(f"{reason}; pair {name}, which an earlier run made, was kept{undone}", hint=look)
    return kind(f"{reason}; the pair was undone", hint=_hint(verification, prepared.pair))


def _reservation_draws_frames(prepared: Prepared) -> bool:
    """Say whether the reservation of a pair in mode vmac has the virtual MAC where nothing keeps OVN to the nodes."""
    pair, port = prepared.pair, prepared.seen.reservation
    if pair.mode is not Mode.VMAC or port is None or not unsecured(prepared.place.nodes):
        return False
    return port.mac == virtual_mac(pair.vrid, pair.vip.version)


def _hint(verification: Verification, pair: Pair) -> str:
    if pair.mode is Mode.VMAC:
        return "networks that deliver a MAC to one port only (OVN, ML2/OVS) want --mode garp"
    if verification.ignored_garp:
        return "this network ignores gratuitous ARP: --mode vmac, or leave out --mode"
    return "haos create --keep-on-failure keeps a pair for a closer look"
