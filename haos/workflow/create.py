"""`haos create`: look, decide, plan; then apply and prove."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from haos.core import record
from haos.core.changes import Undo
from haos.core.checks import Finding, raise_blockers
from haos.core.model import FloatingIp, Mode, Pair, virtual_mac
from haos.core.nodeconf import configs_there, node_configs
from haos.core.plan import Desired, Plan, Seen, make_plan
from haos.core.security import unsecured
from haos.errors import (
    AddressTakenError,
    HaosError,
    LeftoverError,
    MacTakenError,
    UnsatisfiableError,
    VerificationError,
)
from haos.workflow.apply import LostRaceError, apply
from haos.workflow.context import Context
from haos.workflow.decide import Avoid, as_recorded, decide_change, decide_new
from haos.workflow.preflight import Preflight, look_at_cloud, look_at_nodes
from haos.workflow.request import CreateRequest, ModeChoice, check_request
from haos.workflow.resolve import Place
from haos.workflow.survey import ask_segment, await_forgotten, first_survey
from haos.workflow.undo import raise_after_undo, rewrite_record, undo_all
from haos.workflow.verify import Verdict, Verification, look_on, prove

MAX_CONFLICTS = 20
"""How often somebody else may be faster with the next VIP or VRID before haos gives up."""


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


@dataclass(frozen=True)
class Created:
    """How create ended; `verification` is None where it was not wanted."""

    pair: Pair
    changed: bool
    verification: Verification | None
    watched: bool = True  # False: the user did not want an observer
    floating: FloatingIp | None = None  # leads to the VIP

    @property
    def proven(self) -> bool:
        """Whether all was seen that was to be seen."""
        if self.verification is None or self.verification.verdict is Verdict.PASS:
            return True
        return not self.watched and self.verification.taken_over


Replan = Callable[[Prepared], None]
"""Told of a plan that takes the place of an earlier one."""


class GarpIgnoredError(VerificationError):
    """The VIP moved, but the network went on delivering it to the old node: gratuitous ARP is ignored."""


def prepare(request: CreateRequest, ctx: Context, avoid: Avoid | None = None) -> Prepared:
    """Look at cloud and nodes, and plan; changes nothing.

    Raises what resolve_place does, UnsatisfiableError for every blocker, and RemoteError for nodes out of reach.
    """
    check_request(request)
    avoid = avoid or Avoid()
    seen = _look(request, avoid, ctx)
    if seen.pair is None and any(seen.name in facts.pair_files for facts in seen.facts.values()):
        seen = _look(request, avoid, ctx)  # another run may have made it between the look at the cloud and this
    for error in seen.errors.values():
        raise error
    return planned(request, seen, raise_blockers(seen.findings), avoid, ctx)


def _look(request: CreateRequest, avoid: Avoid, ctx: Context) -> Preflight:
    with ctx.progress.step("look at the cloud"):
        seen = look_at_cloud(request, ctx)
        raise_blockers(seen.findings)
    with ctx.progress.step("look at the nodes"):
        return look_at_nodes(seen, request, ctx, first_survey(request, seen, avoid, ctx))


def planned(
    request: CreateRequest, seen: Preflight, warnings: tuple[Finding, ...], avoid: Avoid, ctx: Context
) -> Prepared:
    """Decide and plan from what was seen; asks the segment once more only if it has to. Raises UnsatisfiableError."""
    before, configs = as_recorded(request, seen), None
    if before is None:
        avoid = ask_segment(request, seen, avoid, ctx)
        pair, nodes = decide_new(request, seen, avoid)
    else:
        pair, nodes = decide_change(request, seen, before)
        configs = configs_there(before, seen.place.nodes, seen.facts)
    place = replace(seen.place, nodes=nodes)
    desired = Desired(pair, place.network, place.subnet, nodes, node_configs(pair, nodes, seen.facts), seen.floating)
    there = Seen(seen.facts, seen.reservation, seen.own_group, before, configs)
    return Prepared(request, place, there, make_plan(desired, there), warnings, avoid)


def create(prepared: Prepared, ctx: Context, replan: Replan) -> Created:
    """Apply a plan and prove the pair; where the network ignores gratuitous ARP, plan anew with the virtual MAC.

    Raises VerificationError (exit 4) after undoing a pair that failed its proof; LeftoverError where undoing failed.
    """
    try:
        return _create(prepared, ctx, replan)
    except GarpIgnoredError as ignored:
        if not (prepared.is_new and prepared.request.tries_modes()) or prepared.request.keep_on_failure:
            raise
        return _create_with_vmac(prepared, ignored, ctx, replan)


def _create_with_vmac(prepared: Prepared, ignored: GarpIgnoredError, ctx: Context, replan: Replan) -> Created:
    """Try again with the virtual MAC, which needs no gratuitous ARP: on a fresh VIP, since the old one is cached."""
    ctx.progress.note(f"{ignored.reason}. Trying mode vmac, which does not depend on gratuitous ARP")
    request, old = prepared.request, prepared.pair.vip
    if request.vip is not None:
        await_forgotten(old, prepared.place.nodes[0], ctx)
    again = replace(request, mode=ModeChoice.VMAC)
    avoid = replace(prepared.avoid, vips=prepared.avoid.vips | ({old} if request.vip is None else set()))
    second = prepare(again, ctx, avoid)
    replan(second)
    try:
        created = _create(second, ctx, replan)
    except VerificationError as error:
        raise VerificationError(
            f"neither mode works on this network. garp: {ignored.reason}; vmac: {error.reason}", hint=error.hint
        ) from error
    if created.verification is not None and created.verification.verdict is Verdict.PASS:
        ctx.progress.note("mode vmac was chosen: this network ignores gratuitous ARP, and lets the virtual MAC move")
    return created


def _create(prepared: Prepared, ctx: Context, replan: Replan) -> Created:
    """Apply and prove; if somebody else takes the VIP or VRID meanwhile, plan anew and tell `replan`."""
    avoid = prepared.avoid
    for _ in range(MAX_CONFLICTS):
        try:
            return _create_once(prepared, ctx)
        except AddressTakenError:
            if prepared.request.vip is not None:
                raise
            avoid = replace(avoid, vips=avoid.vips | {prepared.pair.vip})
        except MacTakenError:
            avoid = replace(avoid, vrids=avoid.vrids | {prepared.pair.vrid})
        except LostRaceError as lost:
            ctx.progress.note(f"{lost}; going on with that one")
        prepared = prepare(prepared.request, ctx, avoid)
        replan(prepared)
    raise UnsatisfiableError(
        f"others took the chosen VIP or VRID {MAX_CONFLICTS} times in a row", hint="run the same command again"
    )


def _create_once(prepared: Prepared, ctx: Context) -> Created:
    plan, request = prepared.plan, prepared.request
    ledger = apply(plan, prepared.seen, ctx, keep=request.keep_on_failure, completes=prepared.completes)
    assert ledger.reservation is not None, "every plan ends with a reservation"
    pair = replace(prepared.pair, reservation_id=ledger.reservation.id)
    if not request.verify:
        return Created(pair, bool(plan), None, request.watched, ledger.floating)
    verification = _verified(prepared, pair, ledger.undos, ctx)
    if not pair.verified and verification.verdict is Verdict.PASS:
        pair = _marked(pair, ctx)
    return Created(pair, bool(plan), verification, request.watched, ledger.floating)


def _verified(prepared: Prepared, pair: Pair, undos: list[Undo], ctx: Context) -> Verification:
    place, nodes = prepared.place, prepared.place.nodes
    try:
        if pair.verified and not prepared.request.verify_failover:
            return look_on(pair, nodes, place.observer, ctx, prepared.request.service)
        verification = prove(pair, nodes, place.observer, ctx, prepared.request.service)
        if verification.verdict is Verdict.FAIL:
            raise failed(verification, prepared)
        return verification
    except LeftoverError as error:
        _leftover(error, prepared, undos, ctx)
    except VerificationError as error:
        if prepared.request.keep_on_failure:
            raise
        raise_after_undo(error, undos, nodes, ctx)
    except (Exception, KeyboardInterrupt) as error:
        raise_after_undo(error, undos, nodes, ctx)


def _leftover(error: LeftoverError, prepared: Prepared, undos: list[Undo], ctx: Context) -> NoReturn:
    if prepared.request.keep_on_failure:
        raise error
    left = undo_all(undos, prepared.place.nodes, ctx)
    if not left and prepared.is_new:
        reason = f"{error}; the pair was undone, and that with it"
        raise VerificationError(reason, hint="run the same command again") from error
    reason = f"{error}. {'Not undone: ' + '; '.join(left) if left else 'All that this run made was undone'}"
    raise LeftoverError(reason, hint=error.hint) from error


def _marked(pair: Pair, ctx: Context) -> Pair:
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
        undone = "; what this run changed was undone" if prepared.plan else ""
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
