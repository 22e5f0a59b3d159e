"""What a repair must never do: harm a pair that is well, or put a node to work that its port does not let speak."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haos.core.changes import PortAmendment
from haos.core.intent import Intent
from haos.core.model import Address, Member, Port, Role
from haos.core.node import Sight
from haos.core.outage import Verdict
from haos.core.turn import Turn
from haos.errors import ForbiddenError, RecordError, UnsatisfiableError
from haos.view.repair import exit_code
from haos.view.verdicts import EXIT_NOT_PROVEN
from haos.workflow.cloud_side import PORT_DOWN
from haos.workflow.create import create, prepare
from haos.workflow.leaving import Mark
from haos.workflow.recheck import RewrittenError, TornDownError
from haos.workflow.resolve import find_pair
from haos.workflow.teardown import teardown
from tests.fakes import FakeCloud, FakeNode, Killed, World, add_instance, context_of, killed_at, port_of
from tests.records import edit_record, reservation_of
from tests.workflow.drifts import (
    HOWTO,
    lose_file,
    lose_pair,
    lose_rule,
    made,
    nodes,
    port_down,
    prepared,
    repaired,
    settled,
)


def test_a_node_whose_port_cannot_be_let_speak_is_not_put_to_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the highest priority: it would take the VIP, and nobody would be answered."""
    world = settled(made())
    preferred, backup = nodes(world)
    preferred.daemon = False
    settled_on(world)
    lose_pair(world)
    stubborn, plain = port_of(world, preferred).id, FakeCloud.amend_port

    def amend(self: FakeCloud, port: Port, amendment: PortAmendment) -> Port:
        if port.id == stubborn and amendment.add_pairs:
            raise ForbiddenError("no")
        return plain(self, port, amendment)

    monkeypatch.setattr(FakeCloud, "amend_port", amend)
    ended = repaired(world)
    assert [str(one.error) for one in ended.failed] == ["no"]
    assert not preferred.daemon
    assert world.holder() == backup.mac
    assert len(port_of(world, backup).pairs) == 2, "the rest was mended"


def settled_on(world: World) -> None:
    world.elect()
    settled(world)


@pytest.mark.parametrize("opening", ["port down", "announced"])
def test_the_ports_and_the_rules_are_whole_before_a_node_comes_back(opening: str) -> None:
    world = settled(made())
    lose_pair(world)
    lose_rule(world)
    port_down(world)
    if opening == "announced":
        cloud = FakeCloud(world)
        _, reservation = find_pair(cloud, "web")
        cloud.add_tag(reservation.id, Intent(PORT_DOWN.fault, port_of(world, nodes(world)[1]).id, 1795471060).tag)
    world.effects.names.clear()
    shown = [type(step).__name__ for step in prepared(world).steps]
    ended = repaired(world)
    assert (ended.failed, ended.beyond, ended.well) == ((), (), True)
    up = next(at for at, name in enumerate(world.effects.names) if name.startswith("port up"))
    rest = [at for at, name in enumerate(world.effects.names) if name.startswith(("amend", "set rules"))]
    assert max(rest) < up
    assert shown[:3] == ["MendGroup", "AdmitVip", "AdmitVip"], "as it is shown beforehand"


def test_a_port_that_cannot_be_let_speak_stays_down() -> None:
    world = settled(made())
    lose_pair(world)
    port_down(world)

    def strike(_: int, name: str, when: str) -> None:
        if name.startswith("amend"):
            raise ForbiddenError("no")

    world.effects.strike = strike
    ended = repaired(world)
    assert [str(one.error) for one in ended.failed] == ["no", "no"]
    assert not port_of(world, nodes(world)[1]).admin_up


def forbidden(*_: object) -> Port:
    raise ForbiddenError("no")


def test_what_another_run_has_changed_is_not_overwritten_by_what_was_planned_before() -> None:
    world = settled(made())
    lose_pair(world)
    lose_file(world)
    struck = list[str]()

    def strike(_: int, name: str, when: str) -> None:
        if name.startswith("amend") and when == "after" and not struck:
            struck.append(name)
            timing = replace(find_pair(FakeCloud(world), "web")[0].timing, preempt_delay_s=7)
            edit_record(world, timing=timing)

    world.effects.strike = strike
    world.effects.names.clear()
    with pytest.raises(RewrittenError, match="was changed by another run meanwhile") as raised:
        repaired(world)
    assert raised.value.hint == "run the same command again"
    assert "of what was to be repaired 1 step was made, and stays" in raised.value.reason
    assert not nodes(world)[1].files


