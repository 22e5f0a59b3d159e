"""The lines that benchmarks print: a spread under its heading, and whether a limit is kept."""

from __future__ import annotations

from haos.core.spread import Spread


def row(title: str, spread: Spread, width: int) -> str:
    """Return one line of a table of seconds, under `heading`."""
    return f"{title:<{width}} {spread.least:8.3f} {spread.middle:8.3f} {spread.most:8.3f}"


def heading(title: str, width: int) -> str:
    """Return the line above the rows."""
    return f"{title:<{width}} {'min':>8} {'median':>8} {'max':>8}"


def verdict(what: str, value: float, limit: float, digits: int = 3) -> str:
    """Return the line that says whether a value is at most its limit."""
    kept = "kept" if value <= limit else "MISSED"
    return f"{what}: {value:.{digits}f}, limit {limit:.{digits}f}: {kept}"
