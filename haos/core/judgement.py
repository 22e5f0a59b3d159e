"""The verdict on one leg: what was promised, what was seen, and why it is a PASS, a FAIL or UNKNOWN. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from haos.core.outage import Outage, Verdict, achieved_interval_s, blind_s, judge, worst_outage
from haos.core.probe import History
from haos.core.vrrp import MARGIN_S

LAST_ASKS = 5


@dataclass(frozen=True)
class Promise:
    """What a leg has to keep."""

    bound_s: float  # what the timers predict
    max_outage_s: float | None = None  # what the user asks for
    max_dual_active_s: float | None = None  # so long two nodes may answer; None: not looked at
    splits: bool = False  # the old node goes on answering as long as the fault lasts


@dataclass(frozen=True)
class Judged:
    """A verdict, and what it was made from."""

    verdict: Verdict
    reason: str
    outage: Outage | None
    unheard: bool = False  # somebody took over, yet the observer was led on to the old node, or nowhere


def judge_leg(
    history: History,
    promise: Promise,
    *,
    start_s: float,
    target: str | None,
    macs: Set[str],
    settled: bool,
    dual_answers_s: float = 0.0,
) -> Judged:
    """Judge the time from `start_s` to the history's end; `macs` are those by which the target answers.

    `settled`: at the end the observer was answered steadily, and by the target alone.
    """
    # A probe that left two intervals before the mark may have been under way as the fault came.
    outage = worst_outage(history, start_s - 2 * history.interval_s, history.now_s)
    limit_s = promise.bound_s + MARGIN_S
    verdict, reason = judge(outage, limit_s, history)
    # One interval is the resolution of everything here; only what is longer was not looked at.
    blind = blind_s(history, start_s, history.now_s)
    if verdict is Verdict.PASS and blind - achieved_interval_s(history) > limit_s:
        verdict, reason = Verdict.UNKNOWN, f"the observer itself sent nothing for {blind:.3f} s"
    if history.lost is not None or verdict is Verdict.UNKNOWN:
        return Judged(verdict, reason, outage)
    if target is None:
        return Judged(Verdict.FAIL, "no other node turned Active", outage)
    if not settled and not promise.splits:
        unheard = not any(echo.responder in macs for echo in history.echoes if echo.sent_s > start_s)
        return Judged(Verdict.FAIL, _unanswered(history, target, unheard), outage, unheard)
    if verdict is Verdict.PASS:
        verdict, reason = _further(promise, outage, dual_answers_s, reason)
    return Judged(verdict, reason, outage)


def _unanswered(history: History, target: str, unheard: bool) -> str:
    asked = [mac for ask in history.asks[-LAST_ASKS:] for mac in ask.answers]
    led = f"; asked who has it, the network names {asked[-1]}" if asked and unheard else ""
    return f"the observer is not answered by {target} alone{led}"


def _further(promise: Promise, outage: Outage | None, dual_answers_s: float, reason: str) -> tuple[Verdict, str]:
    """Judge what passes by the bound by what else was asked for."""
    if promise.max_dual_active_s is not None and dual_answers_s > promise.max_dual_active_s:
        over = f"{dual_answers_s:.1f} s, over {promise.max_dual_active_s:g} s"
        return Verdict.FAIL, f"two nodes answered for the VIP at once for {over}"
    if promise.max_outage_s is not None and outage and outage.outage_s > promise.max_outage_s:
        return Verdict.FAIL, f"{outage.outage_s:.3f} s is over the {promise.max_outage_s:g} s that were asked for"
    return Verdict.PASS, reason
