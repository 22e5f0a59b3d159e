"""The list of pairs, and what check found, as people and programs read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from haos.view.console import Output
from haos.view.formats import spelled
from haos.view.style import Style
from haos.view.table import Grid, least_width
from haos.workflow.listing import ListedPair

DISPENSABLE = ("VRID", "Mode", "Verified")
FLOATING = "Floating IPs"
"""No column for people where no pair has one."""
PAIR_COLUMNS = ("Name", "VIP", FLOATING, "Network", "VRID", "Mode", "Nodes", "Verified", "Status")


def show_pairs(pairs: Sequence[ListedPair], output: Output, style: Style) -> int:
    """Print a row for each pair."""
    rows = [
        (
            pair.name,
            None if pair.vip is None else str(pair.vip),
            tuple(map(str, pair.floating)),
            pair.network,
            pair.vrid,
            pair.mode,
            pair.nodes,
            pair.verified,
            pair.status,
        )
        for pair in pairs
    ]
    bare = (FLOATING,) if style.format == "table" and not any(pair.floating for pair in pairs) else ()
    hidden = _too_much(rows, bare, output, style)
    shown = tuple(column for column in PAIR_COLUMNS if column not in (*bare, *hidden))
    output.list(PAIR_COLUMNS, rows, replace(style, columns=style.columns or shown) if bare or hidden else style)
    if hidden:
        output.hint(f"not shown at this width: {', '.join(hidden)}; -c COLUMN or -f json show them")
    if not pairs:
        output.hint("no pair in this project; haos create --network NETWORK --nodes A,B makes one")
    return 0


def _too_much(rows: Grid, bare: tuple[str, ...], output: Output, style: Style) -> tuple[str, ...]:
    """Return the columns that a person misses least, where the terminal is too narrow to show all unbroken."""
    if style.columns or not output.fits_by_itself(style):
        return ()
    for count in range(len(DISPENSABLE)):
        hidden = DISPENSABLE[:count]
        kept = [index for index, column in enumerate(PAIR_COLUMNS) if column not in (*bare, *hidden)]
        fewer = [[spelled(row[index]) for index in kept] for row in rows]
        if least_width([PAIR_COLUMNS[index] for index in kept], fewer) <= output.out.width:
            return hidden
    return DISPENSABLE
