"""`haos teardown`: take away exactly what the record says haos added. Safe to repeat; the reservation goes last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial

from haos.core import names
from haos.core.floating import FloatingRemoval
from haos.core.intent import pending, where
from haos.core.model import Added, Member, Mode, Node, Pair, Port, SecurityGroup
from haos.core.names import group_mark
from haos.core.node import NodeFacts, Removal, Removed
from haos.core.plan import added_pairs, has_pair
from haos.core.witness import justified, names_on
from haos.errors import HaosError, Interrupted, LeftoverError, RemoteError, StepError
from haos.workflow.context import Context, PortAmendment
from haos.workflow.floating import look_at_removal
from haos.workflow.intent import names_of
from haos.workflow.parallel import attempt_each
from haos.workflow.resolve import find_pair, pair_nodes
from haos.workflow.restore import undo_announced
from haos.workflow.trust import refuse_another, refuse_left_behind
from haos.workflow.undo import withdraw_from_port


@dataclass(frozen=True)
class TornDown:
    """What teardown did, one line each."""

    pair: Pair
    done: tuple[str, ...]
    skipped: tuple[str, ...] = ()  # what could not be reached and, with force, was left as it is
    kept: tuple[str, ...] = ()  # what is not haos's to take away, or no longer


def plan_teardown(name: str | None, *, purge: bool, ctx: Context) -> TornDown:
    """Say what a teardown would take away, from the record alone; changes nothing."""
    pair, port = find_pair(ctx.cloud, name)
    nodes, _ = pair_nodes(ctx.cloud, pair)
    group = find_group(pair, ctx)
    lines = [f"fault {intent.fault} on {where(intent, names_of(nodes))}" for intent in pending(pair, port)]
    lines += [f"files of pair {pair.name} on {node.name}" for node in nodes.values()]
    if purge:
        lines += [
            f"package keepalived on {nodes[member.port_id].name}"
            for member in pair.members
            if Added.PACKAGE in member.added and member.port_id in nodes
        ]
    for member in pair.members:
        if member.port_id in nodes:
            node = nodes[member.port_id]
            lines += [
                f"allowed address pair {one.ip_address} ({one.mac_address}) on {node.name}'s port"
                for one in added_pairs(node.port, pair, member.added)
            ]
    if group:
        lines.append(f"security group {group.name} ({group.id})")
    floating = look_at_removal(pair, ctx.cloud)
    lines += [f"floating IP {ip.address} ({ip.id})" for ip in floating.delete]
    lines += [f"association of floating IP {ip.address} ({ip.id})" for ip in floating.release]
    what = "haos's claim on port" if pair.adopted else "reservation port"
    return TornDown(pair, (*lines, f"{what} {port.name} ({port.id})"), kept=floating.kept)


def teardown(name: str | None, *, purge: bool, ctx: Context, force: bool = False) -> TornDown:
    """Undo a pair: nodes, ports, group, floating IP, reservation, in this order.

    Raises LeftoverError (exit 6) if anything could not be taken away; the reservation then stays, so that the same
    command finds the rest. With `force`, nodes that cannot be reached are skipped, and what stays on them is listed.
    """
    with ctx.progress.step("look at the cloud"):
        pair, reservation = find_pair(ctx.cloud, name)
        nodes, ports = pair_nodes(ctx.cloud, pair)
    gone = [member.port_id for member in pair.members if member.port_id not in nodes]
    try:
        # A port that is down, or an instance that is off, would be left so by haos.
        restored, nodes, ports = undo_announced(pair, reservation, nodes, ports, ctx)
        facts, silent = _look(nodes.values(), ctx)
        refuse_another(pair, nodes.values(), facts, ports)
        refuse_left_behind(pair, facts, nodes.values(), ports, ctx)
        sure = justified(pair, facts, names_on(nodes.values()))
        kept = _not_haoss(pair, sure, ports)
        group = find_group(sure, ctx)
        carrying = {port_id: node for port_id, node in nodes.items() if not _is_others(pair, facts.get(node.name))}
        torn = _take_away(sure, carrying, {port.id: port for port in ports}, group, gone, silent, purge, force, ctx)
        return replace(torn, done=(*restored, *torn.done), kept=(*kept, *torn.kept))
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: pair {pair.name} may be torn down in part", hint=f"haos teardown {pair.name} finishes it"
        ) from None


def _look(nodes: Collection[Node], ctx: Context) -> tuple[dict[str, NodeFacts], dict[Node, HaosError]]:
    """Return what the nodes say, by name, and who cannot be reached; one that can but says nothing is in neither."""
    with ctx.progress.step("look at the nodes"):
        found, errors = attempt_each(nodes, lambda node: ctx.fleet.node(node.instance).facts(node.port.mac))
    silent = {node: error for node, error in errors.items() if not isinstance(error, StepError)}
    return {node.name: facts for node, facts in found.items()}, silent


def _is_others(pair: Pair, facts: NodeFacts | None) -> bool:
    """Say whether a node serves other pairs, and this one has nothing there: it is left alone."""
    if facts is None or pair.mode is Mode.VMAC:  # whose sysctls are put back after its files are gone
        return False
    return bool(facts.pair_files) and pair.name not in facts.pair_files


def _not_haoss(pair: Pair, sure: Pair, ports: Iterable[Port]) -> tuple[str, ...]:
    """Say which address pairs stay, since the nodes' own files do not have it that haos added them."""
    there = {port.id: port for port in ports}
    return tuple(
        f"address pair {one.ip_address} ({one.mac_address}) on port {member.port_id}: the record says that haos "
        "added it, the nodes' own files do not"
        for member, known in zip(pair.members, sure.members, strict=True)
        if member.port_id in there
        for one in added_pairs(there[member.port_id], pair, member.added & ~known.added)
        if has_pair(there[member.port_id], one)
    )


