"""What cloud, nodes and observer say of a pair, judged: each thing that is wrong, and what helps. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from haos.core import service
from haos.core.floating import drift, leading_to, own_of
from haos.core.intent import naming, restore_hint
from haos.core.keepalived import pair_path
from haos.core.model import Added, Member, Mode, Node, Pair, Role, virtual_mac
from haos.core.names import default_name, group_mark
from haos.core.node import NodeFacts
from haos.core.nodeconf import differences, ill_kept, node_config, peers_there
from haos.core.plan import missing_pairs
from haos.core.power import wake
from haos.core.replace import goes_on
from haos.core.security import Barred, barred, pair_rules, same_rules
from haos.core.sighting import Observation, judge_observation
from haos.core.status import CloudView, NodeStatus, NodeView, PairStatus, Silent, Trouble
from haos.core.troubles_observer import observer_troubles
from haos.core.witness import doubts, in_words, names_on, remedy, unsure_of


@dataclass(frozen=True)
class _Remedies:
    """The commands that end what is wrong: in general, and where a node's files are to be written."""

    mend: str
    files: str


def judge_pair(
    view: CloudView,
    looks: Mapping[str, NodeView | Silent],
    observation: Observation | None,
    *,
    observer_ref: str | None = None,
) -> PairStatus:
    """Put together what the cloud, the nodes (`looks`, by port id) and the observer say."""
    pair, of_record = view.pair, tuple(_record_troubles(view, looks))
    doubted = next((trouble.remedy for trouble in of_record if trouble.grave), None)  # repair does nothing by it
    mend = doubted or mend_command(view, observer_ref)
    lost = next((member.port_id for member in pair.members if member.port_id not in view.nodes), None)
    # Each node's file names all the others: without one of them there is nothing to write but another in its place.
    helps = _Remedies(mend, doubted or (replace_command(view, lost) if lost else mend))
    rows = tuple(_row(member, view, looks.get(member.port_id), helps) for member in pair.members)
    status = PairStatus(pair, rows, observation, floating=leading_to(view.reservation.id, view.floating))
    names = macs_of_nodes(view, status.active)
    of_nodes = [trouble for row in rows for trouble in row.troubles]
    barring = any(trouble.code == "security-rule" for trouble in of_nodes)
    group = () if barring else _group_troubles(view, mend)
    of_pair = (*of_record, *_pair_troubles(view, rows), *group, *_floating_troubles(view, mend))
    status = replace(status, names=names, troubles=(*of_nodes, *of_pair))
    if observation is None:
        missing = Trouble("no-observer", "", "nobody observes: no instance is named or tagged 'observer'",
                          "name one with --observer", grave=False)  # fmt: skip
        return replace(status, troubles=(*status.troubles, missing))
    holder = status.active if all(row.holds_vip == (row.name == status.active) for row in rows) else None
    verdict, reason = judge_observation(observation, pair.vip, holder, names)
    seen = tuple(observer_troubles(observation, verdict, reason, names, view))
    return replace(status, verdict=verdict, reason=reason, troubles=(*status.troubles, *seen))


def mend_command(view: CloudView, observer_ref: str | None = None) -> str:
    """Return the command that brings the pair back to what its record says."""
    return shlex.join(["haos", "repair", view.pair.name, *(["--observer", observer_ref] if observer_ref else [])])


def replace_command(view: CloudView, port_id: str) -> str:
    """Return the command that gives the pair another node in place of one that is gone: where one is left."""
    if not view.members:
        return f"haos teardown {view.pair.name} --force; then create it anew"
    return f"haos replace-node {view.pair.name} --old {port_id} --new INSTANCE"


def create_command(view: CloudView) -> str:
    """Return the command to which options are added that change the pair; nodes that are gone are not named."""
    pair, nodes = view.pair, view.members
    words = ["haos", "create", "--network", pair.network_id, "--nodes", ",".join(node.name for node in nodes)]
    if pair.name != default_name(node.name for node in nodes):
        words += ["--name", pair.name]
    return shlex.join(words)


