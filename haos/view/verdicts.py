"""What a verdict looks like, and what it makes of the exit code."""

from __future__ import annotations

from haos.core.outage import Verdict

EXIT_NOT_PROVEN = 4
VERDICT_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "bold red", Verdict.UNKNOWN: "yellow"}
