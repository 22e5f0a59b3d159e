"""What is run while the API stumbles, and what it must have come to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

from haos.core.changes import PortAmendment
from haos.core.floating import FloatingWish
from haos.core.node import Removal
from haos.errors import HaosError, StepError
from haos.view.console import Output, console_on
from haos.view.repair import show_repaired
from haos.view.style import Style
from haos.workflow.context import Context
from haos.workflow.create import create, prepare
from haos.workflow.repair import prepare as prepare_repair
from haos.workflow.repair import repair
from haos.workflow.request import CreateRequest
from haos.workflow.resolve import find_pair, pair_nodes
from haos.workflow.teardown import teardown
from tests.injection.bed import Bed, Command, Outcome, Row, State
from tests.injection.stumbles import WRITES, Stumble

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"), verify=False)


def creating(**options: Any) -> Command:
    """Return `haos create` of the howto's pair."""
    request = replace(HOWTO, **options)
    return lambda ctx: create(prepare(request, ctx), ctx, lambda _: None)


def tear_down(ctx: Context) -> object:
    """Run `haos teardown --purge`."""
    return teardown(None, purge=True, ctx=ctx)


def drift(ctx: Context) -> None:
    """Take away by hand what a pair stands on: address pair, rules, floating IP, package, files; a port is down."""
    pair, reservation = find_pair(ctx.cloud, None)
    nodes, _ = pair_nodes(ctx.cloud, pair)
    first, second = (nodes[member.port_id] for member in pair.members)
    [group] = ctx.cloud.groups_named(f"haos-{pair.name}")
    [floating] = (ip for ip in ctx.cloud.floating_ips() if ip.port_id == reservation.id)
    ctx.fleet.node(second.instance).remove(Removal(pair.name, pair.vip, None, purge_package=True))
    ctx.cloud.amend_port(first.port, PortAmendment(remove_pairs=first.port.pairs, remove_groups=(group.id,)))
    ctx.cloud.set_rules(group, ())
    ctx.cloud.release_floating_ip(floating)
    ctx.cloud.set_port_up(second.port.id, False)


class NotWhole(HaosError):
    """A repair that did not come to its end, with the command's own words and exit code."""

    def __init__(self, said: str, code: int) -> None:
        super().__init__(said)
        self.exit_code = code


def mend(ctx: Context) -> object:
    """Run `haos repair`."""
    repaired = repair(prepare_repair(None, None, ctx), ctx, lambda _: None)
    said = StringIO()
    code = show_repaired(repaired, Output(out=console_on(said), err=console_on(said)), Style())
    if code:
        raise NotWhole(said.getvalue(), code)
    return repaired


@dataclass(frozen=True)
class Flow:
    """A command, with what was run before it."""

    command: Command
    before: tuple[Command, ...] = ()
    fails_at: str = ""  # the effect on a node that fails while the API stumbles
    ends: bool = False  # once it has ended well nothing is left to run it for
    stays: bool = False  # what it has done stays where it fails, step by step
    one_in: int = 5  # of so many requests one is disturbed where not all are
    looks: bool = True  # False: what comes before its first write is what create does


FORGOTTEN_S = 120.0
"""So long after it nobody takes a run that ended amid its undoing for one that is still at it."""
CHANGE = creating(bfd=True, advertisement_interval_s=0.1)
FLOWS: dict[str, Flow] = {
    "create": Flow(creating()),
    "create --floating-ip": Flow(creating(floating=FloatingWish())),
    "create, proven": Flow(creating(verify=True), looks=False),
    "create, undone": Flow(creating(floating=FloatingWish()), (), "activate ha_second", looks=False),
    "change": Flow(CHANGE, (creating(),), looks=False),
    "change, undone": Flow(CHANGE, (creating(),), "activate ha_second", looks=False),
    "repair": Flow(mend, (creating(floating=FloatingWish()), drift), stays=True, one_in=20, looks=False),
    "teardown": Flow(tear_down, (creating(floating=FloatingWish()),), ends=True),
}


