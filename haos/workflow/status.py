"""`haos status`: what the cloud, the nodes and the observer say of a pair. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from haos.core.model import Instance, Node, Pair
from haos.core.power import may_answer
from haos.core.sighting import Observation, observe, seen_enough
from haos.core.status import CloudView, NodeView, PairStatus, Silent
from haos.core.troubles import judge_pair
from haos.errors import HaosError, RebuiltError
from haos.workflow.context import Context
from haos.workflow.errands import Errands
from haos.workflow.floating import floating_ips_near
from haos.workflow.resolve import OBSERVER, choose_observer, find_pair, pair_nodes

LOOK_S = 10.0
"""Nobody is waited for any longer: a node that does not answer is a row with its reason."""
OBSERVE_S = 2.0
PROBE_INTERVAL_S = 0.01
OVERDUE = Silent(f"it has not answered for {LOOK_S:g} s", "is it overloaded? log in to it by hand")


@dataclass(frozen=True)
class Examined:
    """A pair looked at from all three sides, and what that comes to."""

    view: CloudView
    looks: Mapping[str, NodeView | Silent]  # by port id
    watcher: Instance | None
    status: PairStatus


def status(name: str | None, observer_ref: str | None, ctx: Context) -> PairStatus:
    """Look at a pair from all three sides, within a bounded time; twice, where it may have been in motion."""
    return examine(name, observer_ref, ctx).status


def examine(name: str | None, observer_ref: str | None, ctx: Context) -> Examined:
    """Look as `status` does, and keep what was seen."""
    with ctx.progress.step("look at the cloud"):
        view = look_at_cloud(name, ctx)
        watcher = find_watcher(observer_ref, {port.device_id for port in view.ports}, view.nodes, ctx)
    with ctx.progress.step("look at the nodes" + (f", and from {watcher.name}" if watcher else "")):
        seen = _examined(view, watcher, observer_ref, ctx)
    if not seen.status.may_be_in_motion:
        return seen
    with ctx.progress.step("look at the nodes again, since the VIP may have been on the move"):
        return _examined(view, watcher, observer_ref, ctx)


def _examined(view: CloudView, watcher: Instance | None, observer_ref: str | None, ctx: Context) -> Examined:
    looks, observation = look_around(view, watcher, ctx)
    return Examined(view, looks, watcher, judge_pair(view, looks, observation, observer_ref=observer_ref))


def look_at_cloud(name: str | None, ctx: Context) -> CloudView:
    """Return the pair as the cloud has it (4 requests; 5 where a floating IP may lead to it).

    Raises what find_pair does.
    """
    pair, reservation = find_pair(ctx.cloud, name)
    nodes, ports = pair_nodes(ctx.cloud, pair)
    ids = {group_id for node in nodes.values() for group_id in node.port.group_ids}
    groups = ctx.cloud.groups(sorted(ids)) if ids else ()
    return CloudView(pair, reservation, nodes, ports, groups, floating_ips_near(pair, ports, ctx.cloud))


def find_watcher(ref: str | None, here: set[str], nodes: Mapping[str, Node], ctx: Context) -> Instance | None:
    """Return the observer: the one named, else the only instance named `observer` on the network."""
    found = ctx.cloud.instances([OBSERVER if ref is None else ref])
    return choose_observer(ctx.cloud, ref, found, here, {node.instance.id for node in nodes.values()})


def look_around(
    view: CloudView, watcher: Instance | None, ctx: Context
) -> tuple[dict[str, NodeView | Silent], Observation | None]:
    """Ask every node, by port id, and the observer, side by side, for at most LOOK_S."""
    errands = Errands()
    asked = {port_id: node for port_id, node in view.nodes.items() if may_answer(node.instance)}
    for port_id, node in asked.items():
        errands.start(port_id, lambda node=node: look_at_node(view.pair, node, ctx))  # type: ignore[misc]
    if watcher is not None:
        errands.start(OBSERVER, lambda: _look_from(watcher, view.pair, ctx))
    errands.wait(LOOK_S)
    found = dict(errands.take())
    observation = None if watcher is None else seen_from(watcher, found.get(OBSERVER) or _overdue(watcher, ctx))
    looks = {port_id: as_look(found.get(port_id) or _overdue(node.instance, ctx)) for port_id, node in asked.items()}
    return looks, observation


def _overdue(instance: Instance, ctx: Context) -> HaosError | Silent:
    """Return why an instance is waited for no longer: what spoke against reaching it so far, if anything did."""
    return ctx.fleet.awaited(instance) or OVERDUE


def look_at_node(pair: Pair, node: Node, ctx: Context) -> NodeView:
    """Ask a node for everything. Raises HaosError."""
    agent = ctx.fleet.node(node.instance)
    return NodeView(agent.facts(node.port.mac), agent.sight(pair.name, pair.vip))


def as_look(result: NodeView | Silent | HaosError) -> NodeView | Silent:
    """Return an error as the reason why a node says nothing."""
    if not isinstance(result, HaosError):
        return result
    return Silent(result.reason, result.hint, result.fingerprints if isinstance(result, RebuiltError) else ())


def seen_from(watcher: Instance, result: Observation | Silent | HaosError) -> Observation:
    """Return an error as an observation that was lost."""
    if isinstance(result, Observation):
        return result
    hint = result.hint if isinstance(result, HaosError) else result.remedy
    return Observation(watcher.name, lost=result.reason, hint=hint)


def _look_from(watcher: Instance, pair: Pair, ctx: Context) -> Observation:
    observer = ctx.fleet.observer(watcher)
    neighbour = observer.neighbour(pair.vip)  # before the probe brings it up to date
    probe = observer.start_probe(pair.vip, interval_s=PROBE_INTERVAL_S)
    try:
        probe.wait(seen_enough, OBSERVE_S)
        return observe(watcher.name, probe.history(), neighbour)
    finally:
        probe.stop()
