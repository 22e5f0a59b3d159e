"""A stage on which several runs of haos are played at once, one step of one of them at a time.

Every request, every script and every pause of an actor is a step; between two steps anybody may be on. Who is, a
director says: so a run of the whole play can be repeated exactly. Time is the world's own, and passes as steps are
done; an actor who sleeps is not called before it is time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any, Protocol, cast

from haos.errors import HaosError
from haos.workflow.context import Context
from tests.fakes import FakeClock, World, context_of

STEP_S = 0.05
"""What a request or a script takes, of the world's time."""
WRITING_S = 0.1
"""So long a careless Neutron takes at the most between looking at a revision and writing: two other requests."""
MOVE_S = 60.0
"""A step that takes longer of this machine's time hangs: that is a failure, too."""
MAX_STEPS = 20_000


class Director(Protocol):
    """Says who does the next step."""

    def choose(self, ready: Sequence[str]) -> str:
        """Return one of those who could go on."""


@dataclass
class Chance:
    """Chooses at random, the same at every repetition with that seed; a turn lasts some steps."""

    seed: int
    _random: random.Random = field(init=False)
    _now: str = ""
    _left: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - nothing secret hangs on it

    def choose(self, ready: Sequence[str]) -> str:
        """Return who is on now as long as its turn lasts, then anybody."""
        if self._now not in ready or self._left <= 0:
            self._now, self._left = self._random.choice(sorted(ready)), self._random.choice((1, 1, 2, 5, 15))
        self._left -= 1
        return self._now


@dataclass
class Turns:
    """Lets each do so many steps as is said, by turns; after that whoever is ready first goes on to its end."""

    turns: Sequence[tuple[str, int]]
    _done: int = 0
    _at: int = 0

    def choose(self, ready: Sequence[str]) -> str:
        """Return whose turn it is; one that ended, or sleeps, misses its turn."""
        while self._at < len(self.turns):
            who, steps = self.turns[self._at]
            if who in ready and self._done < steps:
                self._done += 1
                return who
            self._at, self._done = self._at + 1, 0
        return ready[0]


@dataclass
class Actor:
    """One run of haos, and how it ended."""

    name: str
    play: Callable[[Context], object]
    result: object = None
    error: BaseException | None = None
    steps: int = 0
    wakes_s: float = 0.0
    writes_by_s: float | None = None  # a request of its is half done, until then at the most
    ended: bool = False

    @property
    def failed(self) -> HaosError | None:
        """The expected error it ended with, if it did; anything else is a bug and raised."""
        if self.error is None or isinstance(self.error, HaosError):
            return self.error
        raise self.error


