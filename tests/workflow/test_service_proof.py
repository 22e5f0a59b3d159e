"""The service behind the VIP in `create` and `failover-test`, over the in-memory world."""

from __future__ import annotations

import pytest

from haos.core.outage import Verdict
from haos.core.probe import Service
from haos.core.service_probe import flow_without_s, service_outage_s
from haos.errors import VerificationError
from haos.workflow.create import Created, create, prepare
from haos.workflow.request import CreateRequest
from tests.failover import try_faults
from tests.fakes import World, context_of, howto_world

WEB = Service("http://www.example.org/", 80)
FIRST, SECOND = "fa:16:3e:8d:dc:bb", "fa:16:3e:f3:a9:a3"


@pytest.fixture
def world() -> World:
    return howto_world()


def made(world: World, service: Service = WEB) -> Created:
    ctx = context_of(world)
    request = CreateRequest("ha_lab", ("ha_first", "ha_second"), service=service)
    return create(prepare(request, ctx), ctx, lambda _: None)


def test_create_proves_the_service_before_and_after_each_move(world: World) -> None:
    created = made(world)
    assert created.verification is not None
    assert created.verification.verdict is Verdict.PASS, created.verification.reason
    for leg in created.verification.legs:
        assert leg.history is not None
        assert leg.history.service == WEB
        assert service_outage_s(leg.history, leg.start_s, leg.end_s) == pytest.approx(0.0, abs=0.2)


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        (FIRST, "http://www.example.org/ does not answer: refused"),
        (SECOND, "withdraw on ha_first: http://www.example.org/ does not answer: refused"),
    ],
)
def test_create_undoes_a_pair_whose_service_does_not_answer_from_every_node(
    world: World, without: str, reason: str
) -> None:
    before = world.snapshot()
    world.no_service = {without}
    with pytest.raises(VerificationError, match=reason):
        made(world)
    assert world.snapshot() == before


def test_create_is_unknown_where_the_service_cannot_be_asked(world: World) -> None:
    world.observer_can = frozenset({"ping"})
    created = made(world)
    assert created.verification is not None
    assert created.verification.verdict is Verdict.UNKNOWN
    assert created.verification.reason.startswith("the service was not asked")


def test_without_a_service_none_is_asked(world: World) -> None:
    world.no_service = {FIRST, SECOND}
    created = made(world, Service())
    assert created.verification is not None
    assert created.verification.verdict is Verdict.PASS


def test_failover_test_measures_what_clients_went_through(world: World) -> None:
    made(world)
    world.takeover_s = 0.05
    report = try_faults(context_of(world), "stop", service=WEB)
    assert report.verdict is Verdict.PASS, report.reason
    leg = report.legs[0]
    assert leg.history is not None
    without_s = flow_without_s(leg.history, leg.start_s, leg.end_s)
    assert without_s == pytest.approx(0.05, abs=0.021)
    assert report.service == WEB


def test_failover_test_fails_where_the_service_does_not_move_along(world: World) -> None:
    made(world)
    world.no_service = {SECOND}
    report = try_faults(context_of(world), "stop", service=Service("tcp:80"))
    assert report.verdict is Verdict.FAIL
    assert report.reason == "stop on ha_first: tcp:80 does not answer: refused"


def test_failover_test_fails_where_no_connection_can_be_held_any_more(world: World) -> None:
    made(world)
    world.no_service = {SECOND}
    report = try_faults(context_of(world), "stop", service=Service(None, 80))
    assert report.verdict is Verdict.FAIL
    assert report.reason == "stop on ha_first: no connection to tcp:80 can be held: reset"


def test_failover_test_goes_on_where_the_service_cannot_be_asked(world: World) -> None:
    made(world)
    world.observer_can = frozenset({"ping"})
    report = try_faults(context_of(world), "stop", service=WEB)
    assert report.verdict is Verdict.PASS
    history = report.legs[0].history
    assert history is not None
    assert history.notes