@pytest.mark.parametrize("away", [0.0, 0.5])
def test_a_pair_that_another_run_takes_away_is_not_put_back(away: float) -> None:
    world = settled(made())
    lose_pair(world)
    lose_file(world)
    struck = list[str]()

    def strike(_: int, name: str, when: str) -> None:
        if name.startswith("amend") and when == "after" and not struck:
            struck.append(name)
            if away:
                teardown("web", purge=True, ctx=context_of(world))
            else:
                Mark(reservation_of(world).id, context_of(world))

    world.effects.strike = strike
    with pytest.raises(TornDownError, match="taken away by another run"):
        repaired(world)
    assert not any(node.files for node in nodes(world))
    assert not any(pair.ip_address == "10.200.51.2" for port in world.ports.values() for pair in port.pairs)


def test_a_pair_that_is_being_taken_away_is_refused_before_anything_is_asked() -> None:
    world = settled(made())
    lose_pair(world)
    Mark(reservation_of(world).id, context_of(world))
    with pytest.raises(UnsatisfiableError, match="is being taken away by another run, or one died over it"):
        prepared(world)


def test_a_change_that_is_on_its_way_to_the_nodes_is_waited_for() -> None:
    """Its run has written the record, and not the first file yet: that is no reason to write the record anew."""
    world = settled(made())
    lose_pair(world)
    faster = replace(HOWTO, advertisement_interval_s=0.2, priorities=None)

    def go_on() -> None:
        world.effects.strike = lambda *_: None
        ctx = context_of(world)
        create(prepare(faster, ctx), ctx, lambda _: None)

    world.effects.strike = killed_at(len(world.effects.names), "after")
    ctx = context_of(world)
    planned = prepare(faster, ctx)
    with pytest.raises(Killed):
        create(planned, ctx, lambda _: None)
    world.effects.strike = lambda *_: None
    world.clock.at(world.clock.now + 1.0, go_on)
    assert repaired(world).well
    assert find_pair(FakeCloud(world), "web")[0].timing.advertisement_interval_s == 0.2


def test_an_edited_record_brings_nothing_to_a_node_that_nobody_has_named() -> None:
    """A port that is down must not be a way around that."""
    world = settled(made())
    others = [add_instance(world, name, last, f"fa:16:3e:00:00:{last}") for last, name in ((40, "db1"), (41, "db2"))]
    ports = [next(port for port in world.ports.values() if port.device_id == one.id) for one in others]
    edit_record(world, members=tuple(Member(port.id, 200 - 100 * at) for at, port in enumerate(ports)))
    world.ports[ports[0].id] = replace(ports[0], admin_up=False)
    before = world.snapshot()
    with pytest.raises(RecordError, match="nothing confirms the record of pair web yet"):
        repaired(world)
    assert world.snapshot() == before


def test_a_vip_that_answers_is_not_all_that_a_pair_has_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """No node is ready to take over: what status calls unhealthy no repair calls as it should be."""
    world = settled(made())
    lose_pair(world)
    backup, plain = nodes(world)[1], FakeNode.sight

    def sight(self: FakeNode, pair: str, vip: Address) -> Sight:
        seen = plain(self, pair, vip)
        return replace(seen, role=Role.FAULT) if self is backup else seen

    monkeypatch.setattr(FakeNode, "sight", sight)
    ended = repaired(world)
    assert ended.verification is not None
    assert ended.verification.verdict is Verdict.PASS
    assert not ended.status.healthy
    assert not ended.well
    assert exit_code(ended) == EXIT_NOT_PROVEN


def test_a_switchover_that_is_at_work_is_not_robbed_of_its_weight() -> None:
    world = settled(made())
    backup = nodes(world)[1]
    at_work = Turn("other", "web", "a switchover of pair web", 30)
    assert backup.claim(at_work) is None
    backup.weigh("web", 253)
    until_s = world.clock.now + 20
    world.clock.at(until_s, lambda: backup.unclaim(at_work))
    dropped = list[float]()

    def strike(_: int, name: str, when: str) -> None:
        if name.startswith("weigh"):
            dropped.append(world.clock.now)

    world.effects.strike = strike
    ended = repaired(world)
    assert ended.failed == ()
    assert dropped[0] >= until_s
    assert not backup.weights
