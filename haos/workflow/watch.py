"""`haos status --watch`: look again and again over kept connections, and tell what changes. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from haos.core.events import Event, changes
from haos.core.model import Instance, Node, Pair
from haos.core.power import may_answer
from haos.core.probe import History
from haos.core.status import CloudView, NodeView, PairStatus, Silent, Trouble
from haos.core.troubles import judge_pair, macs_of_nodes
from haos.errors import HaosError
from haos.workflow.context import Context
from haos.workflow.errands import Errands
from haos.workflow.lookout import AGAIN_S, UNSEEN, Lookout
from haos.workflow.status import LOOK_S, as_look, find_watcher, look_at_cloud, look_at_node

CLOUD_S = 10.0
"""The cloud is asked no more often, nor a node for its files."""
TICK_S = 0.1
SILENT_S = 5.0
"""Who does not answer for so long is shown as silent, while it is still being asked."""
BEHIND_S = 3.0
"""So long after something changed all others are given to say what they see now: until then nothing is compared."""
_CLOUD = "cloud"


@dataclass(frozen=True)
class Frame:
    """The pair as it is now, and what happened since the frame before."""

    status: PairStatus
    now_s: float  # on the clock of the events
    events: tuple[Event, ...] = ()
    history: History | None = None  # of the observer's probe run


def watch(
    name: str | None, observer_ref: str | None, ctx: Context, *, every_s: float
) -> Generator[Frame, None, None]:
    """Yield a frame every TICK_S or two until closed. Raises what status does, but before the first one only."""
    with ctx.progress.step("look at the cloud"):
        view = look_at_cloud(name, ctx)
        watcher = find_watcher(observer_ref, {port.device_id for port in view.ports}, view.nodes, ctx)
    post = _Post(name or view.pair.name, view, watcher, observer_ref, every_s, ctx)
    try:
        with ctx.progress.step("look at the nodes" + (f", and from {watcher.name}" if watcher else "")):
            post.begin()
        while True:
            yield post.frame()
            ctx.clock.sleep(TICK_S)
            post.turn(TICK_S)
    finally:
        post.leave()


class _Post:
    """Where somebody stands who watches: what was seen last of each, and when to look again."""

    def __init__(
        self,
        name: str,
        view: CloudView,
        watcher: Instance | None,
        observer_ref: str | None,
        every_s: float,
        ctx: Context,
    ) -> None:
        self._name = name
        self._view = view
        self._observer_ref = observer_ref
        self._every_s = every_s
        self._ctx = ctx
        self._errands = Errands()
        self._lookout = Lookout(watcher, view.pair.vip, self._errands, ctx) if watcher else None
        self._due_s: dict[str, float] = {_CLOUD: ctx.clock.now_s() + CLOUD_S}
        self._begun_s: dict[str, float] = {}  # key -> when it was last asked
        self._looked_s: dict[str, float] = {}  # port id -> when it was asked what it said last
        self._whole_s: dict[str, float] = {}  # port id -> when to look at its files again
        self._looks: dict[str, NodeView | Silent] = {}
        self._cloud_error: HaosError | None = None
        self._shown: Mapping[str, NodeView | Silent] = {}  # what was last compared
        self._moved_s = float("-inf")  # when something last changed
        self._last: PairStatus | None = None

    def begin(self) -> None:
        """Look at everything for the first time, for a bounded time."""
        self.turn(LOOK_S)
        if self._lookout is not None:
            self._lookout.settle()

    def turn(self, patience_s: float) -> None:
        """Begin what is due, and take in what has ended within that time."""
        self._send(_CLOUD, CLOUD_S, lambda: look_at_cloud(self._name, self._ctx))
        for port_id, node in self._view.nodes.items():
            if may_answer(node.instance):
                self._send(port_id, self._every_s, partial(self._look, node, self._view.pair))
        if self._lookout is not None:
            self._lookout.send_out()
        self._errands.wait(patience_s)
        for key, result in self._errands.take():
            self._take(key, result)

    def frame(self) -> Frame:
        """Judge what was seen, and say what has changed."""
        now_s = self._ctx.clock.now_s()
        events = self._follow(now_s)
        behind = self._is_behind(now_s)
        if not behind:
            self._shown = self._now(now_s)
        seen = self._lookout.observation(behind=behind) if self._lookout is not None else None
        status = judge_pair(self._view, self._shown, seen, observer_ref=self._observer_ref)
        if (error := self._cloud_error) is not None:
            old = Trouble("cloud", "", f"the cloud did not answer: {error}", error.hint, grave=False)
            status = replace(status, troubles=(*status.troubles, old))
        if self._last is not None:
            events += changes(self._last, status, now_s)
        self._last = status
        return Frame(status, now_s, tuple(events), self._lookout.history if self._lookout else None)

    def leave(self) -> None:
        """End what goes on at the observer; the connections are the fleet's."""
        if self._lookout is not None:
            self._lookout.leave()

    def _send(self, key: str, every_s: float, work: Callable[[], object]) -> None:
        now_s = self._ctx.clock.now_s()
        if now_s >= self._due_s.get(key, 0.0) and not self._errands.under_way(key):
            self._due_s[key], self._begun_s[key] = now_s + every_s, now_s
            self._errands.start(key, work)

    def _look(self, node: Node, pair: Pair) -> NodeView:
        """Ask a node for its own view; now and then, and where that has changed, for its files too."""
        port_id, now_s = node.port.id, self._ctx.clock.now_s()
        before = self._looks.get(port_id)
        if isinstance(before, NodeView) and now_s < self._whole_s[port_id]:
            sight = self._ctx.fleet.node(node.instance).sight(pair.name, pair.vip)
            if sight == before.sight:
                return before
        self._whole_s[port_id] = now_s + CLOUD_S
        return look_at_node(pair, node, self._ctx)

    def _take(self, key: object, result: object) -> None:
        if isinstance(key, Lookout):
            key.take(result)
        elif key == _CLOUD:
            self._cloud_error = result if isinstance(result, HaosError) else None
            if isinstance(result, CloudView):
                self._view = result
                if self._lookout is not None:
                    self._lookout.aim(result.pair.vip)
        elif isinstance(key, str):
            before, self._looks[key] = self._looks.get(key), as_look(result)  # type: ignore[arg-type]
            self._looked_s[key] = self._begun_s[key]
            if isinstance(result, HaosError):
                self._due_s[key] = max(self._due_s[key], self._ctx.clock.now_s() + AGAIN_S)
            if isinstance(result, NodeView) and isinstance(before, NodeView) and result.sight != before.sight:
                self._ask_all(self._looked_s[key])

    def _follow(self, now_s: float) -> list[Event]:
        """Return what the observer saw; where that is more than a gap, all are asked at once."""
        if self._lookout is None:
            return []
        active = self._last.active if self._last is not None else None
        events = self._lookout.follow(macs_of_nodes(self._view, active), now_s)
        if any(event.kind != "outage" for event in events):
            self._ask_all(now_s)
        return events

    def _ask_all(self, moved_s: float) -> None:
        """Something changed: let every node say what it sees since then."""
        self._moved_s = max(self._moved_s, moved_s)
        for port_id in self._view.nodes:
            if self._begun_s.get(port_id, moved_s) < moved_s:
                self._due_s[port_id] = moved_s

    def _is_behind(self, now_s: float) -> bool:
        """Say whether some node has not been heard since something changed, and may be in a moment."""
        heard = all(self._looked_s.get(port_id, now_s) >= self._moved_s for port_id in self._view.nodes)
        return not heard and now_s - self._moved_s < BEHIND_S

    def _now(self, now_s: float) -> Mapping[str, NodeView | Silent]:
        """Return what each node said last; one that is being asked for long is silent."""
        looks = {
            port_id: self._looks.get(port_id, UNSEEN) if may_answer(node.instance) else UNSEEN
            for port_id, node in self._view.nodes.items()
        }
        for port_id, look in looks.items():
            late = now_s - self._begun_s.get(port_id, now_s) >= SILENT_S
            if late and self._errands.under_way(port_id) and (look is UNSEEN or isinstance(look, NodeView)):
                looks[port_id] = Silent(f"it has not answered for {SILENT_S:g} s")
        return looks
