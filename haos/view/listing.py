"""The list of pairs, and what check found, as people and programs read them."""

from __future__ import annotations

from collections.abc import Sequence

from haos.view.console import Output
from haos.view.style import Style
from haos.workflow.listing import ListedPair

PAIR_COLUMNS = ("Name", "VIP", "Network", "VRID", "Mode", "Nodes", "Verified", "Status")


def show_pairs(pairs: Sequence[ListedPair], output: Output, style: Style) -> int:
    """Print a row for each pair."""
    rows = [
        (
            pair.name,
            None if pair.vip is None else str(pair.vip),
            pair.network,
            pair.vrid,
            pair.mode,
            pair.nodes,
            pair.verified,
            pair.status,
        )
        for pair in pairs
    ]
    output.list(PAIR_COLUMNS, rows, style)
    if not pairs:
        output.hint("no pair in this project; haos create --network NETWORK --nodes A,B makes one")
    return 0
