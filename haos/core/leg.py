"""One move of the VIP as it was measured: the value that verdicts, tables, reports and files are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from haos.core.clocks import Moment
from haos.core.outage import Outage, Verdict
from haos.core.probe import History

FAILBACK = "failback"


@dataclass(frozen=True)
class Span:
    """A stretch of time on the observer's clock; `end_s` is None while it lasts."""

    start_s: float
    end_s: float | None = None


@dataclass(frozen=True)
class Holders:
    """Which node held the VIP when, by the nodes' own address events, mapped to the observer's clock."""

    spans: Mapping[str, tuple[Span, ...]]  # node name -> when it held the VIP
    unknown: tuple[str, ...] = ()  # nodes whose log is missing or broke off
    error_s: float = 0.0  # of the clocks' mapping, ±


@dataclass(frozen=True)
class Insight:
    """What is known of a leg beyond its outage. Durations in seconds; None: it cannot be told."""

    fault_at: Moment | None = None  # when the fault (or its end) took place
    detection_s: float | None = None  # from there until the VIP came to the target; None too if it was there before
    takeover_s: float | None = None  # from there until the target's first answer reached the observer
    dual_active_s: float | None = None  # so long two nodes or more held the VIP
    no_active_s: float | None = None  # so long none did
    dual_answers_s: float = 0.0  # so long the observer was answered by two nodes
    responders: tuple[tuple[float, str], ...] = ()  # (when, MAC) at each change of who answers
    holders: Holders | None = None


@dataclass(frozen=True)
class Leg:
    """One move of the VIP: what was predicted, what was seen."""

    label: str  # the fault's name, or "failback"
    origin: str  # node names
    target: str
    bound_s: float
    outage: Outage | None
    verdict: Verdict
    reason: str
    history: History | None = None
    start_s: float = 0.0  # of the leg, on the observer's clock
    unheard: bool = False  # somebody took over, yet whoever watched was led on to the old node, or nowhere
    fault: str = ""  # the fault that it belongs to: a failback is the end of one
    round: int = 1
    end_s: float = 0.0  # of the leg, on the observer's clock
    insight: Insight = field(default_factory=Insight)
    names: Mapping[str, str] = field(default_factory=dict)  # MAC -> name of the node that answers by it
