"""The steps of an exchange of nodes, as plans: each leaves the pair in a state that every other command understands.

What a step leaves behind is worked out here, so that all of them can be shown before the first is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from haos.core import record
from haos.core.changes import (
    Activate,
    Change,
    Configure,
    DismissVip,
    InstallKeepalived,
    LeavePair,
    UpdateRecord,
)
from haos.core.keepalived import DROP_IN_PATH, HAOS_FOLDER, MAIN_PATH, RELEASE_PATH, pair_path
from haos.core.model import Added, Node, Pair, Port, SecurityGroup
from haos.core.names import group_mark, group_name
from haos.core.node import NodeConfig, NodeFacts, NodeFile, Removal
from haos.core.nodeconf import files_there, node_config, peers_there
from haos.core.plan import Desired, Plan, Seen, added_pairs, has_pair, make_plan, missing_pairs
from haos.core.replace import Exchange, Way
from haos.core.security import pair_rules, rule_changes

GROUP_TO_BE = "SECURITY_GROUP_ID"
"""Stands for what Neutron will choose."""


@dataclass(frozen=True)
class Stage:
    """Changes that belong together: done, or undone, as a whole."""

    plan: Plan
    seen: Seen


@dataclass(frozen=True)
class HandOver:
    """If the old node has the VIP, let another take over before it leaves."""

    pair: Pair
    nodes: tuple[Node, ...]  # all that take part, the old one too


@dataclass(frozen=True)
class AwaitReady:
    """Wait until the new node is a Backup, or Active."""

    pair: Pair


@dataclass(frozen=True)
class LetGo:
    """Let every node count as its priority says: a hand-over, or one that was broken off, leaves weights."""

    pair: Pair


Step: TypeAlias = Stage | HandOver | AwaitReady | LetGo


def steps(exchange: Exchange) -> tuple[Step, ...]:
    """Return all that is to be done, in its order."""
    if exchange.way is Way.MEND:
        return (*_join(exchange, exchange.after, exchange.nodes), AwaitReady(exchange.after))
    if exchange.way is Way.AFTER:
        return _one_after_the_other(exchange)
    return _side_by_side(exchange)


def _one_after_the_other(exchange: Exchange) -> tuple[Step, ...]:
    """The record never names both: the old node is off before it is forgotten, the new one comes after that."""
    old = exchange.old
    assert old is not None, "this way somebody leaves"
    moving = old.facts is not None and old.node is not None
    config = _config_of(exchange.pair, exchange, old.node) if old.node else None
    previous = as_it_lies(config, exchange.facts[old.node.name]) if config and old.node else None
    return (
        *([HandOver(exchange.pair, _there(exchange, exchange.pair))] if moving else []),
        _leave(exchange, exchange.pair, exchange.group, previous),
        LetGo(exchange.pair),
        *_join(exchange, exchange.after, exchange.nodes),
        AwaitReady(exchange.after),
    )


def _side_by_side(exchange: Exchange) -> tuple[Step, ...]:
    both, old = exchange.between, exchange.old
    assert both is not None, "this way both are in the record"
    assert old is not None, "this way somebody leaves"
    assert old.node is not None, "this way somebody leaves"
    nodes = _there(exchange, both)
    joining = _join(exchange, both, nodes)
    desired = _desired(exchange, both, nodes)
    shared = _group_then(exchange, desired)
    return (
        *joining,
        AwaitReady(both),
        HandOver(both, nodes),
        _leave(exchange, both, shared, desired.configs[old.node.name]),
        LetGo(both),
        _settle(exchange, both, desired, shared),
    )


def _join(exchange: Exchange, pair: Pair, nodes: tuple[Node, ...]) -> tuple[Stage, Stage]:
    """First all that the others must know of the new node, then the node itself.

    It hears whoever is Active from its first moment: one that hears nobody takes the VIP. Undone the other way round.
    """
    desired = _desired(exchange, pair, nodes)
    lying = {
        node.name: config
        for node in nodes
        if (config := as_it_lies(desired.configs[node.name], exchange.facts[node.name])) is not None
    }
    seen = Seen(exchange.facts, exchange.reservation, exchange.group, exchange.pair, lying)
    plan = _with_record(make_plan(desired, seen), exchange, pair, exchange.reservation)
    own = [change for change in plan.changes if _is_on(change, exchange.new.name)]
    rest = [change for change in plan.changes if change not in own]
    return (
        Stage(replace(plan, changes=_active_first(rest, exchange.active)), seen),
        Stage(replace(plan, changes=tuple(own)), seen),
    )


def _is_on(change: Change, node: str) -> bool:
    return isinstance(change, InstallKeepalived | Configure | Activate) and change.node == node


def _active_first(changes: Sequence[Change], active: str | None) -> tuple[Change, ...]:
    """Let the daemon of the Active node be told before those of others: whom it does not know does not hear it."""
    told = [change for change in changes if isinstance(change, Activate)]
    if not told:
        return tuple(changes)
    at = changes.index(told[0])
    told.sort(key=lambda change: change.node != active)
    return (*changes[:at], *told, *(one for one in changes[at:] if not isinstance(one, Activate)))


def _leave(exchange: Exchange, pair: Pair, group: SecurityGroup | None, previous: NodeConfig | None) -> Stage:
    """Take all that haos added off the old node and its port; its daemon goes first, so that it claims nothing."""
    old = exchange.old
    assert old is not None, "somebody leaves"
    changes: list[Change] = []
    node = old.node
    if node is not None:
        member = next(one for one in pair.members if one.port_id == node.port.id)
        if old.facts is not None:
            purge = exchange.purge and Added.PACKAGE in member.added
            removal = Removal(pair.name, pair.vip, None, purge_package=purge)
            packaged, runs = purge and old.facts.package_by_haos, old.facts.daemon_active
            changes.append(LeavePair(node.name, removal, previous, packaged, runs))
        port = node.port if exchange.way is not Way.BESIDE else _admitted(node, pair, group).port
        pairs = tuple(one for one in added_pairs(port, pair, member.added) if has_pair(port, one))
        grouped = group is not None and Added.GROUP in member.added and group.id in port.group_ids
        if pairs or grouped:
            changes.append(DismissVip(node.name, port.id, pairs, (group.id,) if group and grouped else ()))
    nodes = (node,) if node is not None else ()
    desired = Desired(pair, exchange.network, exchange.subnet, nodes, {})
    return Stage(Plan(desired, tuple(changes)), Seen(exchange.facts, exchange.reservation, group, pair))


def _settle(exchange: Exchange, both: Pair, joined: Desired, group: SecurityGroup | None) -> Stage:
    """Forget the old node, once it carries nothing any more: in the record, in the others' files, in the group."""
    facts = {node.name: carried(exchange.facts[node.name], joined.configs[node.name]) for node in exchange.nodes}
    nodes = tuple(_admitted(node, both, group) for node in exchange.nodes)
    desired = _desired(exchange, exchange.after, nodes)
    reservation = exchange.reservation
    if reservation.description != record.encode(both):  # its revision is Neutron's to say by then
        reservation = replace(reservation, description=record.encode(both), revision=None)
    configs = {node.name: joined.configs[node.name] for node in nodes}
    seen = Seen(facts, reservation, group, both, configs)
    plan = _with_record(make_plan(desired, seen), exchange, exchange.after, reservation)
    return Stage(replace(plan, changes=_active_first(plan.changes, exchange.active)), seen)


