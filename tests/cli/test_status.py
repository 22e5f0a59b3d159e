"""What `haos status` prints, once and while it watches: whole output, on terminals of all kinds, in pipes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from haos.core.model import InstanceAction
from haos.view.console import Output
from haos.view.status import show_status
from haos.view.style import Style
from haos.view.watch import show_watch
from haos.workflow.context import Context
from haos.workflow.create import create, prepare
from haos.workflow.status import status
from haos.workflow.watch import Frame, watch
from tests.cli.conftest import Haos
from tests.fakes import World, change_port, context_of, howto_world, port_of
from tests.workflow.test_status import HOWTO, nodes
from tests.workflow.test_watch import switch

RULE = "+-----------+--------+-----+----------+------------+--------+------+----------+"
TABLE = f"""\
{RULE}
| Node      | Role   | VIP | Priority | Keepalived | Config | Port | Instance |
{RULE}
| ha_first  | Active | yes |      240 | 2.2.7      | ok     | ok   | ACTIVE   |
| ha_second | Backup | no  |      230 | 2.2.7      | ok     | ok   | ACTIVE   |
{RULE}
"""
START = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


def made_world() -> World:
    world = howto_world()
    ctx = context_of(world)
    create(prepare(HOWTO, ctx), ctx, lambda _: None)
    return world


def terminal(width: int, height: int = 24, *, is_terminal: bool = True) -> Output:
    made = Output()
    for name in ("out", "err"):
        console = Console(
            file=io.StringIO(),
            width=width,
            height=height,
            force_terminal=is_terminal,
            color_system=None,
            highlight=False,
            soft_wrap=True,
            _environ={"TERM": "xterm"},
        )
        setattr(made, name, console)
    return made


def printed(made: Output) -> str:
    assert isinstance(made.out.file, io.StringIO)
    return made.out.file.getvalue()


def shown(world: World, width: int, *, is_terminal: bool = True) -> str:
    made = terminal(width, is_terminal=is_terminal)
    show_status(status(None, None, context_of(world)), made, Style())
    return printed(made)


def drifted() -> World:
    """A pair with something wrong on every side."""
    world = made_world()
    first, second = nodes(world)
    for node in (first, second):
        world.instances[node.instance.id] = replace(node.instance, host_id="one")
    change_port(world, first, pairs=(), admin_up=False)
    context_of(world).cloud.instance_action(second.instance.id, InstanceAction.STOP)
    return world


def test_a_healthy_pair_at_80_and_160_columns() -> None:
    world = made_world()
    title = "Pair ha_first-ha_second: VIP 10.200.51.2, VRID 1, mode garp, advertisements"
    seen = "Observer observer: ICMP answered by ha_first in 1 ms, a fresh ARP request by"
    assert shown(world, 80) == (f"{title}\n  every 0.3 s: healthy\n{TABLE}{seen}\n  ha_first (icmp-raw+arp)\n")
    wide = f"{title} every 0.3 s: healthy\n{TABLE}{seen} ha_first (icmp-raw+arp)\n"
    assert shown(world, 160) == wide
    assert shown(world, 80, is_terminal=False) == wide


def test_what_is_wrong_stands_below_with_the_command_that_helps() -> None:
    world = drifted()
    _, second = nodes(world)
    assert (
        shown(world, 160).partition("every 0.3 s: ")[2]
        == f"""\
NOT HEALTHY
+-----------+---------+-----+----------+------------+---------+---------------+----------+
| Node      | Role    | VIP | Priority | Keepalived | Config  | Port          | Instance |
+-----------+---------+-----+----------+------------+---------+---------------+----------+
| ha_first  | unknown | ?   |      240 | ?          | unknown | down, no pair | ACTIVE   |
| ha_second | unknown | ?   |      230 | ?          | unknown | ok            | SHUTOFF  |
+-----------+---------+-----+----------+------------+---------+---------------+----------+
Observer observer: ICMP not answered, a fresh ARP request by nobody (icmp-raw+arp)
! ha_first: its port is administratively down
! ha_first: its port lacks the address pair 10.200.51.2
    haos repair ha_first-ha_second
! ha_first: ha_first does not answer on port 22
    is it up?
