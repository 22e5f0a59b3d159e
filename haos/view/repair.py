"""A repair: what is wrong, what will be done about it, what cannot be repaired, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from haos.core.changes import (
    Activate,
    AdmitVip,
    AdoptPort,
    Configure,
    DismissVip,
    InstallKeepalived,
    MakeFloatingIp,
    MakeGroup,
    MendGroup,
    RemovePair,
    ReserveVip,
    TakeFloatingIp,
    UpdateRecord,
)
from haos.core.keepalived import weight_path
from haos.core.node import NodeFacts
from haos.core.outage import Verdict
from haos.core.repair import MENDED_BESIDE, DropWeight, EnablePort, EndTest, Mend, Step, TrustKey, UndoFault
from haos.core.status import Trouble
from haos.view.changes import ADD, CHANGE, REMOVE, Item, describe
from haos.view.console import Output
from haos.view.plan import HANG, STYLES, Line, change_lines, count_line, print_lines
from haos.view.result import leg_line
from haos.view.style import Style
from haos.view.switchover import is_for_people
from haos.view.verdicts import EXIT_NOT_PROVEN, VERDICT_STYLES
from haos.workflow.repair import Repaired
from haos.workflow.repair_plan import RepairPlan

COLUMNS = ("Pair", "VIP", "Repaired", "Failed", "Not Repaired", "Healthy", "Active", "Verdict", "Reason")
EXIT_BEYOND, EXIT_FAILED = 5, 6


def show_repair_plan(prepared: RepairPlan, output: Output, style: Style, *, verbose: bool) -> None:
    """Print what is wrong and what will be done about it; beside a result for programs, to stderr."""
    output.gap()
    lines = plan_lines(prepared, verbose=verbose)
    if is_for_people(style):
        print_lines(lines, output)
    else:
        for line in lines:
            output.hint(line.text, line.style, hang=line.hang or 0)
    output.gap()


def plan_lines(prepared: RepairPlan, *, verbose: bool = False) -> Iterator[Line]:
    """Yield the lines of the plan."""
    pair = prepared.pair
    yield Line(f"Pair {pair.name}: VIP {pair.vip} on {prepared.place.network.name}", "bold")
    known = {(trouble.code, trouble.where) for trouble in prepared.beyond}
    for trouble in prepared.examined.status.troubles:
        if (trouble.grave or trouble.code in MENDED_BESIDE) and (trouble.code, trouble.where) not in known:
            yield Line(f"! {trouble}", "bold red")
    counts: Counter[str] = Counter()
    yield from change_lines(prepared.before, prepared.seen, counts, verbose=verbose)
    for step in prepared.openings:
        yield from _mend_lines(step, prepared, counts)
    if prepared.openings:
        yield Line("Then the pair is looked at again. What is seen already:" if prepared.after else
                   "Then the pair is looked at again.")  # fmt: skip
    yield from change_lines(prepared.after, prepared.seen, counts, verbose=verbose)
    for weight in prepared.weights:
        yield from _mend_lines(weight, prepared, counts)
    if prepared.steps:
        yield Line(count_line(counts[ADD], counts[CHANGE], counts[REMOVE]), "bold")
    else:
        yield Line("Nothing to repair." if not prepared.beyond else "Nothing that haos could repair.")
    yield from beyond_lines(prepared.beyond)


def _mend_lines(step: Mend, prepared: RepairPlan, counts: Counter[str]) -> Iterator[Line]:
    for item in describe_step(step, prepared.seen.facts, prepared.pair.name):
        counts[item.sign] += 1
        yield Line(str(item), STYLES[item.sign], HANG)


def beyond_lines(troubles: Iterable[Trouble]) -> Iterator[Line]:
    """Yield what cannot be repaired, each with what helps."""
    troubles = tuple(troubles)
    if troubles:
        yield Line("Not for haos to repair:", "bold")
    for trouble in troubles:
        yield Line(f"! {trouble}", "bold red")
        if trouble.remedy is not None:
            yield Line(f"    {trouble.remedy}", "", None)


def describe_step(step: Step, facts: Mapping[str, NodeFacts], pair: str) -> Iterator[Item]:
    """Yield what a step adds, changes or removes."""
    match step:
        case UndoFault(intent, node, port):
            how = "undone" if port is not None else "forgotten: what it hit is gone"
            yield Item(REMOVE, "fault", f"{node}: {intent.fault}, {how}")
        case EnablePort(node):
            yield Item(CHANGE, "port", f"{node}: administratively up")
        case TrustKey(node, fingerprints):
            shown = " and ".join(fingerprints)
            yield Item(CHANGE, "host key", f"{node}: {shown}, which its console log shows, in haos's own cache")
        case EndTest(node, fault):
            yield Item(REMOVE, "fault", f"{node}: {fault}, and the watch over it" if fault else
                       f"{node}: the watch that a failover-test has left")  # fmt: skip
        case DropWeight(node, weight):
            yield Item(REMOVE, "weight", f"{node}: {weight_path(pair)} ({weight:+}), without a reload")
        case (
            ReserveVip() | AdoptPort() | UpdateRecord() | MakeGroup() | MendGroup() | AdmitVip() | MakeFloatingIp()
            | TakeFloatingIp() | DismissVip() | InstallKeepalived() | RemovePair() | Configure() | Activate()
        ):  # fmt: skip
            yield from describe(step, facts)


def show_repaired(repaired: Repaired, output: Output, style: Style) -> int:
    """Print how a repair ended; returns the exit code."""
    if is_for_people(style):
        _show_screen(repaired, output)
    else:
        output.one(COLUMNS, _values(repaired, structured=style.format in ("json", "yaml")), style)
    return exit_code(repaired)


def exit_code(repaired: Repaired) -> int:
    """Return the process's exit code."""
    if repaired.failed:
        return EXIT_FAILED
    if repaired.beyond:
        return EXIT_BEYOND
    return 0 if repaired.well else EXIT_NOT_PROVEN


