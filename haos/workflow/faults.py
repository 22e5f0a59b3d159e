"""The faults that haos can inject: each is a value, and adding one touches this file alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from haos.core import vrrp
from haos.core.model import Pair, Timing
from haos.errors import UsageError
from haos.workflow.context import NodeAgent


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong on the Active node, how to mend it, and how long the VIP may be gone for it."""

    name: str
    summary: str
    inject: Callable[[NodeAgent, Pair], None]
    restore: Callable[[NodeAgent, Pair], None]
    bound_s: Callable[[Timing, Sequence[int]], float]
    whole_daemon: bool = False  # hits every VRRP instance of the node


WITHDRAW = Fault(
    "withdraw",
    "this pair's instance alone leaves the node",
    lambda agent, pair: agent.withdraw(pair.name),
    lambda agent, pair: agent.reinstate(pair.name),
    vrrp.bound_of_clean_stop_s,
)
STOP = Fault(
    "stop",
    "keepalived is stopped cleanly",
    lambda agent, _: agent.stop_daemon(),
    lambda agent, _: agent.start_daemon(),
    vrrp.bound_of_clean_stop_s,
    whole_daemon=True,
)
FAULTS = {fault.name: fault for fault in (WITHDRAW, STOP)}


def faults_named(names: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults of these names, `all` being every one. Raises UsageError."""
    if not names or "all" in names:
        return tuple(FAULTS.values())
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise UsageError(f"no fault named {unknown[0]!r}", hint=f"one of: {', '.join(FAULTS)}, all")
    return tuple(FAULTS[name] for name in names)