@dataclass(frozen=True)
class Result:
    """What came of one flow with one request disturbed."""

    number: int
    request: str
    outcome: Outcome
    wrong: tuple[str, ...]


class Trial:
    """One flow on one bed, run again and again with one request more disturbed each time."""

    def __init__(self, flow: Flow, bed: Bed) -> None:
        self._flow = flow
        self._bed = bed
        self._fails = False
        bed.world.effects.strike = self._strike
        self._original = bed.state()
        for command in flow.before:
            assert bed.run(command).code == 0
        self._start, self._back = bed.state(), bed.saved()
        self.usual = self._disturbed(None, 0)
        self.requests = tuple(bed.cloud.seen)
        self._end = named(bed.state(), self._original)
        self._whole = self._gone_on() if flow.fails_at else self._end
        assert flow.ends or bed.run(tear_down).code == 0
        assert (left := differences(self._original, bed.state())) == [], left

    def run(
        self, stumble: Stumble, *, only: Callable[[str, str], bool] = lambda *_: True, sample: slice = slice(None)
    ) -> Iterator[Result]:
        """Disturb each request that can be and that is wanted, by method and path; or a sample of those."""
        first = next(number for number, (method, path) in enumerate(self.requests) if is_write(method, path))
        wanted = [
            (number, f"{method} {path}")
            for number, (method, path) in enumerate(self.requests, start=1)
            if (self._flow.looks or number > first) and stumble.meets(method, path) and only(method, path)
        ]
        for number, request in wanted[sample]:
            self._back()
            outcome = self._disturbed(stumble, number)
            wrong = [*self._judged(outcome, stumble), *self._repeated(outcome)]
            yield Result(number, request, outcome, tuple(wrong))

    def _strike(self, _: int, name: str, when: str) -> None:
        if self._fails and (name, when) == (self._flow.fails_at, "before"):
            raise StepError(f"{name}: so it is")

    def _disturbed(self, stumble: Stumble | None, number: int) -> Outcome:
        self._fails = True
        try:
            tamper = stumble.at(number) if stumble else None
            return self._bed.run(self._flow.command, tamper, number if stumble and stumble.stalls else None)
        finally:
            self._fails = False

    def _gone_on(self) -> State:
        """Return what the command makes where nothing fails."""
        outcome = self._bed.run(self._flow.command)
        assert outcome.code == 0, outcome
        return named(self._bed.state(), self._original)

    def _judged(self, outcome: Outcome, stumble: Stumble) -> Iterator[str]:
        """Say what is wrong with how the disturbed command ended."""
        now = self._bed.state()
        if stumble.patience and outcome.code != self.usual.code:
            yield "patience would have been enough"
        if outcome.code == 0:
            # The record may not say yet that the pair is proven: that is told, and the next run writes it.
            yield from differences(unproven(self._end), unproven(named(now, self._original)))
        elif outcome.code in (1, 5, 6) and self._flow.stays:
            if outcome.code != 6:
                yield from differences(self._start, now)
            yield from self._astray(now)
        elif outcome.code in (1, 5):
            # An API that does not come back lets nobody take the mark of a teardown away; it passes by itself.
            start, now = (unmarked(self._start), unmarked(now)) if stumble.lasting else (self._start, now)
            yield from differences(start, now)
        elif outcome.code == 6:
            clean = self._original if self._flow.ends else self._start
            yield from (f"not listed: {line}" for line in unlisted(clean, now, outcome.said))
        else:
            yield "no exit code for it"

    def _astray(self, now: State) -> Iterator[str]:
        """Name what is neither as at the start nor as in the end."""
        start, found = named(self._start, self._original), named(now, self._original)
        for row in sorted({*start, *found, *self._end}):
            if found.get(row) not in (start.get(row), self._end.get(row)):
                yield f"half done: {row}: {difference(start.get(row), found.get(row))}"

    def _repeated(self, outcome: Outcome) -> Iterator[str]:
        """Say what is wrong with how the same command goes on, and how teardown ends it.

        Where everything is as at the start, or as it is usually in the end, that was seen already.
        """
        now = self._bed.state()
        done = (outcome.code == 0 or self._flow.ends) and named(now, self._original) == self._whole
        if now == self._start or done:
            return
        self._bed.world.clock.sleep(FORGOTTEN_S)
        again = self._bed.run(self._flow.command)
        if again.code:
            yield f"the same command again: {again}"
        found = named(self._bed.state(), self._original)
        yield from (f"after the same command again: {line}" for line in differences(self._whole, found))
        if not self._flow.ends:
            torn = self._bed.run(tear_down)
            if torn.code:
                yield f"teardown: {torn}"
            yield from (f"after teardown: {line}" for line in differences(self._original, self._bed.state()))