! ha_second: its instance is SHUTOFF
    openstack server start {second.instance.id}
! two nodes run on one hypervisor: if it dies, so does the VIP
    put them into a server group with policy anti-affinity when they are next built
! 10.200.51.2 does not answer observer
"""
    )


def test_nothing_is_wider_than_the_terminal_but_a_command() -> None:
    lines = shown(drifted(), 80).splitlines()
    assert all(len(line) <= 80 or line.startswith("    ") for line in lines)
    assert "| Node      | Role    | VIP | Priority | Keepalived | Config  | Port          |" in lines


def test_an_ascii_terminal_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    assert shown(drifted(), 80).isascii()
    made = terminal(80)
    world = made_world()
    world.takeover_s = 0.5
    code = show_watch(frames(world, (2.0, switch(nodes(world)[0], on=False)), for_s=8.0), made, Style())
    assert code == 4
    assert printed(made).isascii()


def test_the_effective_priority_is_told_where_it_differs() -> None:
    world = made_world()
    second = nodes(world)[1]
    sight = second.sight
    second.sight = lambda *args: replace(sight(*args), priority=250)  # type: ignore[method-assign]
    assert "| 230, now 250 |" in shown(world, 160)


def test_fields_for_programs(haos: Haos, world: World) -> None:
    haos("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second", "-q")
    seen = json.loads(haos("status", "-f", "json").out)
    first = nodes(world)[0]
    assert seen["Nodes"][0] == {
        "name": "ha_first",
        "instance": first.instance.id,
        "instance_status": "ACTIVE",
        "port": port_of(world, first).id,
        "port_up": True,
        "address": "10.200.51.32",
        "role": "Active",
        "holds_vip": True,
        "priority": 240,
        "effective_priority": None,
        "keepalived": "2.2.7",
        "keepalived_running": True,
        "pair_admitted": True,
        "vrrp_admitted": True,
        "config": "ok",
        "problem": None,
    }
    assert seen["Observer"] == {
        "name": "observer",
        "method": "icmp-raw+arp",
        "answered": True,
        "answered_by": "ha_first",
        "answered_from": first.mac,
        "fresh_answered_by": ["ha_first"],
        "round_trip_ms": 1.0,
        "neighbour": first.mac,
        "lost": None,
    }
    first.daemon = False
    [trouble, *_] = json.loads(haos("status", "-f", "json").out)["Troubles"]
    assert trouble == {
        "code": "keepalived",
        "where": "ha_first",
        "reason": "keepalived does not run",
        "remedy": "haos repair ha_first-ha_second",
        "grave": True,
    }
    plain = haos("status", "-f", "value", "-c", "Nodes", "-c", "Observer", "-c", "Troubles").out
    assert plain.splitlines()[:2] == ["ha_first (stopped), ha_second (Backup)", "observer"]


def frames(
    world: World, *deeds: tuple[float, Callable[[], object]], for_s: float, ctx: Context | None = None
) -> Iterator[Frame]:
    """Yield frames for a time of the world's clock; then somebody presses Ctrl-C."""
    started_s, left = world.clock.now, list(deeds)
    with closing(watch(None, None, ctx or context_of(world), every_s=2.0)) as seen:
        for frame in seen:
            yield frame
            while left and world.clock.now - started_s >= left[0][0]:
                left.pop(0)[1]()
            if world.clock.now - started_s >= for_s:
                raise KeyboardInterrupt


def documents(
    world: World, *deeds: tuple[float, Callable[[], object]], for_s: float
) -> tuple[int, list[dict[str, Any]]]:
    made = terminal(80, is_terminal=False)
    started_s = world.clock.now
    code = show_watch(
        frames(world, *deeds, for_s=for_s),
        made,
        Style(),
        wall=lambda: START + timedelta(seconds=world.clock.now - started_s),
    )
    return code, [json.loads(line) for line in printed(made).splitlines()]


