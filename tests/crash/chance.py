"""Kill haos at random times, several times in a row, and see that one undisturbed command puts all of it right."""

from __future__ import annotations

import random
from collections import Counter

from tests.crash.bench import KILLED, Bench
from tests.crash.enumeration import Enumeration
from tests.crash.flows import Flow, Place

LONGEST_CHAIN = 3
"""How many runs in a row are killed at most."""


class Chances(Enumeration):
    """One flow on one bench, killed when it so happens."""

    def __init__(self, flow: Flow, bench: Bench, seed: int) -> None:
        """`seed` makes the times and what is run the same again; where haos is by then no seed can say."""
        super().__init__(flow, bench)
        self._random = random.Random(seed)  # noqa: S311 - no secret depends on it
        self._kills: Counter[int] = Counter()

    def chains(self, times: int) -> str:
        """Run so many chains of kills, each ended by one undisturbed command; return the numbers."""
        self._undisturbed()
        for number in range(times):
            self._go(Place.START)
            self._at = None
            said = self._chain()
            self._take(self._random.choice(self.flow.ways), f"chain {number} ({said})")
        self._go(Place.BARE)
        kills = sum(length * count for length, count in self._kills.items())
        return (
            f"{self.flow.name} at random times: {times} chains of 1 to {LONGEST_CHAIN} runs, {kills} runs killed; "
            f"{len(self.tally.differences)} differences"
        )

    def _chain(self) -> str:
        killed, said = 0, []
        commands = [self.flow.command, *(way.argv for way in self.flow.ways)]
        for turn in range(self._random.randint(1, LONGEST_CHAIN)):
            argv = self._random.choice(commands) if turn else self.flow.command
            after_s = self._random.uniform(0.0, self._took_s)
            ended = self.bench.run(argv, after_s=after_s)
            killed += ended.code == KILLED
            said.append(f"{argv[0]} killed after {after_s:.2f} s" if ended.code == KILLED else f"{argv[0]} ended")
        self._kills[killed] += 1
        return ", ".join(said)
