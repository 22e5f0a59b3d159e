"""Kill haos at every point of a command, and prove of every state that this leaves that nothing is lost in it.

haos promises that the cloud and the nodes are its only state. So what follows a crash depends on nothing but the
state that it left: one that was proven from an earlier point is not proven again, only counted. What is kept on this
machine is wiped before every other re-run, to hold haos to that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from tests.crash.bench import KILLED, Bench, Ended, Point
from tests.crash.flows import TEARDOWN, Flow, Place, Way
from tests.crash.state import State, key_of

SIDE_BY_SIDE = 4
"""How many runs are killed at once where nothing was changed yet: most of their time is waiting."""
ATTEMPTS = 2
"""How often a state that came once is looked for again. It may not come: nodes are worked on side by side, and a
script whose haos is gone ends at its next word."""


@dataclass
class Tally:
    """What was found, in numbers."""

    flow: str
    effects: int = 0
    points: int = 0
    harmless: int = 0
    missed: int = 0
    states: int = 0
    once: int = 0
    reruns: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        reruns = ", ".join(f"{count} x {name}" for name, count in self.reruns.items())
        missed = f" ({self.missed} more moments did not come again)" if self.missed else ""
        return (
            f"{self.flow}: {self.effects} effects, killed at {self.points} points{missed}; {self.harmless} had "
            f"changed nothing, the others left {self.states} different states ({self.once} of them once, and proven "
            f"in one way); re-runs: {reruns or 'none'}; "
            f"{len(self.differences)} differences"
        )


class Enumeration:
    """One flow on one bench."""

    def __init__(self, flow: Flow, bench: Bench) -> None:
        """Look at the lab as it is, which is where everything must come back to."""
        self.flow, self.bench = flow, bench
        self.tally = Tally(flow.name)
        self._states: dict[Place, State] = {Place.BARE: bench.steady()}
        self._at: Place | None = Place.BARE
        self._proven: dict[State, set[str]] = {}
        self._first: dict[State, Point] = {}
        self._took_s = 0.0  # the command, undisturbed

    def run(self, *, every: int = 1) -> Tally:
        """Enumerate; `every` takes one point of so many, the last one always."""
        points = self._undisturbed()
        points = [point for index, point in enumerate(reversed(points)) if index % every == 0][::-1]
        rest = self._harmless(points)
        for point in rest:
            self._prove_from(point)
        for key, point in list(self._first.items()):
            for _ in range(ATTEMPTS):
                if missing := self._missing(key):
                    self._prove_from(point, again=missing[0])
        self.tally.once = sum(bool(self._missing(key)) for key in self._proven)
        self.tally.states = len(self._proven)
        self._go(Place.BARE)
        return self.tally

    def _undisturbed(self) -> list[Point]:
        """Let the command run to its end, and return every moment that it went through."""
        self._setup()
        ended = self._command(self.flow.command)
        self._states[Place.DONE] = self._states[Place.BARE] if self.flow.ends_bare else self.bench.steady()
        self._at = Place.DONE
        if self.flow.ends_bare:
            self._note(self.bench.becomes(self._states[Place.BARE]), "undisturbed")
        self.tally.effects = len({each.effect for each in ended.reached})
        self._took_s = ended.took_s
        return _points(ended)

    def _setup(self) -> None:
        for step in self.flow.setup:
            if callable(step):
                step(self.bench.lab)
            else:
                self._command(step)
        if Place.START not in self._states:
            self._states[Place.START] = self.bench.steady()
        else:
            self._note(self.bench.becomes(self._states[Place.START]), f"{self.flow.setup} from the bare lab")
        self._at = Place.START

    def _command(self, argv: Sequence[str]) -> Ended:
        ended = self.bench.run(argv)
        assert ended.code == 0, f"haos {' '.join(argv)} ended with {ended.code}:\n{ended.output}"
        return ended

    def _go(self, place: Place) -> None:
        """Come to a known state from wherever the lab is."""
        if self._is_at(place):
            return
        if not self._is_at(Place.BARE):
            self.bench.run(TEARDOWN)
            left = self.bench.becomes(self._states[Place.BARE])
            assert not left, f"the lab is not as it was, and nothing more can be said of it:\n{left}"
            self._at = Place.BARE
        if place is Place.START and not self._is_at(Place.START):
            self._setup()

    def _is_at(self, place: Place) -> bool:
        return self._at is not None and self._states[self._at] == self._states[place]

    def _harmless(self, points: list[Point]) -> list[Point]:
        """Kill at all points up to which nothing is changed, many at once; return those that are left."""
        low, high, alone = 0, len(points), set[int]()
        while high - low > SIDE_BY_SIDE:
            middle = (low + high) // 2
            alone.add(middle)
            low, high = (middle, high) if self._prove_from(points[middle]) else (low, middle)
        together = [index for index in range(low) if index not in alone]
        for batch in _batches(together, SIDE_BY_SIDE):
            alone.update(self._many([points[index] for index in batch], batch))
        return [point for index, point in enumerate(points) if index not in alone]

    def _many(self, points: Sequence[Point], indices: Iterable[int]) -> Iterable[int]:
        self._go(Place.START)
        with ThreadPoolExecutor(len(points)) as pool:
            killed = list(pool.map(self._kill, points))
        if not all(killed) or self.bench.look() != self._before():
            self._at = None
            return ()
        self.tally.points += len(points)
        self.tally.harmless += len(points)
        return indices

    def _before(self) -> State:
        return frozenset(line for line in self._states[Place.START] if ": daemon " not in line)

    def _kill(self, point: Point) -> bool:
        """Kill the command at a point; return whether that came: what waits does not look equally often."""
        ended = self.bench.run(self.flow.command, kill=point)
        assert ended.code in (KILLED, 0), f"not killed {point}, it ended with {ended.code}:\n{ended.output}"
        self.tally.missed += ended.code == 0
        return ended.code == KILLED

    def _prove_from(self, point: Point, *, again: Way | None = None) -> bool:
        """Kill there and go on from the state that this leaves; return whether nothing had been changed.

        A state that is known is left by the way that is still to be proven from it, else by the shortest. `again` is
        the way to take from a state that is new, where an earlier one of this point is looked for.
        """
        self._go(Place.START)
        if not self._kill(point):
            self._note(self.bench.becomes(self._states[Place.DONE]), f"not killed {point}")
            self._at = Place.DONE
            return False
        state = self.bench.look()
        self._at = None
        self.tally.points += again is None
        if state == self._before():
            self._at = Place.START
            self.tally.harmless += again is None
            return True
        key = key_of(state)
        if again is None:
            self._first.setdefault(key, point)
        done = self._proven.setdefault(key, set())
        way = again if again and not done else self._next(done)
        self._take(way, point)
        done.add(way.name)
        return False

    def _next(self, done: set[str]) -> Way:
        return min(
            self.flow.ways, key=lambda one: (one.name in done, one.ends != Place.START, one.ends != Place.BARE)
        )

    def _take(self, way: Way, point: object) -> None:
        ended = self.bench.run(way.argv)
        left = self.bench.becomes(self._states[way.ends])
        self.tally.reruns[way.name] = self.tally.reruns.get(way.name, 0) + 1
        # Of a pair that was gone already teardown says that there is none.
        if left or (ended.code != 0 and way.argv != TEARDOWN):
            self._note(f"{left}\nexit code {ended.code}:\n{ended.output}", f"{point}, then {way.name}")
        else:
            self._at = way.ends

    def _missing(self, key: State) -> list[Way]:
        return [way for way in self.flow.ways if way.name not in self._proven[key]]

    def _note(self, left: str, where: str) -> None:
        if left:
            self.tally.differences.append(f"{self.flow.name} {where}: {left}")


def _points(ended: Ended) -> list[Point]:
    """Return every moment in the order of the run; a script is also killed amid its work."""
    points: list[Point] = []
    for each in ended.reached:
        if each.moment == "after" and each.effect.startswith("ssh"):
            points.append(replace(each, moment="amid"))
        points.append(each)
    return points


def _batches(items: Sequence[int], size: int) -> Iterable[Sequence[int]]:
    return (items[start : start + size] for start in range(0, len(items), size))
