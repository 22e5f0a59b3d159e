"""Turns on a node: one run at a time moves its VIPs."""

from __future__ import annotations

from haos.adapters.node_steps import Steps
from haos.core import node_parse
from haos.core.names import check_name
from haos.core.turn import Turn


class TurnSide(Steps):
    """Gives the node to one run at a time. Raises StepError where it carries no pair."""

    def claim(self, turn: Turn) -> str | None:
        """Take the node, or keep it for longer; return who has it instead, in words."""
        parameters = {
            "TURN": turn.run,
            "PAIR": check_name(turn.pair),
            "WHAT": turn.what,
            "LASTS_S": str(turn.lasts_s),
        }
        lines = self._read("claim", parameters, "taking the node", node_parse.parse_lines)
        return dict(lines)["holder"] or None

    def unclaim(self, turn: Turn) -> None:
        """Give the node back. Safe to repeat; another run's turn stays."""
        self._step("unclaim", {"TURN": turn.run}, "giving the node back")