def macs_of_nodes(view: CloudView, active: str | None) -> dict[str, str]:
    """Return MAC -> name of the node that answers by it; in vmac mode the virtual one is the Active's."""
    names = {node.port.mac: node.name for node in view.members}
    if view.pair.mode is Mode.VMAC:
        names[virtual_mac(view.pair.vrid, view.pair.vip.version)] = active or "the virtual router"
    return names


def _row(member: Member, view: CloudView, look: NodeView | Silent | None, helps: _Remedies) -> NodeStatus:
    node = view.nodes.get(member.port_id)
    if node is None:
        return _gone(member, view)
    held = barred(node, view.members, view.groups, view.ports, bfd=view.pair.timing.bfd)
    lacking = missing_pairs(node.port, view.pair) if node.port.port_security else ()
    row = NodeStatus(
        node.name,
        member.port_id,
        Role.UNKNOWN,
        holds_vip=False,
        priority=member.priority,
        instance_id=node.instance.id,
        instance_status=node.instance.status,
        address=str(node.address),
        port_up=node.port.admin_up,
        port_security=node.port.port_security,
        pair_admitted=not lacking,
        vrrp_admitted=not held,
        troubles=tuple(_cloud_troubles(node, [pair.ip_address for pair in lacking], held, helps.mend)),
    )
    if isinstance(look, NodeView):
        return _with_view(row, member, node, view, look, helps)
    silent = look or Silent("nobody has asked it yet")
    unheard = Trouble("unreachable", node.name, silent.reason, silent.remedy)
    if silent.fingerprints:
        unheard = Trouble("rebuilt", node.name, silent.reason, helps.mend)
    known = any(trouble.code == "instance" for trouble in row.troubles)
    return row if known else replace(row, troubles=(*row.troubles, unheard))


def _gone(member: Member, view: CloudView) -> NodeStatus:
    port = next((port for port in view.ports if port.id == member.port_id), None)
    what = f"port {member.port_id} is gone" if port is None else f"the instance of port {member.port_id} is gone"
    trouble = Trouble("gone", "", what, replace_command(view, member.port_id))
    return NodeStatus(member.port_id, member.port_id, Role.UNKNOWN, False, member.priority, troubles=(trouble,))


def _cloud_troubles(node: Node, lacking: list[str], held: tuple[Barred, ...], mend: str) -> Iterator[Trouble]:
    name, instance, port = node.name, node.instance, node.port
    if instance.status != "ACTIVE":
        yield Trouble("instance", name, f"its instance is {instance.status}", wake(instance))
    if not port.admin_up:
        yield Trouble("port-down", name, "its port is administratively down", mend)
    if lacking:
        yield Trouble("address-pair", name, f"its port lacks the address pair {', '.join(lacking)}", mend)
    if held:
        yield Trouble("security-rule", name, _barred_words(held), mend)


def _barred_words(held: tuple[Barred, ...]) -> str:
    flows = sorted({"BFD" if barred.flow.port else "protocol 112" for barred in held})
    ways = {"ingress": "from", "egress": "to"}
    peers = {
        way: ", ".join(dict.fromkeys(barred.peer for barred in held if barred.direction == direction))
        for direction, way in ways.items()
    }
    where = " and ".join(f"{way} {who}" for way, who in peers.items() if who)
    return f"its port's security groups do not let {' and '.join(flows)} pass {where}"


def _with_view(
    row: NodeStatus, member: Member, node: Node, view: CloudView, look: NodeView, helps: _Remedies
) -> NodeStatus:
    facts, sight = look.facts, look.sight
    config, words = _config(member, node, view, facts)
    found = replace(
        row,
        role=sight.role,
        holds_vip=sight.holds_vip,
        effective_priority=sight.priority,
        keepalived=facts.keepalived,
        keepalived_running=sight.daemon_active,
        config=config,
    )
    troubles = [*row.troubles, *_config_troubles(found, words, facts, helps)]
    troubles += _test_troubles(found, view.pair, facts)
    troubles += _weight_troubles(found, view.pair, facts)
    return replace(found, troubles=(*troubles, *_role_troubles(found, view.pair, helps.mend)))


