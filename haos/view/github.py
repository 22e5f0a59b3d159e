"""What GitHub shows of a failover test that runs in a workflow there: annotations, and a table on the run's page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from haos.core.outage import Verdict
from haos.core.report import FailoverReport
from haos.view.nodes import leg_name
from haos.view.outage_text import outage_text

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})
_CELL = str.maketrans({"|": "\\|", "\n": " ", "\r": " ", "<": "&lt;", ">": "&gt;", "&": "&amp;", "`": "\\`",
                       "*": "\\*", "_": "\\_", "[": "\\[", "]": "\\]", "\\": "\\\\"})  # fmt: skip
SIGNS = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.UNKNOWN: "❔"}


def is_there(environ: Mapping[str, str]) -> bool:
    """Say whether this runs in a workflow of GitHub."""
    return environ.get("GITHUB_ACTIONS") == "true"


def summary_file(environ: Mapping[str, str]) -> Path | None:
    """Return the file that becomes part of the run's page."""
    named = environ.get("GITHUB_STEP_SUMMARY")
    return Path(named) if named else None


def commands(report: FailoverReport) -> Iterator[str]:
    """Yield a workflow command for each move that was no PASS, and for each advice."""
    for leg in report.legs:
        if leg.verdict is not Verdict.PASS:
            title = f"{report.pair.name}: {leg_name(leg, report)}: {leg.verdict}"
            yield _command("error", title, f"{leg.origin} -> {leg.target}: {leg.reason}")
    for one in report.advice:
        yield _command("warning", f"{report.pair.name}: {one.code}", f"{one.text}\n{one.hint}".strip())


def summary(report: FailoverReport) -> str:
    """Return a table in Markdown."""
    lines = [
        f"### {SIGNS[report.verdict]} haos failover-test {cell(report.pair.name)}: {report.verdict}",
        "",
        f"VIP {report.pair.vip}, measured from {cell(report.observer)}. {cell(report.reason)}",
        "",
        "| move | from | to | outage | verdict |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {cell(leg_name(leg, report))} | {cell(leg.origin)} | {cell(leg.target)} | {cell(outage_text(leg))} "
        f"| {SIGNS[leg.verdict]} {leg.verdict} |"
        for leg in report.legs
    ]
    advice = [f"- {cell(one.text)}{f' ({cell(one.hint)})' if one.hint else ''}" for one in report.advice]
    return "\n".join([*lines, *([""] if advice else []), *advice, ""]) + "\n"


def cell(text: str) -> str:
    """Return text for a cell of a table in Markdown: nothing in it is markup."""
    return text.translate(_CELL)


def _command(kind: str, title: str, text: str) -> str:
    return f"::{kind} title={title.translate(_PROPERTY)}::{text.translate(_DATA)}"
