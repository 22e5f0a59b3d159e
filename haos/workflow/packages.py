"""What may have to wait on a node for whoever is at work with packages there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from haos.core.model import Node
from haos.core.node_checks import packages_locked
from haos.errors import HaosError
from haos.workflow.context import Context
from haos.workflow.parallel import attempt_each

V = TypeVar("V")
LOOK_EVERY_S = 10.0
"""An installation that nobody holds up is over by then, as a rule."""


def telling_who_holds_it_up(node: Node, work: Callable[[], V], ctx: Context) -> V:
    """Do it, and tell meanwhile, once for each, who is at work with packages there."""
    told = set[str]()

    def look() -> None:
        with suppress(HaosError):
            who = ctx.fleet.node(node.instance).packager()
            if who is not None and who not in told:
                told.add(who)
                ctx.progress.note(packages_locked(node.name, who))

    done, errors = attempt_each([node], lambda _: work(), meanwhile=look, every_s=LOOK_EVERY_S)
    for error in errors.values():
        raise error
    return done[node]
