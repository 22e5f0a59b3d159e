"""What people see: the plan, the results, the timeline, as whole text."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from haos.view.console import Output
from haos.view.failover import show_report
from haos.view.progress import ConsoleProgress
from haos.view.result import show_created, show_removal_plan, show_torn_down
from haos.view.status import show_status
from haos.view.style import Style
from haos.workflow.create import create, prepare
from haos.workflow.request import CreateRequest
from haos.workflow.status import status
from haos.workflow.teardown import plan_teardown, teardown
from tests.failover import try_faults
from tests.fakes import context_of, howto_world

HOWTO = CreateRequest("ha_lab", ("ha_first", "ha_second"))


def output(*, quiet: bool = False) -> Output:
    made = Output(quiet=quiet)
    made.out = Console(file=io.StringIO(), highlight=False, soft_wrap=True, width=80)
    made.err = Console(file=io.StringIO(), highlight=False, soft_wrap=True, width=80)
    return made


def printed(made: Output) -> str:
    assert isinstance(made.out.file, io.StringIO)
    return made.out.file.getvalue()


def told(made: Output) -> str:
    assert isinstance(made.err.file, io.StringIO)
    return made.err.file.getvalue()


def test_results_and_exit_codes() -> None:
    world = howto_world()
    ctx = context_of(world)
    shown = output()
    assert show_created(create(prepare(HOWTO, ctx), ctx, lambda _: None), shown) == 0
    assert "VIP 10.200.51.2 of pair ha_first-ha_second answers from ha_first (fa:16:3e:8d:dc:bb).\n" in printed(shown)
    assert "withdraw  ha_first -> ha_second: outage 0.0" in printed(shown)
    assert "undo: haos teardown ha_first-ha_second" in told(shown)

    again = output()
    assert show_created(create(prepare(HOWTO, ctx), ctx, lambda _: None), again) == 0
    assert "nothing had to change" in printed(again)

    report = output()
    assert show_report(try_faults(ctx, "withdraw", "stop"), report, Style()) == 0
    assert "| stop       | ha_first  | ha_second |" in printed(report)
    assert printed(report).endswith("PASS: 10.200.51.2 moved 4 times, each within its bound\n")

    table = output()
    assert show_status(status(None, None, ctx), table, Style()) == 0
    assert ": healthy\n" in printed(table)

    removal = output()
    assert show_removal_plan(plan_teardown(None, purge=False, ctx=ctx), removal) == 0
    assert "Plan: 0 to add, 0 to change, 6 to remove." in printed(removal)

    gone = output()
    assert show_torn_down(teardown(None, purge=False, ctx=ctx), gone) == 0
    assert printed(gone).endswith("Pair ha_first-ha_second is gone; VIP 10.200.51.2 is free again.\n")


def test_an_unproven_pair_exits_4_and_says_how_to_go_on() -> None:
    world = howto_world()
    ctx = context_of(world, lost="connection reset")
    shown = output()
    assert show_created(create(prepare(HOWTO, ctx), ctx, lambda _: None), shown) == 4
    assert "UNKNOWN: the observer was lost: connection reset.\n" in printed(shown)
    assert "undo: haos teardown" in told(shown)


def test_an_unhealthy_pair_exits_4() -> None:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    port = next(port for port in world.ports.values() if port.mac == "fa:16:3e:8d:dc:bb")
    world.ports[port.id] = replace(port, pairs=())
    shown = output()
    assert show_status(status(None, None, ctx), shown, Style()) == 4
    assert "NOT HEALTHY" in printed(shown)
    assert "ha_first: its port lacks the address pair" in printed(shown)


def test_quiet_says_results_only() -> None:
    made = output(quiet=True)
    progress = ConsoleProgress(made)
    with progress.step("look"):
        progress.note("note")
    made.hint("hint")
    made.line("result [bold]")
    assert told(made) == ""
    assert printed(made) == "result [bold]\n"


def test_progress_says_what_failed() -> None:
    made = output()
    progress = ConsoleProgress(made)
    with pytest.raises(KeyError), progress.step("look [here]"):
        raise KeyError("x")
    assert "failed look [here]" in told(made)


def test_an_ascii_terminal_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    world = howto_world()
    ctx = context_of(world)
    shown = output()
    assert show_created(create(prepare(HOWTO, ctx), ctx, lambda _: None), shown) == 0
    assert show_report(try_faults(ctx, "withdraw", "stop"), shown, Style()) == 0
    assert (printed(shown) + told(shown)).isascii()
    assert "s +- 0.010 s (bound 0.030 s + 0.1 s margin)" in printed(shown)
