"""Somebody takes the package manager's lock after the look at the nodes: it is said while haos waits."""

from __future__ import annotations

import threading

import pytest

from haos.errors import RemoteError, StepError
from haos.workflow import packages
from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest
from haos.workflow.teardown import teardown
from tests.fakes import FakeNode, Quiet, World, context_of, howto_world

WHO = "unattended-upgr, process 42"
SAID = f"on ha_first packages are being worked at ({WHO}): haos waits for that, up to 120 s"
DEADLINE_S = 20.0

pytestmark = pytest.mark.usefixtures("side_by_side")


class Held:
    """The lock of a node: whoever wants it waits until haos has asked some times who has it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        self.answers: list[str | Exception | None] = []
        self._asked = threading.Event()
        monkeypatch.setattr(packages, "LOOK_EVERY_S", 0.01)
        monkeypatch.setattr(FakeNode, "packager", lambda node: self.packager())
        plain = getattr(FakeNode, method)

        def waiting(node: FakeNode, *args: object) -> object:
            if node.instance.name == "ha_first":
                assert self._asked.wait(DEADLINE_S), "nobody asks who has the lock"
            return plain(node, *args)

        monkeypatch.setattr(FakeNode, method, waiting)

    def packager(self) -> str | None:
        answer = self.answers.pop(0) if self.answers else None
        if not self.answers:
            self._asked.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


def make(world: World) -> list[str]:
    ctx = context_of(world)
    create(prepare(CreateRequest("ha_lab", ("ha_first", "ha_second"), verify=False), ctx), ctx, lambda _: None)
    return titles(ctx.progress)


def titles(progress: object) -> list[str]:
    assert isinstance(progress, Quiet)
    return progress.titles


def test_an_installation_that_waits_says_for_whom_once(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch, "install_keepalived")
    held.answers = [RemoteError("not now"), None, WHO, WHO, None]
    assert make(howto_world()).count(SAID) == 1


def test_a_purge_that_waits_says_for_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    world = howto_world()
    before = world.snapshot()
    make(world)
    held = Held(monkeypatch, "remove")
    held.answers = [WHO, None]
    ctx = context_of(world)
    teardown(None, purge=True, ctx=ctx)
    assert titles(ctx.progress).count(SAID) == 1
    assert world.snapshot() == before


def test_a_failure_of_the_installation_is_what_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    world = howto_world()

    def strike(_: int, effect: str, when: str) -> None:
        if effect == "install ha_first":
            raise StepError("apt did not install keepalived")

    world.effects.strike = strike
    with pytest.raises(StepError, match="apt did not install"):
        make(world)
