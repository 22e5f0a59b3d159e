"""`haos failover-test`: one fault after the other on a healthy pair, each measured from the observer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from haos.core.keepalived import is_ours, keepalived_instances
from haos.core.model import Instance, Node, Pair
from haos.errors import NotFoundError, UnsatisfiableError
from haos.workflow.context import Context
from haos.workflow.faults import faults_named
from haos.workflow.parallel import for_each
from haos.workflow.resolve import find_pair, pair_nodes
from haos.workflow.status import find_watcher
from haos.workflow.verify import Verification, run_faults


@dataclass(frozen=True)
class FailoverReport:
    """The pair, who watched, and every leg with its verdict."""

    pair: Pair
    observer: Instance
    result: Verification


def failover_test(
    name: str | None, fault_names: Sequence[str], observer_ref: str | None, ctx: Context
) -> FailoverReport:
    """Run the faults in turn. Raises UnsatisfiableError if the pair has a node missing or nobody can watch."""
    faults = faults_named(fault_names)
    with ctx.progress.step("look at the cloud"):
        pair, _ = find_pair(ctx.cloud, name)
        nodes, ports = pair_nodes(ctx.cloud, pair)
        observer = find_watcher(observer_ref, {port.device_id for port in ports}, nodes, ctx)
    if observer is None:
        raise NotFoundError("no instance to measure from", hint="name one with --observer")
    whole = _all_nodes(pair, nodes)
    if any(fault.whole_node for fault in faults):
        refuse_collateral(pair, whole, ctx)
    return FailoverReport(pair, observer, run_faults(pair, whole, observer, ctx, faults))


def refuse_collateral(pair: Pair, nodes: Sequence[Node], ctx: Context) -> None:
    """Refuse to stop a daemon that serves others too. Raises UnsatisfiableError."""
    with ctx.progress.step("look for other VRRP instances"):
        facts = for_each(nodes, lambda node: ctx.fleet.node(node.instance).facts(node.port.mac))
    for node, seen in facts.items():
        others = sorted(set(seen.pair_files) - {pair.name})
        if seen.main_config is not None and not is_ours(seen.main_config):
            others += keepalived_instances(seen.main_config)
        if others:
            raise UnsatisfiableError(
                f"keepalived on {node.name} serves others too ({', '.join(others)}): stopping it would hit them",
                hint="haos failover-test --fault withdraw hits this pair alone",
            )


def _all_nodes(pair: Pair, nodes: dict[str, Node]) -> tuple[Node, ...]:
    missing = [member.port_id for member in pair.members if member.port_id not in nodes]
    if missing:
        raise UnsatisfiableError(
            f"pair {pair.name} is not whole: port {', '.join(missing)} or its instance is gone",
            hint=f"haos status {pair.name}",
        )
    return tuple(nodes[member.port_id] for member in pair.members)