class StageClock(FakeClock):
    """The world's clock: an actor who sleeps lets others act."""

    stage: Stage

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        if self.stage.on is None:
            super().sleep(seconds)
        else:
            self.stage.pause(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass whoever is on."""
        super().sleep(seconds)


class Stage:
    """Plays actors on one world. Each has a thread; none runs but the one that is on."""

    def __init__(self, world: World, director: Director, takes_s: Mapping[str, float] | None = None) -> None:
        """`takes_s` says which steps, by their first word, take longer than others."""
        self.world = world
        self._takes_s = takes_s or {}
        self._doing = ""
        self.clock = StageClock(now=world.clock.now, due=world.clock.due)
        self.clock.stage = self
        world.clock = self.clock
        self.on: Actor | None = None
        self.log: list[str] = []
        self._director = director
        self._actors: dict[str, Actor] = {}
        self._changed = Condition()

    def add(self, name: str, play: Callable[[Context], object]) -> Actor:
        """Let somebody take part."""
        self._actors[name] = Actor(name, play)
        return self._actors[name]

    def run(self) -> None:
        """Play to the end. Raises AssertionError if it does not come."""
        threads = [Thread(target=self._act, args=[actor], daemon=True) for actor in self._actors.values()]
        for thread in threads:
            thread.start()
        for _ in range(MAX_STEPS):
            alive = [actor for actor in self._actors.values() if not actor.ended]
            if not alive:
                break
            self._move(self._next(alive))
        else:
            raise AssertionError(f"the play does not end: {self.log[-40:]}")
        for thread in threads:
            thread.join(MOVE_S)

    def _took_s(self, actor: Actor) -> float:
        """Return what the step took that was done last, if it was the actor's."""
        who, _, what = self._doing.partition(": ")
        self._doing = ""
        return self._takes_s.get(what.partition(" ")[0], STEP_S) if who == actor.name else STEP_S

    def _next(self, alive: Sequence[Actor]) -> Actor:
        earliest_s = min(actor.wakes_s for actor in alive)
        if earliest_s > self.clock.now:
            self.clock.advance(earliest_s - self.clock.now)
        for actor in alive:
            if actor.writes_by_s is not None and actor.writes_by_s <= self.clock.now:
                return actor
        ready = [actor.name for actor in alive if actor.wakes_s <= self.clock.now]
        return self._actors[self._director.choose(ready)]

    def _move(self, actor: Actor) -> None:
        with self._changed:
            self.on = actor
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self.on is None, MOVE_S):
                raise AssertionError(f"{actor.name} hangs after {self.log[-1:]}")
        self.clock.advance(self._took_s(actor))

    def _act(self, actor: Actor) -> None:
        self._wait_for(actor)
        try:
            actor.result = actor.play(staged(self.world, self))
        except BaseException as error:  # the test judges it
            actor.error = error
        with self._changed:
            actor.ended, self.on = True, None
            self._changed.notify_all()

    def step(self, what: str) -> None:
        """Let anybody act before this is done."""
        actor = self.on
        assert actor is not None, "only who is on acts"
        self._yield(actor)
        actor.steps += 1
        self._doing = f"{actor.name}: {what}"
        self.log.append(self._doing)

    def between(self, _: int, effect: str, when: str) -> None:
        """Let anybody act between what a request to a port was made from and its effect."""
        actor = self.on
        if actor is not None and effect.startswith("amend ") and when == "before":
            actor.writes_by_s = self.clock.now + WRITING_S
            self.step(f"write {effect}")
            actor.writes_by_s = None

    def pause(self, seconds: float) -> None:
        """Let others act for so long."""
        actor = self.on
        assert actor is not None, "only who is on acts"
        actor.wakes_s = self.clock.now + seconds
        self._yield(actor)

    def _yield(self, actor: Actor) -> None:
        with self._changed:
            self.on = None
            self._changed.notify_all()
        self._wait_for(actor)

    def _wait_for(self, actor: Actor) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.on is actor)


class Stepping:
    """Whatever is behind it, each of its methods a step."""

    def __init__(self, inner: object, stage: Stage, name: str) -> None:
        self._inner, self._stage, self._name = inner, stage, name

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._inner, attribute)
        if not callable(found) or attribute == "project_id":
            return found

        def step(*args: object, **options: object) -> object:
            self._stage.step(f"{attribute} {self._name}".strip())
            return found(*args, **options)

        return step


class SteppingFleet:
    """Gives out nodes each of whose scripts is a step."""

    def __init__(self, inner: Any, stage: Stage) -> None:
        self._inner, self._stage = inner, stage

    def node(self, instance: Any) -> Any:
        """Connect to a node."""
        return Stepping(self._inner.node(instance), self._stage, instance.name)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._inner, attribute)


def staged(world: World, stage: Stage) -> Context:
    """Return an actor's own view of the world."""
    plain = context_of(world)
    cloud, fleet = Stepping(plain.cloud, stage, ""), SteppingFleet(plain.fleet, stage)
    return Context(cast(Any, cloud), cast(Any, fleet), plain.clock, plain.progress, plain.guardian)


def one_switch(first: str, second: str, steps: int) -> Iterator[Turns]:
    """Yield every play in which `second` comes on once, after so many steps of `first`, and plays to its end."""
    for at in range(steps + 1):
        yield Turns([(first, at), (second, MAX_STEPS)])
