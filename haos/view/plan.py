"""The plan, as people read it; with -v the exact requests and the files' diffs too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from haos.core import vrrp
from haos.core.changes import Change, Configure
from haos.core.checks import Finding
from haos.core.model import Pair
from haos.core.plan import Plan, Seen
from haos.view.changes import ADD, CHANGE, KIND_WIDTH, REMOVE, describe
from haos.view.console import Output
from haos.view.diffs import file_diffs
from haos.view.requests import Requests
from haos.workflow.create import Prepared

STYLES = {ADD: "green", CHANGE: "yellow", REMOVE: "red"}
"""The sign says it as well: colour is never alone."""
INDENT = "      "
HANG = KIND_WIDTH + 5


@dataclass(frozen=True)
class Line:
    """A line of a screen, and how it is coloured where there are colours."""

    text: str
    style: str = ""
    hang: int | None = 2  # indent of what does not fit the line; None: never broken


def show_plan(prepared: Prepared, output: Output, *, verbose: bool) -> None:
    """Print what create is going to do, and the outage that the configuration predicts."""
    show_lines(prepared.warnings, plan_lines(prepared.plan, prepared.seen, verbose=verbose), output)


def show_lines(warnings: Iterable[Finding], lines: Iterable[Line], output: Output) -> None:
    """Print warnings, which nobody's program reads, and the lines of a plan."""
    output.gap()
    for finding in warnings:
        remedy = f" ({finding.remedy})" if finding.remedy else ""
        output.hint(f"warning: {finding.reason}{remedy}", "yellow")
    print_lines(lines, output)
    output.gap()


def plan_lines(plan: Plan, seen: Seen, *, verbose: bool = False) -> Iterator[Line]:
    """Yield the lines of the plan."""
    pair, desired = plan.desired.pair, plan.desired
    where = f"VIP {pair.vip} on {desired.network.name} ({desired.subnet.cidr})"
    yield Line(f"Pair {pair.name}: {where}, VRID {pair.vrid}, mode {pair.mode}", "bold")
    if not plan:
        yield Line("Nothing to change.")
        return
    counts: Counter[str] = Counter()
    yield from change_lines(plan, seen, counts, verbose=verbose)
    yield Line(count_line(counts[ADD], counts[CHANGE], counts[REMOVE]), "bold")
    yield from prediction_lines(pair)


def change_lines(plan: Plan, seen: Seen, counts: Counter[str], *, verbose: bool) -> Iterator[Line]:
    """Yield the lines of the changes alone, and count them by their signs."""
    requests = Requests(plan, seen)
    for change in plan.changes:
        diffs = _diffs(change, seen) if verbose else {}
        for item in describe(change, seen.facts):
            counts[item.sign] += 1
            yield Line(str(item), STYLES[item.sign], HANG)
            yield from diffs.get(item.path, ())
        if verbose:
            yield from (Line(INDENT + line, "dim", None) for call in requests.of(change) for line in call.lines())


def print_lines(lines: Iterable[Line], output: Output) -> None:
    """Print lines of the result."""
    for line in lines:
        if line.hang is None:
            output.verbatim(line.text, line.style)
        else:
            output.line(line.text, line.style, hang=line.hang)


def count_line(added: int, changed: int, removed: int) -> str:
    """Return how much a plan comes to."""
    return f"Plan: {added} to add, {changed} to change, {removed} to remove."


def _diffs(change: Change, seen: Seen) -> dict[str | None, list[Line]]:
    if not isinstance(change, Configure):
        return {}
    diffs = file_diffs(change.config, seen.facts[change.node])
    return {path: [Line(INDENT + line, _diff_style(line), None) for line in lines] for path, lines in diffs.items()}


def _diff_style(line: str) -> str:
    if line.startswith(("+++", "---", "@@")):
        return "dim"
    return STYLES[line[0]] if line[:1] in (ADD, REMOVE) else "dim"


def prediction_lines(pair: Pair) -> Iterator[Line]:
    """Yield how long the VIP may be gone for each kind of fault."""
    yield Line("Predicted outage, at most:")
    for one in vrrp.predict(pair):
        yield Line(f"  {one.fault:<18} {one.bound_s:.3f} s  ({one.why})", hang=30)
