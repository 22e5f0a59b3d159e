"""How long the requests to the cloud took, as the openstack client shows it; on stderr, beside the result."""

from __future__ import annotations

from collections.abc import Sequence

from haos.view.console import Output
from haos.view.table import table


def show_timing(requests: Sequence[tuple[str, float]], output: Output) -> None:
    """Print a line for each request, and the sum."""
    rows = [*requests, ("Total", sum(seconds for _, seconds in requests))]
    for line in table(("URL", "Seconds"), rows):
        output.err.print(output.text(output.err, line))
