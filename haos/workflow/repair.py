"""`haos repair`: bring a pair back to what its record says."""

from __future__ import annotations

from collections.abc import Sequence

from haos.core.model import Node, Pair
from haos.workflow.request import CreateRequest


def request_of(pair: Pair, nodes: Sequence[Node], observer: str | None) -> CreateRequest:
    """Return the request that means "this recorded pair, nothing changed"; by ids, since names may be given twice.

    `nodes` in any order: the record's stands.
    """
    return CreateRequest(pair.network_id, tuple(node.instance.id for node in nodes), pair.name, observer=observer)
