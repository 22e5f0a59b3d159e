"""One fault on the Active node, seen from the observer: inject, take-over, restore, failback."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from haos.core import vrrp
from haos.core.leg import Leg
from haos.core.model import Mode, Node, Pair, Role, virtual_mac
from haos.core.node import Sight
from haos.core.outage import Verdict, blind_s, in_a_row, judge, worst_outage
from haos.core.probe import History
from haos.errors import LeftoverError, RemoteError
from haos.workflow.context import Context, Probe
from haos.workflow.faults import Fault
from haos.workflow.parallel import for_each
from haos.workflow.peers import not_seen_by_peers

PROBE_INTERVAL_S = 0.01
SETTLED_ECHOES = 20
"""So many answers in a row, all from the expected node, end a transition."""
SETTLE_TIMEOUT_S = 10.0
POLL_S = 0.1
HEAL_AFTER_S = 60.0
"""So long a fault lasts if haos cannot end it."""
RESTORE_ATTEMPTS = 5
RESTORE_PAUSE_S = 2.0


def await_one_active(pair: Pair, nodes: Sequence[Node], ctx: Context) -> tuple[Node | None, dict[str, Sight]]:
    """Wait until exactly one node is Active and holds the VIP: the preferred one, if its preempt delay lets it.

    Returns (the Active node or None at the deadline, every node's own view by name).
    """
    timing = pair.timing
    deadline_s = ctx.clock.now_s() + timing.preempt_delay_s + 6 * timing.advertisement_interval_s + SETTLE_TIMEOUT_S
    while True:
        sights = sights_of(pair, nodes, ctx)
        active = one_active(nodes, sights)
        late = ctx.clock.now_s() >= deadline_s
        settled = active is nodes[0] or not timing.preempt or not sights[nodes[0].name].daemon_active
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


def run_trial(
    fault: Fault, pair: Pair, nodes: Sequence[Node], active: Node, probe: Probe | None, ctx: Context
) -> tuple[Leg, ...]:
    """Inject the fault on the Active node, wait for the take-over, restore, wait for the failback.

    Without preemption there is no failback: the same fault on the new Active node brings the VIP back. A node is
    restored whatever happens, Ctrl-C included.
    """
    if pair.timing.preempt:
        return _inject(fault, pair, nodes, active, probe, ctx)
    over, *_ = _inject(fault, pair, nodes, active, probe, ctx)
    holder, sights = await_one_active(pair, nodes, ctx)
    if holder is None or holder.name != over.target or not backup_ready(pair, sights):
        return (over,)
    return over, *_inject(fault, pair, nodes, holder, probe, ctx)


def _inject(
    fault: Fault, pair: Pair, nodes: Sequence[Node], active: Node, probe: Probe | None, ctx: Context
) -> tuple[Leg, ...]:
    agent = ctx.fleet.node(active.instance)
    others = [node for node in nodes if node is not active]
    backups = [member.priority for member in pair.members if member.port_id != active.port.id]
    restored = False

    def inject() -> None:
        interface = agent.facts(active.port.mac).interface or ""
        agent.inject(fault.order(pair, interface, heal_after_s=HEAL_AFTER_S))

    def restore() -> None:
        nonlocal restored
        agent.heal()
        restored = True

    try:
        with ctx.progress.step(f"{fault.name} on {active.name}"):
            bound_s = fault.bound_s(pair.timing, backups)
            over = _leg(fault.name, inject, active, others, bound_s, pair, nodes, probe, ctx)
        if not pair.timing.preempt:
            return (over,)
        holder = next((node for node in others if node.name == over.target), active)
        with ctx.progress.step(f"failback to {active.name}"):
            return over, _leg("failback", restore, holder, [active], _failback_s(pair), pair, nodes, probe, ctx)
    finally:
        if not restored:
            _restore(fault, pair, active, ctx)


def _failback_s(pair: Pair) -> float:
    """Return the bound of a failback: what VRRP predicts, and two probes for the switch of ARP entries."""
    preferred = max(member.priority for member in pair.members)
    return vrrp.bound_of_failback_s(pair.timing, preferred) + 2 * PROBE_INTERVAL_S


def _restore(fault: Fault, pair: Pair, node: Node, ctx: Context) -> None:
    """Restore a node after a trial that broke off; one that cannot be restored is said, whatever else went wrong."""
    for left in reversed(range(RESTORE_ATTEMPTS)):
        try:
            ctx.fleet.node(node.instance).heal()
            return
        except RemoteError as error:
            if not left:
                raise LeftoverError(
                    f"{node.name} was left without its part in pair {pair.name} (fault {fault.name}): {error}",
                    hint=f"the haos create that made the pair puts it right; haos status {pair.name} shows it",
                ) from error
            ctx.clock.sleep(RESTORE_PAUSE_S)


def _leg(
    label: str,
    act: Callable[[], None],
    origin: Node,
    targets: Sequence[Node],
    bound_s: float,
    pair: Pair,
    nodes: Sequence[Node],
    probe: Probe | None,
    ctx: Context,
) -> Leg:
    timeout_s = SETTLE_TIMEOUT_S + pair.timing.preempt_delay_s + bound_s
    if probe is not None:
        probe.mark(label)
    act()
    target = _await_target(targets, pair, nodes, timeout_s, ctx)
    names = (origin.name, target.name if target else "nobody")
    if probe is None:
        return _leg_without_probe(label, names, bound_s, target, timeout_s, pair, nodes, ctx)
    macs = macs_of(target, pair) if target else set()
    settled = target is not None and probe.wait(lambda history: has_settled(history, label, macs), timeout_s)
    return _judge_leg(label, names, bound_s, probe.history(), settled, macs)


def _leg_without_probe(
    label: str,
    names: tuple[str, str],
    bound_s: float,
    target: Node | None,
    timeout_s: float,
    pair: Pair,
    nodes: Sequence[Node],
    ctx: Context,
) -> Leg:
    if target is None:
        reason = f"nobody took over in {timeout_s:.0f} s"
        return Leg(label, *names, bound_s, None, Verdict.FAIL, reason)
    wrong = not_seen_by_peers(target, macs_of(target, pair), pair, nodes, ctx)
    if wrong is not None:
        return Leg(label, *names, bound_s, None, Verdict.FAIL, wrong, unheard=True)
    reason = "no observer: nobody saw from outside how long the VIP was gone"
    return Leg(label, *names, bound_s, None, Verdict.UNKNOWN, reason)


def _judge_leg(
    label: str, names: tuple[str, str], bound_s: float, history: History, settled: bool, macs: set[str]
) -> Leg:
    marks = [mark for mark in history.marks if mark.label == label]
    start_s = marks[-1].at_s - marks[-1].error_s if marks else history.now_s
    outage = worst_outage(history, start_s - 2 * PROBE_INTERVAL_S, history.now_s)
    verdict, reason = judge(outage, bound_s + vrrp.MARGIN_S, history)
    if verdict is Verdict.PASS and (blind := blind_s(history, start_s, history.now_s)) > bound_s + vrrp.MARGIN_S:
        verdict, reason = Verdict.UNKNOWN, f"the observer itself sent nothing for {blind:.3f} s"
    unheard = False
    if verdict is not Verdict.UNKNOWN and not macs:
        verdict, reason = Verdict.FAIL, "no other node turned Active"
    elif verdict is not Verdict.UNKNOWN and not settled:
        unheard = not any(echo.responder in macs for echo in history.echoes if echo.sent_s > start_s)
        asked = [mac for ask in history.asks[-5:] for mac in ask.answers]
        led = f"; asked who has it, the network names {asked[-1]}" if asked and unheard else ""
        verdict, reason = Verdict.FAIL, f"the observer is not answered by {names[1]} alone{led}"
    return Leg(label, *names, bound_s, outage, verdict, reason, history, start_s, unheard)


def _await_target(
    targets: Sequence[Node], pair: Pair, nodes: Sequence[Node], timeout_s: float, ctx: Context
) -> Node | None:
    deadline_s = ctx.clock.now_s() + timeout_s
    while ctx.clock.now_s() < deadline_s:
        try:
            active = one_active(nodes, sights_of(pair, nodes, ctx))
        except RemoteError:
            active = None
        if active in targets:
            return active
        ctx.clock.sleep(POLL_S)
    return None


def has_settled(history: History, label: str, macs: set[str]) -> bool:
    """Say whether, since the mark, the VIP is answered steadily and by the expected node alone.

    Both to a client with an old neighbour entry (echoes) and to one with none (asks).
    """
    since_s = next((mark.at_s for mark in reversed(history.marks) if mark.label == label), None)
    if since_s is None:
        return False
    recent = in_a_row(history, SETTLED_ECHOES)
    if not recent or recent[0].sent_s <= since_s or any(echo.responder not in (None, *macs) for echo in recent):
        return False
    fresh = [ask for ask in history.asks[-5:] if ask.sent_s >= recent[0].sent_s and ask.answers]
    return not history.asks or (bool(fresh) and set(fresh[-1].answers) <= macs)
