"""A failover test over the in-memory world, in one call."""

from __future__ import annotations

from typing import Any

from haos.core.report import FailoverReport
from haos.workflow.context import Context
from haos.workflow.failover import failover_test, plan_failover
from haos.workflow.request import FailoverRequest


def try_faults(ctx: Context, *faults: str, **options: Any) -> FailoverReport:
    """Plan and run."""
    return failover_test(plan_failover(FailoverRequest(faults=faults, **options), ctx), ctx)
