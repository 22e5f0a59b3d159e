"""`haos create`: look, decide, plan; then apply and prove."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from haos.core.checks import Finding, raise_blockers
from haos.core.crowd import gives_room
from haos.core.leaving import leaves_for_s
from haos.core.model import FloatingIp, Pair
from haos.core.nodeconf import configs_there, node_configs
from haos.core.plan import Desired, Seen, make_plan
from haos.errors import (
    AddressTakenError,
    MacTakenError,
    RecordError,
    RemoteError,
    UnsatisfiableError,
    VerificationError,
)
from haos.workflow.apply import LostRaceError, apply
from haos.workflow.company import await_left
from haos.workflow.context import Context
from haos.workflow.decide import Avoid, as_recorded, decide_change, decide_new
from haos.workflow.preflight import Preflight, look_at_cloud, look_at_nodes
from haos.workflow.proof import GarpIgnoredError, marked, verified
from haos.workflow.proof import Prepared as Prepared
from haos.workflow.recheck import RewrittenError, TornDownError
from haos.workflow.request import CreateRequest, ModeChoice, check_request
from haos.workflow.survey import ask_segment, await_forgotten, first_survey
from haos.workflow.verify import Verdict, Verification

MAX_CONFLICTS = 20
"""How often somebody else may be faster with the next VIP or VRID before haos gives up."""
LOOKS = 3
"""How often cloud and nodes are looked at where they contradict each other."""
LOOK_PAUSE_S = 2.0
"""So long another run may take from writing a record to the first node's file."""
MADE_TIMEOUT_S = 90.0
"""How long the run that was faster with the pair's name is waited for; then this one completes the pair itself."""
MADE_POLL_S = 2.0


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


def prepare(request: CreateRequest, ctx: Context, avoid: Avoid | None = None) -> Prepared:
    """Look at cloud and nodes, and plan; changes nothing.

    Raises what resolve_place does, UnsatisfiableError for every blocker, and RemoteError for nodes out of reach.
    """
    check_request(request)
    avoid = avoid or Avoid()
    for left in reversed(range(LOOKS)):
        seen = _look(request, avoid, ctx)
        for error in seen.errors.values():
            raise error
        warnings = raise_blockers(seen.findings)
        # Another run may have made the pair, or changed it, between the look at the cloud and that at the nodes.
        orphan = seen.pair is None and any(seen.name in facts.pair_files for facts in seen.facts.values())
        if orphan and left == LOOKS - 1:
            continue
        try:
            return planned(request, seen, warnings, avoid, ctx)
        except RecordError:
            if not left:
                raise
            ctx.clock.sleep(LOOK_PAUSE_S)
    raise AssertionError("the last look ends with a plan or an error")


def _look(request: CreateRequest, avoid: Avoid, ctx: Context) -> Preflight:
    with ctx.progress.step("look at the cloud"):
        seen = look_at_cloud(request, ctx)
    if seen.reservation is not None and leaves_for_s(seen.reservation, ctx.clock.wall_s()):
        await_left(seen.reservation, seen.name, ctx)
        with ctx.progress.step("look at the cloud again"):
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
    """Apply and prove; if somebody else takes the VIP or VRID meanwhile, plan anew and tell `replan`.

    So it is where somebody else makes, changes or takes away the same pair; but for a pair of this run's own that is
    taken away: who does that means it. Raises TornDownError then.
    """
    avoid, conflicts = prepared.avoid, 0
    for _ in range(MAX_CONFLICTS):
        try:
            return _create_once(prepared, ctx)
        except AddressTakenError:
            if prepared.request.vip is not None:
                raise
            conflicts += 1
            avoid = replace(avoid, vips=avoid.vips | {prepared.pair.vip})
        except MacTakenError:
            conflicts += 1
            avoid = replace(avoid, vrids=avoid.vrids | {prepared.pair.vrid})
        except LostRaceError as lost:
            ctx.progress.note(f"{lost}; going on with that one")
        except TornDownError as torn:
            if prepared.is_new:
                raise
            ctx.progress.note(f"{torn}; making it anew")
        except RewrittenError as rewritten:
            ctx.progress.note(f"{rewritten}; going on with what it is now")
        avoid = replace(avoid, passed=gives_room(prepared.pair.name, conflicts))
        was_new, prepared = prepared.is_new, prepare(prepared.request, ctx, avoid)
        if was_new and not prepared.is_new:
            _await_made(prepared, ctx)
            prepared = prepare(prepared.request, ctx, avoid)
        replan(prepared)
    raise UnsatisfiableError(
        f"others took the chosen VIP or VRID {MAX_CONFLICTS} times in a row", hint="run the same command again"
    )


def _await_made(prepared: Prepared, ctx: Context) -> None:
    """Wait for the run that was faster: it is making the pair that its record says, unless it has died since."""
    request = prepared.request
    recorded = CreateRequest(request.network, request.nodes, request.name, verify=False, watched=False)
    deadline_s = ctx.clock.now_s() + MADE_TIMEOUT_S
    with ctx.progress.step(f"wait for the run that is making pair {prepared.pair.name}"):
        while ctx.clock.now_s() < deadline_s:
            with suppress(UnsatisfiableError, RecordError, RemoteError):  # it is half made
                seen = look_at_nodes(look_at_cloud(recorded, ctx), recorded, ctx)
                if seen.pair is None or not (seen.errors or planned(recorded, seen, (), Avoid(), ctx).plan):
                    return
            ctx.clock.sleep(MADE_POLL_S)


def _create_once(prepared: Prepared, ctx: Context) -> Created:
    plan, request = prepared.plan, prepared.request
    ledger = apply(plan, prepared.seen, ctx, keep=request.keep_on_failure, completes=prepared.completes)
    assert ledger.reservation is not None, "every plan ends with a reservation"
    pair = replace(prepared.pair, reservation_id=ledger.reservation.id)
    if not request.verify:
        return Created(pair, bool(plan), None, request.watched, ledger.floating)
    verification = verified(prepared, pair, ledger, ctx)
    if not pair.verified and verification.verdict is Verdict.PASS:
        pair = marked(pair, ctx)
    return Created(pair, bool(plan), verification, request.watched, ledger.floating)