def _config(member: Member, node: Node, view: CloudView, facts: NodeFacts) -> tuple[str, str | None]:
    """Return (word, why not "ok")."""
    pair = view.pair
    if facts.interface is None:
        return "unknown", f"none of its devices has its port's MAC address {node.port.mac}"
    if pair.name in facts.withdrawn:
        return "withdrawn", "its configuration is withdrawn: the file is moved aside"
    if pair.name not in facts.pair_files:
        return "missing", "its configuration is missing"
    peers = tuple(peer.address for peer in view.members if peer is not node)
    if len(view.nodes) < len(pair.members):
        named = peers_there(pair.name, facts)
        # The address of the one that is gone is known from this file alone.
        if len(named) != len(pair.members) - 1 or not set(peers) < set(named):
            return "differs", f"its configuration differs: {pair_path(pair.name)}"
        peers = named
    kept = replace(pair, checks=service.checks_of(facts.pair_files[pair.name]))
    wanted = node_config(kept, facts, member_index=pair.members.index(member), source=node.address, peers=peers)
    ill = ill_kept(wanted, facts)
    differing = [f"{path} (its mode or owner)" if path in ill else path for path in differences(wanted, facts)]
    return ("differs", f"its configuration differs: {', '.join(differing)}") if differing else ("ok", None)


def _config_troubles(row: NodeStatus, words: str | None, facts: NodeFacts, helps: _Remedies) -> Iterator[Trouble]:
    mend = helps.mend
    if words is not None:
        yield Trouble("config", row.name, words, helps.files)
    if facts.pending:
        yield Trouble("reload", row.name, "keepalived was not told of its last change of configuration", mend)
    if facts.keepalived is None:
        yield Trouble("keepalived", row.name, "keepalived is not installed", mend)
    elif not row.keepalived_running:
        yield Trouble("keepalived", row.name, "keepalived does not run", mend)
    elif not facts.daemon_enabled:
        yield Trouble("not-enabled", row.name, "keepalived would not start when the node boots", mend, grave=False)


def _test_troubles(row: NodeStatus, pair: Pair, facts: NodeFacts) -> Iterator[Trouble]:
    undo = f"haos failover-test --restore {pair.name}"
    if facts.fault is not None:
        words = f"fault {facts.fault} is in force there: a failover-test is at work, or died"
        yield Trouble("fault", row.name, f"{words}; the node ends it by itself", undo)
    elif facts.tested:
        yield Trouble("tested", row.name, "a failover-test is at work there, or died", undo, grave=False)


def _weight_troubles(row: NodeStatus, pair: Pair, facts: NodeFacts) -> Iterator[Trouble]:
    if weight := facts.weights.get(pair.name):
        yield Trouble(
            "switchover",
            row.name,
            f"a switchover was broken off, or is under way: its priority counts {weight:+} there",
            f"haos switchover {pair.name} goes on from there",
            grave=False,
        )


def _role_troubles(row: NodeStatus, pair: Pair, mend: str) -> Iterator[Trouble]:
    if not row.keepalived_running or row.config in ("missing", "withdrawn"):
        if row.holds_vip:
            yield Trouble(
                "left-over", row.name, f"it holds {pair.vip}, though keepalived does not answer for it", mend
            )
        return
    waits_in_fault = pair.timing.bfd and row.role is Role.FAULT
    if row.role not in (Role.ACTIVE, Role.BACKUP) and not waits_in_fault:
        yield Trouble("role", row.name, f"its role is {row.role}", f"on {row.name}: journalctl -u keepalived")
    elif row.holds_vip != (row.role is Role.ACTIVE):
        held = "holds" if row.holds_vip else "does not hold"
        yield Trouble("vip", row.name, f"it is {row.role} and {held} the VIP", mend)