def _desired(exchange: Exchange, pair: Pair, nodes: tuple[Node, ...]) -> Desired:
    configs = {node.name: config for node in nodes if (config := _config_of(pair, exchange, node, nodes))}
    return Desired(_of_those(pair, nodes), exchange.network, exchange.subnet, nodes, configs)


def _there(exchange: Exchange, pair: Pair) -> tuple[Node, ...]:
    """Return the nodes that are there of a pair, in its order."""
    there = {node.port.id: node for node in exchange.everyone}
    return tuple(there[member.port_id] for member in pair.members if member.port_id in there)


def _of_those(pair: Pair, nodes: Sequence[Node]) -> Pair:
    """Return the pair without the members that are not there: nothing can be done for them."""
    there = {node.port.id for node in nodes}
    return replace(pair, members=tuple(member for member in pair.members if member.port_id in there))


def _config_of(pair: Pair, exchange: Exchange, node: Node, among: Sequence[Node] | None = None) -> NodeConfig | None:
    """Return what a node shall carry for the pair; None where it has no device for that, or nobody looked."""
    facts = exchange.facts.get(node.name)
    ports = [member.port_id for member in pair.members]
    nodes = [one for one in among or exchange.everyone if one.port.id in ports]
    peers = tuple(peer.address for peer in nodes if peer is not node)
    if facts is None or facts.interface is None or node.port.id not in ports or not peers:
        return None
    return node_config(pair, facts, ports.index(node.port.id), node.address, peers)


