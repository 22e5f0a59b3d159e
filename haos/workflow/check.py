"""`haos check`: every reason why `create` would fail, or the pair be less than highly available; changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from haos.core.checks import Finding, Severity, blocker, warning
from haos.errors import NoFreeAddressError, RecordError, UnsatisfiableError
from haos.workflow.context import Context
from haos.workflow.create import planned
from haos.workflow.decide import Avoid
from haos.workflow.preflight import Preflight, look_at_cloud, look_at_nodes, unreachable
from haos.workflow.request import CreateRequest, check_request
from haos.workflow.resolve import find_pair, pair_nodes
from haos.workflow.survey import first_survey


@dataclass(frozen=True)
class CheckReport:
    """What was found, the worst first."""

    target: str  # the pair's name
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether create can succeed."""
        return not any(finding.severity is Severity.BLOCKER for finding in self.findings)


def check(request: CreateRequest, ctx: Context) -> CheckReport:
    """Look at everything that `create` would go by. Raises only for names that mean nothing, and for the API."""
    check_request(request)
    with ctx.progress.step("look at the cloud"):
        seen = look_at_cloud(request, ctx)
    with ctx.progress.step("look at the nodes"):
        seen = look_at_nodes(seen, request, ctx, first_survey(request, seen, Avoid(), ctx))
    findings = [*seen.findings, *(unreachable(name, error) for name, error in seen.errors.items())]
    if all(node.interface is not None for node in seen.place.nodes):
        findings += _undecidable(request, seen, ctx)
    order = list(Severity)
    return CheckReport(seen.name, tuple(sorted(findings, key=lambda finding: order.index(finding.severity))))


def _undecidable(request: CreateRequest, seen: Preflight, ctx: Context) -> list[Finding]:
    """Decide as create would; say what cannot be decided and, of a pair that is there, that it has drifted."""
    try:
        plan = planned(request, seen, (), Avoid(), ctx).plan
    except NoFreeAddressError as error:
        return [blocker("no-free-address", str(error), error.hint)]
    except RecordError as error:
        return [blocker("record", str(error), error.hint)]
    except UnsatisfiableError as error:
        return [blocker("not-possible", str(error), error.hint)]
    if seen.pair is None or not plan:
        return []
    due = f"{len(plan.changes)} change{'s are' if len(plan.changes) > 1 else ' is'} due"
    return [
        warning(
            "drifted",
            f"pair {seen.name} is not wholly as it should be: {due}",
            "the haos create that made it makes them; with --dry-run it shows them",
        )
    ]


def check_pair(name: str | None, observer: str | None, ctx: Context) -> CheckReport:
    """Look again at a pair that is there. Raises what find_pair does; a node that is gone is a finding."""
    pair, _ = find_pair(ctx.cloud, name)
    nodes, _ = pair_nodes(ctx.cloud, pair)
    gone = [member.port_id for member in pair.members if member.port_id not in nodes]
    if gone:
        findings = [
            blocker(
                "node-gone",
                f"port {port_id} or its instance is gone",
                f"haos replace-node {pair.name} --old {port_id} --new INSTANCE; or haos teardown {pair.name}",
            )
            for port_id in gone
        ]
        return CheckReport(pair.name, tuple(findings))
    ids = tuple(nodes[member.port_id].instance.id for member in pair.members)
    return check(CreateRequest(pair.network_id, ids, name=pair.name, observer=observer), ctx)
