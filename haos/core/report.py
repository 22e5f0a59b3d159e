"""What a failover test found, as one value: everything that is shown or written of it is made from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from haos.core.leg import Leg
from haos.core.model import Pair
from haos.core.outage import Verdict
from haos.core.probe import Service


@dataclass(frozen=True)
class Advice:
    """Something that the reader of a result should know: what happened, and the option or command that helps."""

    code: str
    text: str
    hint: str = ""


@dataclass(frozen=True)
class FailoverReport:
    """The pair, who watched, and every leg with its verdict, in the order in which they were run."""

    pair: Pair
    observer: str  # name of the instance
    legs: tuple[Leg, ...]
    verdict: Verdict
    reason: str
    faults: tuple[str, ...] = ()  # as they were asked for
    rounds: int = 1
    max_outage_s: float | None = None  # what was asked of every outage, beside the bound
    max_dual_active_s: float = 0.0  # so long two nodes may answer
    began_at: datetime | None = None  # UTC
    interval_s: float = 0.01  # between probes, as asked for
    achieved_interval_s: float | None = None
    method: str = ""  # how the observer probed
    service: Service = field(default_factory=Service)
    keepalived: Mapping[str, str] = field(default_factory=dict)  # node name -> version
    advice: tuple[Advice, ...] = ()