def _record_troubles(view: CloudView, looks: Mapping[str, NodeView | Silent]) -> Iterator[Trouble]:
    """Say where the nodes' own files, which are root's, contradict what anybody in the project may edit."""
    pair, seen = view.pair, {port_id: look.facts for port_id, look in looks.items() if isinstance(look, NodeView)}
    facts = {node.name: seen[port_id] for port_id, node in view.nodes.items() if port_id in seen}
    found = doubts(pair, facts, names_on(view.nodes.values()), view.ports)
    helps = remedy(pair, facts, view.nodes.values(), view.ports)
    if found:
        yield Trouble("record", "", in_words(pair, found), helps)
    elif unsure := unsure_of(pair, facts, view.nodes):
        yield Trouble("record", "", unsure, helps, grave=False)


def _pair_troubles(view: CloudView, rows: tuple[NodeStatus, ...]) -> Iterator[Trouble]:
    roles = [row.role for row in rows]
    names = {port_id: node.name for port_id, node in view.nodes.items()}
    for words in naming(view.pair, view.reservation, names):
        yield Trouble("fault-pending", "", words, restore_hint(view.pair))
    if exchange := goes_on(view.pair, names):
        yield Trouble("replacement", "", *exchange, grave=False)
    active = [row.name for row in rows if row.role is Role.ACTIVE]
    waiting = (Role.BACKUP, Role.FAULT) if view.pair.timing.bfd else (Role.BACKUP,)
    if len(active) > 1:
        yield Trouble("dual-active", "", f"{' and '.join(active)} are both Active")
    elif not active and Role.UNKNOWN not in roles:
        yield Trouble("no-active", "", "no node is Active")
    elif not active and any(role is not Role.UNKNOWN for role in roles):
        yield Trouble("no-active", "", "no node that answers is Active")
    if active and not any(role in waiting for role in roles):
        yield Trouble("no-backup", "", f"no Backup is ready to take over from {active[0]}")
    hosts = [node.instance.host_id for node in view.members if node.instance.host_id]
    if len(set(hosts)) < len(hosts):
        yield Trouble(
            "same-hypervisor",
            "",
            "two nodes run on one hypervisor: if it dies, so does the VIP",
            "put them into a server group with policy anti-affinity when they are next built",
            grave=False,
        )


def _group_troubles(view: CloudView, mend: str) -> Iterator[Trouble]:
    """Find what is not as it was made with the pair's own group; other groups may let its packets pass as well."""
    pair = view.pair
    own = next((group for group in view.groups if group.description == group_mark(pair.reservation_id)), None)
    for node in view.members:
        carries = own is not None and own.id in node.port.group_ids
        recorded = any(one.port_id == node.port.id and Added.GROUP in one.added for one in pair.members)
        if recorded and node.port.port_security and not carries:
            reason = "its port does not carry the pair's own security group"
            yield Trouble("security-group", node.name, reason, mend, grave=False)
    if own is not None and len(view.nodes) == len(pair.members):
        wanted = pair_rules([node.address for node in view.members], bfd=pair.timing.bfd)
        if not same_rules(own.rules, wanted):
            reason = f"security group {own.name} has not exactly the rules that it was made with"
            yield Trouble("security-group", "", reason, mend, grave=False)


def _floating_troubles(view: CloudView, mend: str) -> Iterator[Trouble]:
    pair = view.pair
    lost = drift(pair.floating, pair.reservation_id, view.floating)
    if lost is not None:
        mine = own_of(pair.floating, pair.reservation_id, view.floating)
        free = mine is not None and mine.port_id is None
        yield Trouble("floating-ip", "", lost, mend if free else f"{create_command(view)} --floating-ip")
