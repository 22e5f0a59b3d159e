"""`haos teardown`: take away exactly what the record says haos added. Safe to repeat; the reservation goes last."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from haos.core import record
from haos.core.floating import FloatingRemoval
from haos.core.intent import pending, where
from haos.core.model import Added, Mode, Node, Pair, Port, SecurityGroup
from haos.core.node import NodeFacts, Removal, Removed
from haos.core.plan import added_pairs, has_pair
from haos.core.witness import justified, names_on
from haos.errors import CloudError, HaosError, Interrupted, NotFoundError, RemoteError, StepError
from haos.workflow.context import Context, PortAmendment
from haos.workflow.floating import look_at_removal
from haos.workflow.intent import names_of
from haos.workflow.last_look import marked_groups
from haos.workflow.leaving import Mark
from haos.workflow.left import or_left, raise_if_left
from haos.workflow.packages import telling_who_holds_it_up
from haos.workflow.parallel import attempt_each
from haos.workflow.recheck import see_written
from haos.workflow.resolve import find_pair, pair_nodes
from haos.workflow.restore import undo_announced
from haos.workflow.trust import look_beside, refuse_another, refuse_left_behind
from haos.workflow.undo import give_back, withdraw_from_port


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
    try:
        # A port that is down, or an instance that is off, would be left so by haos.
        restored, nodes, ports = undo_announced(pair, reservation, nodes, ports, ctx)
        _, silent, _ = _look(pair, nodes.values(), ports, ctx, force=force)
        mark = Mark(reservation.id, ctx)
        try:
            there, kept, skipped = _look_again(pair, mark, silent, ctx, force=force)
        except HaosError:
            mark.take_back()  # nothing was taken away, and nothing is going to be
            raise
        torn = _take_away(there, purge, force, ctx)
        return replace(
            torn, done=(*restored, *torn.done), skipped=(*torn.skipped, *skipped), kept=(*kept, *torn.kept)
        )
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted: pair {pair.name} may be torn down in part", hint=f"haos teardown {pair.name} finishes it"
        ) from None


@dataclass(frozen=True)
class _There:
    """What is to be taken away, and where."""

    pair: Pair
    mark: Mark  # on the reservation, of this run
    nodes: tuple[Node, ...]  # those that may carry the pair
    ports: dict[str, Port]
    groups: tuple[SecurityGroup, ...]
    gone: tuple[str, ...]  # ports of nodes that are not there
    silent: dict[str, HaosError]  # by the name of the node that cannot be asked

    @property
    def amendments(self) -> dict[str, PortAmendment]:
        """What is taken off which port; one may outlive its instance."""
        groups = tuple(group.id for group in self.groups)
        return {
            member.port_id: PortAmendment(
                remove_pairs=added_pairs(self.ports[member.port_id], self.pair, member.added), remove_groups=groups
            )
            for member in self.pair.members
            if member.port_id in self.ports
        }


def _look_again(
    pair: Pair, mark: Mark, silent: dict[str, HaosError], ctx: Context, *, force: bool
) -> tuple[_There, tuple[str, ...], tuple[str, ...]]:
    """Return what is to be taken away, what is not haos's, and who is passed over with `force`.

    What another run did before the mark is seen now; what it does after, it takes back itself.
    """
    pair, nodes, ports = _as_it_is_now(pair, ctx)
    asked = [node for node in nodes.values() if node.name not in silent]
    facts, lost, passed = _look(pair, asked, ports, ctx, force=force, mark=mark)
    sure = justified(pair, facts, names_on(nodes.values()))
    gone = tuple(member.port_id for member in pair.members if member.port_id not in nodes)
    carrying = tuple(node for node in nodes.values() if not _is_others(pair, facts.get(node.name)))
    by_id = {port.id: port for port in ports}
    there = _There(sure, mark, carrying, by_id, find_groups(sure, ctx), gone, {**silent, **lost})
    return there, _not_haoss(pair, sure, ports), passed


def _as_it_is_now(before: Pair, ctx: Context) -> tuple[Pair, dict[str, Node], tuple[Port, ...]]:
    """Look at a pair once more. Raises NotFoundError where another run has taken it away meanwhile."""
    nodes, ports = pair_nodes(ctx.cloud, before)
    reservation = next((port for port in ports if port.id == before.reservation_id), None)
    if reservation is None:
        raise NotFoundError(f"pair {before.name} was taken away by another run meanwhile", hint="haos list")
    now = record.decode(reservation)
    if now.members != before.members:
        nodes, ports = pair_nodes(ctx.cloud, now)
    return now, nodes, ports


def _look(
    pair: Pair,
    nodes: Collection[Node],
    ports: Collection[Port],
    ctx: Context,
    *,
    force: bool,
    mark: Mark | None = None,
) -> tuple[dict[str, NodeFacts], dict[str, HaosError], tuple[str, ...]]:
    """Return what the nodes say, and who cannot be reached, by name; one that can but says nothing is in neither.

    And, a line each, who is no node by the record, may still be one by the files, and is passed over with `force`.
    Raises RecordError where what they say forbids to go by the record.
    """
    with ctx.progress.step("look at the nodes"):
        attempt = mark.attempt_each if mark else attempt_each
        found, errors = attempt(nodes, lambda node: ctx.fleet.node(node.instance).facts(node.port.mac))
        facts = {node.name: each for node, each in found.items()}
        beside = look_beside(pair, facts, ports, ctx)
    passed = {node: error for node, error in beside.silent.items() if force and not isinstance(error, StepError)}
    refuse_another(pair, nodes, facts, ports, beside.left | {node.port.id for node in passed})
    refuse_left_behind(pair, facts, nodes, ports, beside)
    silent = {node.name: error for node, error in errors.items() if not isinstance(error, StepError)}
    return facts, silent, tuple(_stays(pair, node.name, error) for node, error in passed.items())


def _stays(pair: Pair, name: str, error: HaosError) -> str:
    return f"{_said(name, error)}; files of pair {pair.name}, and keepalived if it runs, stay there"


def _said(name: str, error: HaosError) -> str:
    return str(error) if name in str(error) else f"{name}: {error}"


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


def _take_away(there: _There, purge: bool, force: bool, ctx: Context) -> TornDown:
    pair = there.pair
    done = [f"the instance of port {port_id} is gone, or has no address there" for port_id in there.gone]
    left: list[str] = []
    skipped: list[str] = []
    with ctx.progress.step("clean the nodes"):
        asked = [node for node in there.nodes if node.name not in there.silent]
        there.mark.renew()
        removed, failed = there.mark.attempt_each(asked, lambda node: _clean(node, pair, purge, ctx))
    errors = {**there.silent, **{node.name: error for node, error in failed.items()}}
    for node, result in removed.items():
        done += [f"{node.name}: {line}" for line in result.done]
        left += [f"{node.name}: {line}" for line in result.left]
    for name, error in errors.items():
        if force and isinstance(error, RemoteError) and not isinstance(error, StepError):
            skipped.append(_stays(pair, name, error))
        else:
            left.append(_said(name, error))
    ahead = _ahead(there)
    raise_if_left(pair, left, ahead, unreachable=bool(errors))
    with ctx.progress.step("clean the ports"):
        done += _clean_ports(there, ahead, ctx)
        cleaned, floating = _clean_floating(pair, ahead, ctx)
        or_left(pair, ahead[-1], lambda: _see_clean(there, ctx))
        done += [*cleaned, *_release(pair, ahead[-1], ctx)]
    return TornDown(pair, tuple(done), tuple(skipped), floating.kept)


def _ahead(there: _There) -> list[str]:
    """Name what is to be cleaned and taken away in the cloud, in its order: what is left keeps what follows."""
    return [
        *(f"what haos added to port {port_id}" for port_id in there.amendments),
        *(f"security group {group.name} ({group.id})" for group in there.groups),
        *(["the floating IP that haos gave it"] if there.pair.floating is not None else []),
        f"reservation port {there.pair.reservation_id}",
    ]


def find_group(pair: Pair, ctx: Context) -> SecurityGroup | None:
    """Return the pair's own security group."""
    return next(iter(find_groups(pair, ctx)), None)


