"""What check found, as people and programs read it."""

from __future__ import annotations

from haos.core.checks import Severity
from haos.view.console import Output
from haos.view.style import Style
from haos.workflow.check import CheckReport

COLUMNS = ("Severity", "Code", "Reason", "Remedy")
EXIT_NOT_POSSIBLE = 5


def show_check(report: CheckReport, output: Output, style: Style) -> int:
    """Print the findings, the worst first; returns the exit code."""
    rows = [(str(one.severity), one.code, one.reason, one.remedy) for one in report.findings]
    if not rows and style.format == "table":
        output.line(f"{report.target}: nothing speaks against it", "green")
        return 0
    output.list(COLUMNS, rows, style)
    if not report.ok:
        output.hint(f"{report.target}: not possible as it is", "bold red")
    elif any(one.severity is Severity.WARNING for one in report.findings):
        output.hint(f"{report.target}: possible, with warnings", "yellow")
    elif rows:
        output.hint(f"{report.target}: nothing speaks against it; the above is good to know", "green")
    return 0 if report.ok else EXIT_NOT_POSSIBLE