def test_in_a_pipe_each_change_is_a_document_on_a_line() -> None:
    world = made_world()
    world.takeover_s = 0.2
    code, seen = documents(world, (3.0, switch(nodes(world)[0], on=False)), for_s=10.0)
    assert code == 4
    assert [(one["Healthy"], one["Active"], [event["kind"] for event in one["Events"]]) for one in seen] == [
        (True, "ha_first", []),
        (True, "ha_first", ["moved"]),
        (False, "ha_second", ["role", "role", "trouble"]),
    ]
    moved = seen[1]["Events"][0]
    assert {key: moved[key] for key in ("text", "from", "to")} == {
        "text": "VIP moved ha_first -> ha_second, gone for 0.20 s",
        "from": "ha_first",
        "to": "ha_second",
    }
    assert moved["gone_s"] == pytest.approx(0.2, abs=0.011)
    at = datetime.fromisoformat(moved["time"])
    assert timedelta(seconds=3.2) <= at - START <= timedelta(seconds=3.6)


def test_nothing_new_is_not_written_again() -> None:
    code, seen = documents(made_world(), for_s=25.0)
    assert (code, len(seen)) == (0, 1)


def test_the_screen_is_drawn_in_place_with_what_happened_below() -> None:
    world = made_world()
    world.takeover_s = 0.81
    made = terminal(80)
    started_s = world.clock.now
    first = nodes(world)[0]
    code = show_watch(
        frames(world, (3.0, switch(first, on=False)), for_s=9.0),
        made,
        Style(),
        wall=lambda: START + timedelta(seconds=world.clock.now - started_s),
    )
    assert code == 4
    last = re.split(r"\x1b\[[0-9;]*[A-HJK]|\x1b\[2K", printed(made))
    text = "".join(last[-30:])
    assert "14:30:03.8  VIP moved ha_first -> ha_second, gone for 0.81 s" in text
    assert "ha_first: Active -> stopped" in text
    assert "! ha_first: keepalived does not run" in text
    assert "SSSSSSSS" in text, "who answers now"
    assert "Ctrl-C ends" in text
    assert printed(made).count("\x1b[1A") > 100, "it goes up and draws again"
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", printed(made)).replace("\r", "\n").splitlines()
    assert max(len(line) for line in lines if not line.startswith("    on ")) <= 80


def test_a_reader_who_has_gone_ends_the_watch() -> None:
    made = terminal(80, is_terminal=False)
    world = made_world()

    def endless() -> Iterator[Frame]:
        for frame in frames(world, for_s=600.0):
            yield frame
            made.out.quiet = True  # as view.console does where the pipe is broken

    assert show_watch(endless(), made, Style()) == 0


def test_an_interrupt_before_anything_was_seen_is_one() -> None:
    def interrupted() -> Iterator[Frame]:
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        show_watch(interrupted(), terminal(80), Style())


def iter_nothing() -> Generator[Frame, None, None]:
    yield from ()


@pytest.mark.parametrize(
    ("argv", "every_s"),
    [
        (["--watch"], 2.0),
        (["--watch", "web"], 2.0),
        (["--watch", "5", "web"], 5.0),
        (["web", "--watch", "0.5"], 0.5),
        (["web", "--watch=7", "-f", "json"], 7.0),
        (["web"], None),
    ],
)
def test_the_seconds_may_be_left_out(
    haos: Haos, monkeypatch: pytest.MonkeyPatch, argv: list[str], every_s: float | None
) -> None:
    asked: list[object] = []

    def noted(*_: object, every_s: float) -> Iterator[Frame]:
        asked.append(every_s)
        return iter_nothing()

    monkeypatch.setattr("haos.workflow.watch.watch", noted)
    monkeypatch.setattr("haos.view.watch.show_watch", lambda *args: 0)
    monkeypatch.setattr("haos.cli.status._once", lambda *args: 0)
    monkeypatch.setattr("signal.signal", lambda *args: None)
    assert haos("status", *argv).code == 0
    assert asked == ([] if every_s is None else [every_s])


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--watch", "0.1"], "0.1 is not in the range"),
        (["--watch", "-f", "yaml"], "--watch shows a screen or writes JSON, not yaml"),
    ],
)
def test_what_cannot_be_watched(haos: Haos, argv: list[str], said: str) -> None:
    ended = haos("status", *argv)
    assert ended.code == 2
    assert said in ended.err