def _take_away(
    pair: Pair,
    nodes: dict[str, Node],
    ports: dict[str, Port],
    group: SecurityGroup | None,
    gone: list[str],
    silent: dict[Node, HaosError],
    purge: bool,
    force: bool,
    ctx: Context,
) -> TornDown:
    done = [f"the instance of port {port_id} is gone, or has no address there" for port_id in gone]
    left: list[str] = []
    skipped: list[str] = []
    with ctx.progress.step("clean the nodes"):
        asked = [node for node in nodes.values() if node not in silent]
        removed, errors = attempt_each(asked, lambda node: _clean(node, pair, purge, ctx))
    errors = {**silent, **errors}
    for node, result in removed.items():
        done += [f"{node.name}: {line}" for line in result.done]
        left += [f"{node.name}: {line}" for line in result.left]
    for node, error in errors.items():
        said = str(error) if node.name in str(error) else f"{node.name}: {error}"
        if force and isinstance(error, RemoteError) and not isinstance(error, StepError):
            skipped.append(f"{said}; files of pair {pair.name}, and keepalived if it runs, stay there")
        else:
            left.append(said)
    _raise_if_left(pair, left, unreachable=bool(errors))
    with ctx.progress.step("clean the ports"):
        done += _clean_ports(pair, ports, group, ctx)
        floating = look_at_removal(pair, ctx.cloud)
        done += [*_clean_floating(pair, floating, ctx), *_release(pair, ctx)]
    return TornDown(pair, tuple(done), tuple(skipped), floating.kept)


def find_group(pair: Pair, ctx: Context) -> SecurityGroup | None:
    """Return the pair's own security group: the name is not enough, it must be marked with the reservation."""
    if not pair.has_group:
        return None
    marked = group_mark(pair.reservation_id)
    groups = ctx.cloud.groups_named(names.group_name(pair.name))
    return next((group for group in groups if group.description == marked), None)


def _clean(node: Node, pair: Pair, purge: bool, ctx: Context) -> Removed:
    # The node's own marker decides: of two pairs on it only the first one's record knows who installed the package.
    return ctx.fleet.node(node.instance).remove(Removal(pair.name, pair.vip, None, purge_package=purge))


def _clean_ports(pair: Pair, ports: dict[str, Port], group: SecurityGroup | None, ctx: Context) -> list[str]:
    # A port may outlive its instance: what haos added to it is taken off all the same.
    members = [member for member in pair.members if member.port_id in ports]
    amendments = {member.port_id: _amendment(member, ports[member.port_id], pair, group) for member in members}
    _, errors = attempt_each(amendments, lambda one: withdraw_from_port(ctx.cloud, ports[one], amendments[one]))
    _raise_if_left(pair, [f"port {port_id}: {error}" for port_id, error in errors.items()])
    done = [f"cleaned port {port_id}" for port_id in amendments]
    if group is not None:
        _or_left(pair, f"security group {group.id}", lambda: ctx.cloud.delete_group(group.id))
        done.append(f"deleted security group {group.name}")
    return done


def _clean_floating(pair: Pair, floating: FloatingRemoval, ctx: Context) -> list[str]:
    for ip in floating.delete:
        _or_left(pair, f"floating IP {ip.address}", partial(ctx.cloud.delete_floating_ip, ip.id))
    for ip in floating.release:
        _or_left(pair, f"floating IP {ip.address}", partial(ctx.cloud.release_floating_ip, ip))
    done = [f"deleted floating IP {ip.address}" for ip in floating.delete]
    return done + [f"dissociated floating IP {ip.address}, which stays the project's" for ip in floating.release]


def _release(pair: Pair, ctx: Context) -> list[str]:
    release = ctx.cloud.release_adopted if pair.adopted else ctx.cloud.delete_port
    _or_left(pair, f"reservation port {pair.reservation_id}", lambda: release(pair.reservation_id))
    kept = ", which stays: it was there before" if pair.adopted else ""
    return [f"released {pair.vip} (reservation port {pair.reservation_id}{kept})"]


def _amendment(member: Member, port: Port, pair: Pair, group: SecurityGroup | None) -> PortAmendment:
    pairs = added_pairs(port, pair, member.added)
    groups = (group.id,) if group is not None and Added.GROUP in member.added else ()
    return PortAmendment(remove_pairs=pairs, remove_groups=groups)


def _or_left(pair: Pair, what: str, work: Callable[[], None]) -> None:
    try:
        work()
    except HaosError as error:
        _raise_if_left(pair, [f"{what}: {error}"])


def _raise_if_left(pair: Pair, left: list[str], *, unreachable: bool = False) -> None:
    if left:
        skip = f"; for a node that will not come back: haos teardown {pair.name} --force" if unreachable else ""
        raise LeftoverError(
            f"pair {pair.name} is not wholly torn down. Left: {'; '.join(left)}",
            hint=f"mend that and run it again: haos teardown {pair.name}{skip}",
        )
