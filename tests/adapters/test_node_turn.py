"""One run at a time has a node: claimed and given back on a sandboxed node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haos.adapters.node import Node
from haos.core.turn import Turn
from haos.errors import StepError
from tests.adapters.node_cases import DB, WEB, bring_up, removal
from tests.adapters.node_sandbox import Sandbox

pytestmark = pytest.mark.real

MINE = Turn("0a0a", WEB.name, "a trial failover of pair web", 60)
THEIRS = Turn("0b0b", DB.name, f"a switchover of pair {DB.name}", 60)


def test_one_run_at_a_time_and_nothing_is_left(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    before = box.snapshot()
    assert node.claim(MINE) is None
    assert node.claim(MINE) is None
    assert node.claim(THEIRS) == MINE.what
    node.unclaim(THEIRS)
    assert node.claim(THEIRS) == MINE.what
    node.unclaim(MINE)
    node.unclaim(MINE)
    assert "haos" not in box.sh("ls /run | grep -v '^haos.lock$' || :")
    assert box.snapshot() == before
    assert node.claim(THEIRS) is None


def test_a_turn_ends_by_itself(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    assert node.claim(replace(MINE, lasts_s=1)) is None
    box.until(lambda: node.claim(THEIRS) is None, "the first turn is over")


def test_words_that_a_shell_would_obey_are_words(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    odd = replace(MINE, what="it's $(touch /run/haos-was-here) `id` \\n")
    assert node.claim(odd) is None
    assert node.claim(THEIRS) == odd.what
    assert "haos-was-here" not in box.sh("ls /run")


def test_a_failover_test_and_a_turn_exclude_each_other(box: Sandbox, node: Node) -> None:
    bring_up(node, box)
    node.watch(WEB.vip, limit_s=60.0)
    assert node.claim(MINE) == "a failover-test"
    node.unwatch()
    assert node.claim(MINE) is None
    with pytest.raises(StepError, match="a trial failover of pair web is at work on ha_first"):
        node.watch(WEB.vip, limit_s=60.0)
    node.unclaim(MINE)
    node.watch(WEB.vip, limit_s=60.0)
    node.unwatch()


def test_a_removal_takes_its_own_turn_along_and_no_other(box: Sandbox, node: Node) -> None:
    before = box.snapshot()
    bring_up(node, box)
    bring_up(node, box, DB)
    assert node.claim(MINE) is None
    node.remove(removal(DB))
    assert node.claim(THEIRS) == MINE.what
    node.remove(removal(WEB))
    assert "haos" not in box.sh("ls /run").split()
    assert box.snapshot() == before


def test_a_node_without_a_pair_is_nobodys(box: Sandbox, node: Node) -> None:
    before = box.sh("ls /run")
    with pytest.raises(StepError, match="no pair of haos's is on this node"):
        node.claim(MINE)
    node.unclaim(MINE)
    assert box.sh("ls /run") == before
