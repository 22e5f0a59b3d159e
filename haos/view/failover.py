"""How a failover test ended, as people read it: a timeline for each move, a table, advice, the verdict."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from rich.text import Text

from haos.core import vrrp
from haos.core.advice import advised
from haos.core.leg import FAILBACK
from haos.core.outage import Verdict
from haos.core.report import FailoverReport
from haos.errors import HaosError
from haos.view import github, report_html, report_junit, report_raw
from haos.view.cells import letters
from haos.view.console import Output
from haos.view.failover_table import Columns, chosen_columns, leg_rows
from haos.view.files import append, write_file
from haos.view.nodes import nodes_of
from haos.view.palette import painted
from haos.view.plain import visible
from haos.view.report_json import document
from haos.view.style import Style
from haos.view.tally import Tally, tallies
from haos.view.timeline import legend, strip, window
from haos.view.verdicts import EXIT_NOT_PROVEN, VERDICT_STYLES

LEG_COLUMNS = tuple(leg_rows(()))
LONGEST_STRIP = 120


def show_report(
    report: FailoverReport,
    output: Output,
    style: Style,
    *,
    verbose: bool = False,
    junit: Path | None = None,
    html: Path | None = None,
    raw: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> int:
    """Print what a failover test found and write what else was asked for; returns the exit code.

    `check_writable` should have been asked for the files before. Raises HaosError where one cannot be written all the
    same: what was measured has been printed by then.
    """
    report = advised(report)
    if style.format in ("json", "yaml") and not style.columns:
        output.document(document(report), style)
    elif style.format == "table" and not style.columns:
        _show_screen(report, output, style, verbose=verbose)
    else:
        output.list(LEG_COLUMNS, list(zip(*leg_rows(report.legs).values(), strict=True)), style)
    _tell_github(report, output, environ)
    _write(report, {junit: report_junit.junit, html: report_html.html, raw: report_raw.raw})
    return 0 if report.verdict is Verdict.PASS else EXIT_NOT_PROVEN


def _tell_github(report: FailoverReport, output: Output, environ: Mapping[str, str]) -> None:
    if not github.is_there(environ):
        return
    for command in github.commands(report):
        # To stderr, which GitHub reads too: stdout may be somebody's JSON.
        output.err.out(visible(command), highlight=False)
    path = github.summary_file(environ)
    if path is not None:
        append(path, github.summary(report))


def _write(report: FailoverReport, makers: Mapping[Path | None, Callable[[FailoverReport], str]]) -> None:
    failures = []
    for path, make in makers.items():
        try:
            if path is not None:
                write_file(path, make(report))
        except HaosError as error:
            failures.append(error)  # the others may have room
    if failures:
        raise failures[0]


def title_of(report: FailoverReport) -> str:
    """Return what was tested and how."""
    pair = report.pair
    asked = f"asked every {report.interval_s * 1000:g} ms from {report.observer}"
    return f"Pair {pair.name}, VIP {pair.vip}, {asked}"


def _show_screen(report: FailoverReport, output: Output, style: Style, *, verbose: bool) -> None:
    output.gap()
    output.line(title_of(report))
    if report.legs:
        _show_timelines(report, output, output.screen_width(style))
        _show_tables(report, output, output.table_width(style), verbose=verbose)
    for line in _failed(report):
        output.line(line)
    for one in report.advice:
        output.hint(f"warning: {one.text}", "yellow")
        if one.hint:
            output.hint(f"  hint: {one.hint}", hang=4)
    output.line(f"{report.verdict}: {report.reason}", VERDICT_STYLES[report.verdict])


def _show_tables(report: FailoverReport, output: Output, width: int | None, *, verbose: bool) -> None:
    groups = tallies(report.legs)
    shown, hidden = chosen_columns(groups, width)
    _show_table(shown, output)
    if hidden and verbose:
        # From and To would not fit beside the rest, and the timelines tell them.
        rest = {name: column for name, column in hidden.items() if name not in ("From", "To")}
        _show_table({"Fault": shown["Fault"]} | rest, output)
    output.line(_about_the_table(groups))
    if hidden and not verbose:
        output.hint(f"not shown at this width: {', '.join(hidden)}; -v or -f json show them")


def _show_table(columns: Columns, output: Output) -> None:
    right = [name for name in columns if name not in ("Fault", "From", "To")]
    output.table(tuple(columns), list(zip(*columns.values(), strict=True)), right=right)


def _failed(report: FailoverReport) -> Iterator[str]:
    """Yield what did not pass and why, where that is more than the one move that the verdict names."""
    groups = [
        (group, [leg for leg in group.legs if leg.verdict is not Verdict.PASS]) for group in tallies(report.legs)
    ]
    if sum(len(bad) for _, bad in groups) < 2:
        return
    for group, bad in groups:
        reason = next((leg.reason for leg in bad if leg.verdict is group.verdict), "")
        often = f" in {len(bad)} of {len(group.legs)} rounds" if len(group.legs) > 1 else ""
        name = f"{group.label} after {group.fault}" if group.is_failback else group.label
        if bad:
            yield f"{name}: {group.verdict}{often}: {reason}"


def _about_the_table(groups: Iterable[Tally]) -> str:
    known = [leg.outage.resolution_s for group in groups for leg in group.legs if leg.outage]
    resolution = f" ± {max(known):.3f} s" if known else ""
    margin = f"a verdict lets {vrrp.MARGIN_S:g} s more pass than the bound, for scheduling and the network"
    return f"Seconds; outages{resolution}; {margin}."


def _show_timelines(report: FailoverReport, output: Output, width: int) -> None:
    marks = letters(nodes_of(report))
    titles = [_title(report, index) for index in range(len(report.legs))]
    longest = max(map(len, titles), default=0)
    room = min(LONGEST_STRIP, width - longest - len(" || 10.0 s"))
    strips = [strip(leg, marks, room) for leg in report.legs]
    for title, leg, shown in zip(titles, report.legs, strips, strict=True):
        if shown:
            _show_strip(f"{title:<{longest}}", shown, marks, window(leg).length_s, output)
    if any(strips):
        output.line(f"  {'  '.join(legend(strips, marks))}", "dim", hang=2)


def _show_strip(
    title: str, shown: tuple[str, ...], marks: Mapping[str, str], length_s: float, output: Output
) -> None:
    line = Text(f"{title} |")
    line.append_text(painted(shown, marks.values(), ascii_only=output.ascii_only))
    output.out.print(line.append(f"| {length_s:.1f} s"))


def _title(report: FailoverReport, index: int) -> str:
    leg = report.legs[index]
    dash = "- " if leg.label == FAILBACK else ""
    return f"{dash}{leg.label}{f' {leg.round}' if report.rounds > 1 else ''}"
