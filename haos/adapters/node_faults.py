"""Faults on a node and the watch over its VIP: the part of a node that a failover test needs."""

from __future__ import annotations

from haos.adapters.node_steps import LOOK_TIMEOUT_S, step_script
from haos.adapters.node_turn import TurnSide
from haos.core import node_parse
from haos.core.fault import FaultOrder, NodeLog
from haos.core.model import Address
from haos.core.names import check_name
from haos.core.nodelog import parse_node_log
from haos.core.texts import seconds_of
from haos.errors import StepError

HEAL_PAUSE_S = 5
"""After the first try to end a fault that failed; each pause is twice as long as the one before."""
HEAL_LONGEST_S = 60
HEAL_LIMIT_S = 3600
"""What has not helped for an hour will not: the reason is in the node's journal, and status names the fault."""


class FaultSide(TurnSide):
    """Makes faults and ends them. Raises StepError where the node cannot."""

    def inject(self, order: FaultOrder) -> float:
        """Arm the node's own timer, then make the fault (after order.delay_s, where it cuts the way back).

        Returns the node's wall clock at which it came, or is to come. Raises StepError if one is under way already.
        """
        what = f"making the fault {order.fault}"
        at_s = self._read("inject", _parameters(order), what, lambda out: _number(out, "at"))
        return at_s + order.delay_s

    def heal(self) -> bool:
        """Undo every fault of haos that is there, and disarm its timer; return whether there was one."""
        return ("healed", "yes") in self._read("heal", {}, "ending a fault", node_parse.parse_lines)

    def watch(self, vip: Address, *, limit_s: float) -> None:
        """Write down from now on when the VIP comes and goes; ends by itself after limit_s."""
        parameters = {"VIP": str(vip), "LIMIT_S": f"{limit_s:g}", "NODE": self._name}
        self._step("watch", parameters, f"watching {vip}")

    def watched(self) -> NodeLog:
        """Return what was written down."""
        return self._read("watched", {}, "reading when the VIP came and went", parse_node_log)

    def unwatch(self) -> bool:
        """Stop writing down and leave nothing; return whether it was written down. Safe to repeat."""
        said = self._read("unwatch", {}, "ending the watch over the VIP", node_parse.parse_lines)
        return ("watched", "yes") in said

    def wall_s(self) -> float:
        """Return the node's wall clock; one cheap round trip without sudo."""
        what = "asking for its clock"
        result = self._connection.run("date +%s.%N\n", timeout_s=LOOK_TIMEOUT_S, what=what)
        try:
            return seconds_of(result.stdout)
        except ValueError:
            raise StepError(f"{what}: {self._name} gave no readable answer", hint="try there: date +%s.%N") from None


def _parameters(order: FaultOrder) -> dict[str, str]:
    common = {
        "FAULT": order.fault,
        "PAIR": check_name(order.pair),
        "VIP": str(order.vip),
        "INTERFACE": order.interface,
        "DELAY_S": f"{order.delay_s:g}",
    }
    pauses = {
        "HEAL_PAUSE_S": str(HEAL_PAUSE_S),
        "HEAL_LONGEST_S": str(HEAL_LONGEST_S),
        "HEAL_LIMIT_S": str(HEAL_LIMIT_S),
    }
    return {
        **common,
        "REFUSE": order.refuse,
        "HEAL_AFTER_S": f"{order.heal_after_s:g}",
        "CAUSE_TEXT": step_script("cause", {**common, "INJECT": order.inject}),
        "HEAL_TEXT": step_script("undo", {**common, **pauses, "HEAL": order.heal}),
    }


def _number(output: str, key: str) -> float:
    try:
        return seconds_of(dict(node_parse.parse_lines(output))[key])
    except (KeyError, ValueError):
        raise node_parse.UnreadableError(f"{key!r} is missing") from None
