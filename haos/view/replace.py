"""An exchange of nodes: what will be done, step by step, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from haos.core.keepalived import weight_path
from haos.core.outage import Verdict
from haos.core.replace import Exchange, Way
from haos.core.replace_plan import HandOver, LetGo, Stage, Step
from haos.core.switchover import RAISED
from haos.view.changes import CHANGE, Item
from haos.view.console import Output
from haos.view.explain import Logins, by_hand, on_node
from haos.view.outage_text import outage_text
from haos.view.plan import HANG, STYLES, Line, change_lines, count_line, prediction_lines, show_lines
from haos.view.result import leg_line
from haos.view.script import command, comment
from haos.view.verdicts import EXIT_NOT_PROVEN, VERDICT_STYLES
from haos.workflow.replace import Prepared, Replaced

GROUP_VARIABLE = "group"


def show_exchange(prepared: Prepared, output: Output, *, verbose: bool) -> None:
    """Print what the exchange is going to do, and what of it stays undone."""
    show_lines(prepared.warnings, exchange_lines(prepared, verbose=verbose), output)
    output.gap()


def exchange_lines(prepared: Prepared, *, verbose: bool = False) -> Iterator[Line]:
    """Yield the lines of the plan."""
    exchange = prepared.exchange
    pair = exchange.after
    yield Line(f"Pair {pair.name}: {_in_words(exchange)}; VIP {pair.vip}, VRID {pair.vrid}, mode {pair.mode}", "bold")
    if not prepared.changes_something:
        yield Line("Nothing to change.")
        return
    if exchange.old is not None:
        leaves = f"{exchange.old.name} leaves"
        order = f"{exchange.new.name} joins first, then {leaves}" if exchange.way is Way.BESIDE else f"{leaves} first"
        yield Line(f"{order}: {exchange.why}.")
    counts: Counter[str] = Counter()
    for step in prepared.steps:
        if isinstance(step, Stage):
            yield from change_lines(step.plan, step.seen, counts, verbose=verbose)
        for item in _items(step, exchange):
            counts[item.sign] += 1
            yield Line(str(item), STYLES[item.sign], HANG)
    yield Line(count_line(counts["+"], counts["~"], counts["-"]), "bold")
    for stays in prepared.stays:
        yield Line(f"  ! {stays}", "yellow", 4)
    yield from prediction_lines(pair)


def _in_words(exchange: Exchange) -> str:
    old, new = exchange.old, exchange.new.name
    if old is None:
        return f"{new} has its place"
    return f"{new} takes the place of {old.name}, priority {old.member.priority}"


def _items(step: Step, exchange: Exchange) -> Iterator[Item]:
    old = exchange.old
    if isinstance(step, HandOver) and old is not None:
        where = exchange.new.name if takes_over(exchange) else "the best Backup"
        yield Item(CHANGE, "VIP", f"{old.name} hands it over to {where}, raised by a weight and without a reload")
    if isinstance(step, LetGo):
        yield Item(CHANGE, "weight", "none again: every node counts as its priority says")


def takes_over(exchange: Exchange) -> bool:
    """Say whether the new node is who takes the VIP over from the old one."""
    old = exchange.old
    others = [node for node in exchange.nodes if node is not exchange.new]
    if exchange.way is not Way.BESIDE or old is None:
        return False
    return all(exchange.after.priority_of(node) < old.member.priority for node in others)


def show_explained(prepared: Prepared, output: Output, logins: Logins) -> int:
    """Print the shell script that does the same by hand."""
    for line in explained(prepared, logins):
        output.verbatim(line)
    return 0


def explained(prepared: Prepared, logins: Logins) -> Iterator[str]:
    """Yield a script of openstack and ssh commands; nothing in it depends on haos."""
    exchange = prepared.exchange
    yield "#!/bin/sh"
    yield comment(f"What haos would do in pair {exchange.pair.name}, by hand: {_in_words(exchange)}.")
    if not prepared.changes_something:
        yield comment("Nothing: all is as it should be.")
        return
    yield "set -e"
    yield f"port={command(exchange.reservation.id)}"
    if exchange.group:
        yield f"{GROUP_VARIABLE}={command(exchange.group.id)}"
    for step in prepared.steps:
        if isinstance(step, Stage):
            for change in step.plan.changes:
                yield ""
                yield from by_hand(change, step.plan, step.seen.facts, logins)
        else:
            yield ""
            yield from _by_hand(step, exchange, logins)
    yield ""
    yield comment(f"Then, from an instance that is no node of the pair: ping {exchange.pair.vip}; and again while")
    yield comment("keepalived is stopped on the node that has the VIP, and once more after its start.")
    for stays in prepared.stays:
        yield comment(f"{stays[0].upper()}{stays[1:]}.")


def _by_hand(step: Step, exchange: Exchange, logins: Logins) -> Iterator[str]:
    path = weight_path(exchange.pair.name)
    fit = [node for node in exchange.nodes if takes_over(exchange) == (node is exchange.new)]
    target = max(fit, key=exchange.after.priority_of)
    if isinstance(step, HandOver):
        yield comment(
            f"{target.name} takes over without a gap: wait until ip address shows {exchange.pair.vip} there."
        )
        yield command(*logins[target.name], f"echo {RAISED} | {command('sudo', 'tee', path)}")
    elif isinstance(step, LetGo):
        yield comment("Every node counts as its priority says again.")
        yield from (on_node(logins[node.name], "rm", "-f", path) for node in exchange.nodes)


def show_replaced(replaced: Replaced, output: Output) -> int:
    """Print how an exchange ended; returns the exit code."""
    prepared, seen, pair = replaced.prepared, replaced.verification, replaced.pair
    exchange, failed = prepared.exchange, False
    output.gap()
    if replaced.switched is not None and replaced.switched.leg is not None:
        leg, lost = replaced.switched.leg, replaced.switched.lost_probes
        failed = leg.verdict is Verdict.FAIL
        said = f"no probe lost  {leg.verdict}" if lost == 0 else f"{outage_text(leg)}  {leg.verdict}"
        output.line(f"{leg.label:<9} {leg.origin} -> {leg.target}: {said}", VERDICT_STYLES[leg.verdict])
    for each in seen.legs if seen else ():
        output.line(leg_line(each), VERDICT_STYLES[each.verdict])
    done = f"{exchange.new.name} has its place in pair {pair.name}"
    if exchange.old is not None:
        done = f"{exchange.new.name} has taken the place of {exchange.old.name} in pair {pair.name}"
    for stays in prepared.stays:
        output.line(f"  ! {stays}", "yellow", hang=4)
    if seen is None:
        output.line(f"{done}. Not verified, as you asked.", "bold")
        return EXIT_NOT_PROVEN if failed else 0
    if seen.verdict is Verdict.PASS:
        output.line(f"{done}; VIP {pair.vip} answers from {seen.active} ({seen.answered_from}).", "bold")
        return EXIT_NOT_PROVEN if failed else 0
    output.line(f"{done}.", "bold")
    output.line(f"{seen.verdict}: {seen.reason}.", VERDICT_STYLES[seen.verdict])
    output.hint(f"look: haos status {pair.name}")
    return 0 if replaced.proven and not failed else EXIT_NOT_PROVEN
