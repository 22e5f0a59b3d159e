"""A port whose name and description move a terminal's cursor: what is said of it stays one harmless line."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Haos
from tests.fakes import World
from tests.records import edit_port
from tests.workflow.tampering import made

NASTY = "web\x1b[2J\r\nhaos: all is well"


@pytest.fixture
def world() -> World:
    return made()


@pytest.mark.parametrize("command", ["status", "check", "create", "switchover", "failover-test", "teardown"])
def test_what_is_said_of_it_is_one_line(haos: Haos, world: World, command: str) -> None:
    edit_port(world, name=NASTY, description="\x1b[31mhaos/1")
    options = ("--network", "ha_lab", "--nodes", "ha_first,ha_second") if command == "create" else ()
    ended = haos(command, *options)
    assert ended.code == 5
    [reason, hint] = [line for line in ended.err.splitlines() if line.startswith(("haos: ", "  hint: "))]
    assert "the record on reservation port web" in reason
    assert "cannot be trusted" in reason
    assert "openstack port show" in hint
    assert not {"\x1b", "\r"} & set(ended.err + ended.out)