def find_groups(pair: Pair, ctx: Context) -> tuple[SecurityGroup, ...]:
    """Return the pair's own security group, and those that a run that was killed over it has made as well."""
    return marked_groups(pair.name, pair.reservation_id, ctx.cloud) if pair.has_group else ()


def _clean(node: Node, pair: Pair, purge: bool, ctx: Context) -> Removed:
    # The node's own marker decides: of two pairs on it only the first one's record knows who installed the package.
    removal = Removal(pair.name, pair.vip, None, purge_package=purge)
    agent = ctx.fleet.node(node.instance)
    if not purge:
        return agent.remove(removal)
    return telling_who_holds_it_up(node, lambda: agent.remove(removal), ctx)


def _clean_ports(there: _There, ahead: list[str], ctx: Context) -> list[str]:
    pair, ports, amendments = there.pair, there.ports, there.amendments
    or_left(pair, ahead[0], there.mark.renew, ahead[1:])
    _, errors = there.mark.attempt_each(
        amendments, lambda one: withdraw_from_port(ctx.cloud, ports[one], amendments[one])
    )
    del ahead[: len(amendments)]
    raise_if_left(pair, [f"port {port_id}: {error}" for port_id, error in errors.items()], ahead)
    done = [f"cleaned port {port_id}" for port_id in amendments]
    for group in there.groups:
        or_left(pair, ahead.pop(0), partial(_delete_group, group, there, ctx), ahead)
        done.append(f"deleted security group {group.name}")
    return done


