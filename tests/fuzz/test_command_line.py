"""Any values for any options of every command: an exit code that the README names, one line why, no traceback."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.cli.main import COMMANDS
from tests.fakes import World, howto_world, routed_world
from tests.fuzz.amount import examples
from tests.fuzz.running import EXIT_CODES, errors_of, run_haos

OTHERS = {"lab", "completion", "help"}
"""They start something, or ask no cloud."""
NOT_HERE = {"--watch", "--ask-sudo-password", "--rounds", "--pause", "--help"}
"""They go on until Ctrl-C, ask at the terminal, or only take longer."""
VALUES = (
    *(
        "ha_lab",
        "ha_first",
        "ha_second",
        "observer",
        "web",
        "ha_first,ha_second",
        "ha_second,ha_first,observer",
        "public",
    ),
    *(
        "0",
        "1",
        "2",
        "-1",
        "254",
        "255",
        "240,230",
        "0.01",
        "0.3",
        "40.95",
        "41",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "9" * 400,
    ),
    *("1s", "500ms", "0ms", "2m", "1h", "\u00b2", "\u0663", "4294967296"),
    *(
        "10.200.51.5",
        "10.200.51.1",
        "10.200.51.32",
        "10.200.51.255",
        "10.9.9.9",
        "300.1.1.1",
        "1.2.3",
        "::1",
        "fd00::/8",
    ),
    *(
        "10.200.51.5/32",
        "fe80::1%eth0",
        "tcp:443",
        "tcp:0",
        "tcp:65536",
        "tcp:x",
        "http://x/",
        "https://[::1]/",
        "http://",
    ),
    *("http://[", "ftp://x", "true", "http://user:secret@x/", "a\nb", "/bin/true; reboot"),
    *(
        "",
        " ",
        ",",
        ",,",
        "a,,b",
        "-",
        "--",
        "=",
        "x" * 300,
        "\udcff",
        "\U0001f600",
        "\x1b[31m",
        "%",
        "'",
        "{}",
        "/",
        ".",
    ),
)
"""What could be meant by one option or another, and what by none."""
values = st.sampled_from(VALUES) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8
)


def options_of(name: str) -> list[click.Option]:
    command = importlib.import_module(COMMANDS[name][0]).command
    return [one for one in command.params if isinstance(one, click.Option) and not NOT_HERE & set(one.opts)]


@st.composite
def command_lines(draw: st.DrawFn, name: str) -> list[str]:
    """Draw a command line: mostly as it could be meant, with some options of any value."""
    words = [name]
    if name in ("create", "check") and draw(st.integers(0, 5)):
        words += ["--network=ha_lab", "--nodes=ha_first,ha_second"]
    for option in draw(st.lists(st.sampled_from(options_of(name)), max_size=4, unique_by=lambda one: one.opts[0])):
        spelled = draw(st.sampled_from([*option.opts, *option.secondary_opts]))
        if option.is_flag:
            words.append(spelled)
        elif isinstance(option.type, click.Choice) and draw(st.integers(0, 3)):
            words.append(f"{_long(option)}={draw(st.sampled_from(option.type.choices))}")
        elif spelled.startswith("--"):
            words.append(f"{spelled}={draw(values)}")
        else:
            words += [spelled, draw(values)]
    if draw(st.integers(0, 4)) == 0:
        words.append(draw(values))
    return words


def _long(option: click.Option) -> str:
    return max(option.opts, key=len)


WORLDS: tuple[Callable[[], World], ...] = (howto_world, routed_world)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in OTHERS])
@examples(8)
@given(data=st.data())
def test_any_command_line_ends_as_it_should(name: str, data: st.DataObject, tmp_path: Path) -> None:
    argv = data.draw(command_lines(name))
    world = data.draw(st.sampled_from(WORLDS))()
    if name not in ("create", "list") and data.draw(st.integers(0, 3)):
        assert (
            run_haos(["create", "--network=ha_lab", "--nodes=ha_first,ha_second", "-y", "--no-verify"], world).code
            == 0
        )
    ended = run_haos(argv, world)
    assert ended.code in EXIT_CODES, ended
    assert len(errors_of(ended)) <= 1, ended.err
    if ended.code in (1, 2, 5, 6):
        assert len(errors_of(ended)) == 1 or name == "check", (argv, ended)


@examples(15)
@given(words=st.lists(values, max_size=4))
def test_what_is_no_command_line_is_misuse(words: list[str]) -> None:
    ended = run_haos([word for word in words if word not in COMMANDS], howto_world())
    assert ended.code in (0, 2)
    assert len(errors_of(ended)) <= 1


@pytest.mark.parametrize("wish", ["300.1.1.1", "1.2.3", "10.0.0.256", "10.0.0.1/24"])
def test_a_floating_ip_that_is_no_address_is_said_to_be_none_and_no_network(wish: str) -> None:
    world = routed_world()
    argv = ["create", "--network=ha_lab", "--nodes=ha_first,ha_second", f"--floating-ip={wish}", "--dry-run"]
    ended = run_haos(argv, world)
    assert ended.code == 1
    assert errors_of(ended) == [f"haos: {wish!r} is no IP address, and no network is named so"]


def test_a_network_may_be_called_like_an_address() -> None:
    world = routed_world()
    for key, network in list(world.networks.items()):
        if network.external:
            world.networks[key] = type(network)(network.id, "300.1.1.1", network.project_id, external=True)
    argv = ["create", "--network=ha_lab", "--nodes=ha_first,ha_second", "--floating-ip=300.1.1.1", "--dry-run"]
    assert run_haos(argv, world).code == 0