def is_write(method: str, path: str) -> bool:
    """Say whether a request changes something; the login does not."""
    return method in WRITES and not path.startswith("/identity")


def unproven(state: State) -> State:
    """Return a state with every record as that of a pair that was not proven."""
    return {row: re.sub(r"(?<= )v=1(?= )", "v=0", str(doc)) for row, doc in state.items()}


def unmarked(state: State) -> State:
    """Return a state without the marks of runs that take the pair away."""
    return {
        row: {**doc, "tags": [tag for tag in doc["tags"] if not tag.startswith("haos-leaving:")]}
        if row[0] == "ports"
        else doc
        for row, doc in state.items()
    }


def differences(expected: State, found: State) -> list[str]:
    """Name what is not as it should be."""
    rows = sorted({*expected, *found})
    return [
        f"{row}: {difference(expected.get(row), found.get(row))}"
        for row in rows
        if expected.get(row) != found.get(row)
    ]


def difference(expected: Any, found: Any) -> str:
    """Say what of two is not the same."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return ", ".join(f"{key}: {expected[key]} is {found[key]}" for key in found if expected[key] != found[key])
    return f"{expected} is {found}"


def unlisted(start: State, now: State, said: str) -> Iterator[str]:
    """Yield what is not as at the start, and not in the list of what is left."""
    for row in sorted({*start, *now}):
        was, found = start.get(row), now.get(row)
        if was != found and not any(one and one in said for one in ids_of(row, found or was)):
            yield f"{row}: {difference(was, found)}"


def ids_of(row: Row, doc: Any) -> tuple[str, ...]:
    """Return by what a row may be listed; the pair has one security group and one floating IP."""
    table, key = row
    if table == "security_groups":
        return (key, GROUP)
    if table == "security_group_rules":
        return (doc["security_group_id"], GROUP)
    if table == "floatingips":
        return (doc["floating_ip_address"], *FLOATING)
    if table == "ports" and doc["device_owner"] == "network:floatingip":
        return (doc["fixed_ips"][0]["ip_address"], *FLOATING)
    return (key, doc["name"]) if table == "ports" else (key,)


GROUP = "security group haos-ha_first-ha_second"
FLOATING = "floating IP of reservation port", "the floating IP that haos gave it"


def named(state: State, original: State) -> State:
    """Return a state in which what is new goes by its name: its ids, and the MACs and addresses given, are new."""
    new = {row: doc for row, doc in state.items() if row not in original}
    labels = {key: f"<{table} {doc.get('name', '')}>" for (table, key), doc in new.items()}
    found: dict[Row, Any] = {}
    for (table, key), doc in state.items():
        text = json.dumps(doc, sort_keys=True, default=repr)
        for one, label in labels.items():
            text = text.replace(one, label)
        if (table, key) in new:
            text = re.sub(r"fa:16:3e(:\w\w){3}|127\.200\.51\.\d+", "<any>", text)
        row = table, labels.get(key, key) + (text if table == "security_group_rules" else "")
        found[row] = [*found.get(row, []), text]
    return found