def _delete_group(group: SecurityGroup, there: _There, ctx: Context) -> None:
    there.mark.renew()
    try:
        ctx.cloud.delete_group(group.id)
    except CloudError:
        # Another may have put it back on a port at the very moment at which it was taken off.
        _see_clean(there, ctx)
        ctx.cloud.delete_group(group.id)


def _see_clean(there: _There, ctx: Context) -> None:
    """See that nobody has put back what was taken off the ports, and that the pair is still this run's to end."""

    def check(now: Port | None) -> None:
        if now is not None:
            there.mark.see_in(now.tags)

    see_written(there.amendments, there.pair.reservation_id, ctx, check=check)


def _clean_floating(pair: Pair, ahead: Sequence[str], ctx: Context) -> tuple[list[str], FloatingRemoval]:
    what, last = ", ".join(ahead[:-1]) or "floating IPs", ahead[-1:]
    floating = or_left(pair, what, partial(look_at_removal, pair, ctx.cloud), last)
    for ip in floating.delete:
        or_left(pair, f"floating IP {ip.address}", partial(ctx.cloud.delete_floating_ip, ip.id), last)
    for ip in floating.release:
        or_left(pair, f"floating IP {ip.address}", partial(ctx.cloud.release_floating_ip, ip), last)
    done = [f"deleted floating IP {ip.address}" for ip in floating.delete]
    done += [f"dissociated floating IP {ip.address}, which stays the project's" for ip in floating.release]
    return done, floating


def _release(pair: Pair, what: str, ctx: Context) -> list[str]:
    def release() -> None:
        if pair.adopted:
            give_back(pair.reservation_id, ctx.cloud)
        else:
            ctx.cloud.delete_port(pair.reservation_id)

    or_left(pair, what, release)
    kept = ", which stays: it was there before" if pair.adopted else ""
    return [f"released {pair.vip} (reservation port {pair.reservation_id}{kept})"]
