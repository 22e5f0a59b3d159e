"""What the workflows wait for: one Active node, a Backup that is ready, a VIP that the observer is answered from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from haos.core.model import Mode, Node, Pair, Role, virtual_mac
from haos.core.node import Sight
from haos.core.outage import in_a_row
from haos.core.probe import History
from haos.core.service_probe import is_well
from haos.errors import RemoteError
from haos.workflow.context import Context, Probe
from haos.workflow.parallel import for_each

PROBE_INTERVAL_S = 0.01
SETTLED_S = 0.2
"""Answers for so long, three at the least, all from the expected node, end a transition."""
SETTLED_ECHOES = 3
SETTLE_TIMEOUT_S = 10.0
ANSWER_TIMEOUT_S = 10.0
"""An address pair or a rule takes effect with delay on every backend (0.5 s on OVN, 2 s on OVS, measured)."""
POLL_S = 0.1
BOOT_TIMEOUT_S = 300.0
REACH_POLL_S = 0.2


def await_one_active(pair: Pair, nodes: Sequence[Node], ctx: Context) -> tuple[Node | None, dict[str, Sight]]:
    """Wait until exactly one node is Active and holds the VIP: the preferred one, if its preempt delay lets it.

    Returns (the Active node or None at the deadline, every node's own view by name).
    """
    timing, preferred = pair.timing, pair.by_preference(nodes)[0]
    deadline_s = ctx.clock.now_s() + timing.preempt_delay_s + 6 * timing.advertisement_interval_s + SETTLE_TIMEOUT_S
    while True:
        sights = sights_of(pair, nodes, ctx)
        active = one_active(nodes, sights)
        late = ctx.clock.now_s() >= deadline_s
        settled = active is preferred or not timing.preempt or not sights[preferred.name].daemon_active
        if active is not None and (late or (settled and backup_ready(pair, sights))):
            return active, sights
        if late:
            return None, sights
        ctx.clock.sleep(POLL_S)


def backup_ready(pair: Pair, sights: dict[str, Sight]) -> bool:
    """Say whether some node waits to take over; under BFD it does so in Fault."""
    waiting = {Role.BACKUP, Role.FAULT} if pair.timing.bfd else {Role.BACKUP}
    return any(sight.role in waiting and not sight.holds_vip for sight in sights.values())


def macs_of(node: Node, pair: Pair) -> set[str]:
    """Return the MACs by which a node answers for the VIP; in vmac mode the virtual one, in IP packets its own."""
    virtual = {virtual_mac(pair.vrid, pair.vip.version)} if pair.mode is Mode.VMAC else set()
    return {node.port.mac} | virtual


def own_names(nodes: Sequence[Node]) -> dict[str, str]:
    """Return MAC -> name of the node that answers by it alone."""
    return {node.port.mac: node.name for node in nodes}


def sights_of(pair: Pair, nodes: Sequence[Node], ctx: Context) -> dict[str, Sight]:
    """Ask every node for its own view, side by side."""

    def look(node: Node) -> Sight:
        agent = ctx.fleet.node(node.instance)
        return agent.sight(pair.name, pair.vip)

    return {node.name: sight for node, sight in for_each(nodes, look).items()}


def one_active(nodes: Sequence[Node], sights: dict[str, Sight]) -> Node | None:
    """Return the only node that is Active and the only one that holds the VIP, if they are one."""
    active = [node for node in nodes if sights[node.name].role is Role.ACTIVE]
    holding = [node for node in nodes if sights[node.name].holds_vip]
    return active[0] if len(active) == 1 and active == holding else None


def await_target(
    targets: Sequence[Node], pair: Pair, asked: Sequence[Node], timeout_s: float, ctx: Context
) -> Node | None:
    """Wait until one of the targets alone is Active among those who can be asked; None at the deadline."""
    deadline_s = ctx.clock.now_s() + timeout_s
    while ctx.clock.now_s() < deadline_s:
        try:
            active = one_active(asked, sights_of(pair, asked, ctx))
        except RemoteError:
            active = None
        if active in targets:
            return active
        ctx.clock.sleep(POLL_S)
    return None


def once_reachable(node: Node, act: Callable[[], object], timeout_s: float, ctx: Context) -> None:
    """Do it as soon as the node can be reached; the last RemoteError is raised at the deadline."""
    deadline_s = ctx.clock.now_s() + timeout_s
    while True:
        try:
            act()
        except RemoteError:
            if ctx.clock.now_s() >= deadline_s:
                raise
            ctx.fleet.renew(node.instance)
            ctx.clock.sleep(REACH_POLL_S)
        else:
            return


def await_login(node: Node, ctx: Context) -> None:
    """Wait until a node that was cut off, or boots, can be logged in to. Raises RemoteError after five minutes."""
    ctx.fleet.renew(node.instance)
    once_reachable(node, lambda: ctx.fleet.node(node.instance).wall_s(), BOOT_TIMEOUT_S, ctx)


def has_settled(history: History, label: str, macs: set[str]) -> bool:
    """Say whether, since the mark, the VIP is answered steadily and by the expected node alone.

    Both to a client with an old neighbour entry (echoes) and to one with none (asks).
    """
    since_s = next((mark.at_s for mark in reversed(history.marks) if mark.label == label), None)
    if since_s is None:
        return False
    recent = in_a_row(history, _enough(history))
    if not recent or recent[0].sent_s <= since_s or any(echo.responder not in (None, *macs) for echo in recent):
        return False
    fresh = [ask for ask in history.asks[-5:] if ask.sent_s >= recent[0].sent_s and ask.answers]
    return not history.asks or (bool(fresh) and set(fresh[-1].answers) <= macs)


def await_service(probe: Probe) -> None:
    """Wait until all that is asked of the service is well from now on, as long as a VIP that settles may take."""
    since_s = probe.history().now_s
    probe.wait(lambda history: is_well(history, since_s), SETTLE_TIMEOUT_S)


def is_answered(history: History) -> bool:
    """Say whether the last echoes were all answered, and the last fresh ARP request too."""
    fresh = not history.asks or any(ask.answers for ask in history.asks[-5:])
    return bool(in_a_row(history, _enough(history))) and fresh


def settled_s(interval_s: float) -> float:
    """Return how long it takes to see that a transition is over."""
    return max(SETTLED_S, SETTLED_ECHOES * interval_s)


def _enough(history: History) -> int:
    return max(SETTLED_ECHOES, round(SETTLED_S / history.interval_s))


def recent_responders(history: History) -> tuple[str, ...]:
    """Return every MAC that answered one of the last fresh ARP requests."""
    return tuple(mac for ask in history.asks[-5:] for mac in ask.answers)


def last_responder(history: History) -> str | None:
    """Return the MAC that answered last: a fresh ARP request's before an echo's."""
    for ask in reversed(history.asks):
        if ask.answers:
            return ask.answers[-1]
    return next((echo.responder for echo in reversed(history.echoes) if echo.responder), None)
