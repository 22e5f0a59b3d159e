"""What the user asked `create` for; what is left out keeps what is there, or its default on a new pair."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from haos.core import names, vrrp
from haos.core.floating import FloatingWish
from haos.core.model import Address, Mode, ServiceCheck, Timing
from haos.core.probe import NO_SERVICE, Service
from haos.errors import UsageError

MAX_NODES = 5


class ModeChoice(enum.StrEnum):
    """How the mode is chosen."""

    AUTO = "auto"  # garp, and vmac where the network turns out to ignore gratuitous ARP
    GARP = "garp"
    VMAC = "vmac"


@dataclass(frozen=True)
class CreateRequest:
    """The request; None is "not said"."""

    network: str
    nodes: tuple[str, ...]
    name: str | None = None
    vip: Address | None = None
    subnet: str | None = None
    observer: str | None = None
    verify: bool = True
    vip_from_pool: bool = False
    mode: ModeChoice | None = None
    advertisement_interval_s: float | None = None
    preempt: bool | None = None
    preempt_delay_s: int | None = None
    priorities: tuple[int, ...] | None = None  # in the order of `nodes`
    checks: tuple[ServiceCheck, ...] | None = None
    bfd: bool | None = None
    watched: bool = True  # False: the user does not want an observer
    verify_failover: bool = False  # try a failover even if the pair was proven before
    keep_on_failure: bool = False
    service: Service = NO_SERVICE  # what else than the VIP must answer the observer
    floating: FloatingWish | None = None

    def timing(self, before: Timing | None = None) -> Timing:
        """Return the timing asked for, on top of what is there."""
        base = before or Timing()
        return Timing(
            base.advertisement_interval_s if self.advertisement_interval_s is None else self.advertisement_interval_s,
            base.preempt_delay_s if self.preempt_delay_s is None else self.preempt_delay_s,
            # A delay is a wish to preempt.
            self.preempt if self.preempt is not None else base.preempt or self.preempt_delay_s is not None,
            base.bfd if self.bfd is None else self.bfd,
        )

    def chosen_mode(self, before: Mode | None = None) -> Mode:
        """Return the mode to begin with."""
        if self.mode in (None, ModeChoice.AUTO):
            return before or Mode.GARP
        return Mode(self.mode)

    def tries_modes(self) -> bool:
        """Say whether another mode may be tried where the first does not pass."""
        return self.mode in (None, ModeChoice.AUTO)


def check_request(request: CreateRequest) -> None:
    """Refuse what no cloud could satisfy. Raises UsageError."""
    if not 2 <= len(request.nodes) <= MAX_NODES:
        raise UsageError(
            f"--nodes names {len(request.nodes)} instance(s); a pair has 2 to {MAX_NODES}",
            hint="haos create --network NETWORK --nodes A,B",
        )
    if len(set(request.nodes)) < len(request.nodes):
        raise UsageError("the same instance is named twice in --nodes", hint="a pair needs two different instances")
    if request.name is not None:
        names.check_name(request.name)
    if request.observer in request.nodes:
        raise UsageError(
            f"{request.observer} cannot watch the pair that it is a node of", hint="name another --observer"
        )
    if request.observer is not None and not request.watched:
        raise UsageError("--observer and --no-observer contradict each other", hint="leave one of them out")
    if request.preempt is False and request.preempt_delay_s is not None:
        raise UsageError("--nopreempt and --preempt-delay contradict each other", hint="leave one of them out")
    vrrp.check_timing(request.timing(), len(request.nodes))
    if request.priorities is not None:
        vrrp.check_priorities(request.priorities, len(request.nodes))


@dataclass(frozen=True)
class FailoverRequest:
    """What the user asked `failover-test` for."""

    pair: str | None = None
    faults: tuple[str, ...] = ()  # none: the default ones; "all"
    observer: str | None = None
    rounds: int = 1
    interval_s: float = 0.01  # between probes
    pause_s: float = 1.0  # between faults
    max_outage_s: float | None = None  # asked of every move, beside its bound
    max_dual_active_s: float = 2.0  # so long two nodes may answer
    allow_collateral: bool = False
    force: bool = False
    service: Service = NO_SERVICE