def _show_screen(repaired: Repaired, output: Output) -> None:
    output.gap()
    pair, seen = repaired.pair, repaired.verification
    for one in repaired.failed:
        for item in describe_step(one.step, one.seen.facts, pair.name):
            output.line(f"! not done: {item.text}", "bold red")
        output.line(f"    {one.error}")
        if one.error is not None and one.error.hint:
            output.verbatim(f"    {one.error.hint}")
    print_lines(beyond_lines(repaired.beyond), output)
    for leg in seen.legs if seen else ():
        output.line(leg_line(leg), VERDICT_STYLES[leg.verdict])
    count = sum(1 for one in repaired.made for _ in describe_step(one.step, one.seen.facts, pair.name))
    what = f"{count} change{'s' * (count != 1)} made" if count else "nothing had to be repaired"
    if not repaired.well:
        verdict = seen.verdict if seen and not repaired.proven else Verdict.FAIL
        output.line(f"{verdict}: {_reason(repaired)}{f'; {what}' if count else ''}.", VERDICT_STYLES[verdict])
        output.hint(f"look: haos status {pair.name}")
    elif repaired.failed or repaired.beyond:
        output.line(f"Pair {pair.name} is not wholly repaired; {what}.", "bold")
    else:
        output.line(f"Pair {pair.name} is as its record says; {what}. {_who(repaired)}", "bold")


def _who(repaired: Repaired) -> str:
    """Say where the VIP is."""
    pair, status = repaired.pair, repaired.status
    how = "answers from" if status.observation is not None else "is, as the nodes say, on"
    return f"VIP {pair.vip} {how} {status.active}." if status.active else f"VIP {pair.vip} was not looked for."


def _reason(repaired: Repaired) -> str:
    seen = repaired.verification
    if seen is not None and not repaired.proven:
        return seen.reason
    return next((str(trouble) for trouble in repaired.status.troubles if trouble.grave), "it is not healthy")


def _values(repaired: Repaired, *, structured: bool) -> tuple[object, ...]:
    pair, status, seen = repaired.pair, repaired.status, repaired.verification

    def texts(step: Step, facts: Mapping[str, NodeFacts]) -> list[str]:
        return [f"{item.sign} {item.kind} {item.text}" for item in describe_step(step, facts, pair.name)]

    failed = [(text, str(one.error)) for one in repaired.failed for text in texts(one.step, one.seen.facts)]
    return (
        pair.name,
        str(pair.vip),
        [text for one in repaired.made for text in texts(one.step, one.seen.facts)],
        [{"step": text, "reason": why} if structured else f"{text}: {why}" for text, why in failed],
        [_trouble(trouble) if structured else str(trouble) for trouble in repaired.beyond],
        repaired.well,
        status.active,
        None if seen is None else str(seen.verdict),
        None if repaired.well else _reason(repaired),
    )


def _trouble(trouble: Trouble) -> dict[str, object]:
    return {
        "code": trouble.code,
        "where": trouble.where or None,
        "reason": trouble.reason,
        "remedy": trouble.remedy,
    }