def _with_record(plan: Plan, exchange: Exchange, pair: Pair, port: Port) -> Plan:
    """Let the record name all members, those that are gone too."""
    if not exchange.lacking:
        return plan
    description = record.encode(pair)
    rest = [change for change in plan.changes if not isinstance(change, UpdateRecord)]
    first = [UpdateRecord(port, description)] if port.description != description else []
    return replace(plan, changes=(*first, *rest))


def _group_then(exchange: Exchange, desired: Desired) -> SecurityGroup | None:
    """Return the pair's own group as the steps before will have left it."""
    group = exchange.group
    if not desired.pair.has_group:
        return None
    rules = pair_rules([node.address for node in desired.nodes], bfd=desired.pair.timing.bfd)
    if group is not None:
        return replace(group, rules=(*group.rules, *rule_changes(group.rules, rules)[1]))
    mark = group_mark(exchange.reservation.id)
    return SecurityGroup(GROUP_TO_BE, group_name(desired.pair.name), desired.pair.project_id, mark, rules)


def _admitted(node: Node, pair: Pair, group: SecurityGroup | None) -> Node:
    """Return a node as it is once its port may speak for the VIP."""
    port, added = node.port, next(one.added for one in pair.members if one.port_id == node.port.id)
    if not port.port_security:
        return node
    grouped = group is not None and Added.GROUP in added and group.id not in port.group_ids
    groups = (*port.group_ids, *((group.id,) if group and grouped else ()))
    return replace(node, port=replace(port, pairs=(*port.pairs, *missing_pairs(port, pair)), group_ids=groups))


def carried(facts: NodeFacts, config: NodeConfig) -> NodeFacts:
    """Return the facts of a node once it carries a configuration, and its daemon has been told."""
    texts: Mapping[str, str] = {file.path: file.text for file in config.files}
    checks = {path.rpartition("/")[2]: text for path, text in texts.items() if path.startswith(f"{HAOS_FOLDER}/")
              and ".check-" in path}  # fmt: skip
    kept = next((text for path, text in texts.items() if path.startswith("/etc/systemd/network/")), facts.keep_file)
    main = texts.get(MAIN_PATH, facts.main_config)
    if config.include_line and config.include_line not in (main or "").splitlines():
        main = f"{main or ''}\n{config.include_line}"
    return replace(
        facts,
        keepalived=facts.keepalived or "of the package",
        daemon_active=True,
        daemon_enabled=True,
        pending=False,
        main_config=main,
        pair_files={**facts.pair_files, config.pair: texts[pair_path(config.pair)]},
        withdrawn=facts.withdrawn - {config.pair},
        check_files={**facts.check_files, **checks},
        drop_in=texts.get(DROP_IN_PATH, facts.drop_in),
        release_script=texts.get(RELEASE_PATH, facts.release_script),
        keep_file=kept,
    )


def as_it_lies(config: NodeConfig, facts: NodeFacts) -> NodeConfig | None:
    """Return what lies on a node now, as what could be put back there; None where the pair's file is not there."""
    there = files_there(config.pair, facts)
    if config.pair not in facts.pair_files or config.pair in facts.withdrawn:
        return None
    files = (NodeFile(file.path, there[file.path], file.mode) for file in config.files if file.path in there)
    return replace(config, files=tuple(files), peers=peers_there(config.pair, facts) or config.peers)
