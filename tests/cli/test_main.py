"""The command line: help without weight, options where hands put them, errors with reason, hint and code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from haos import __version__
from haos.cli.argv import split_openstack_options
from haos.cli.lab_cloud import chosen_cloud
from haos.cli.main import COMMANDS, cli, main
from haos.lab.control import LabStatus
from tests.cli.conftest import Haos

HEAVY = ("openstack", "requests", "rich", "keystoneauth1", "yaml", "asyncio", "tenacity")
PLAN = ("--network", "ha_lab", "--nodes", "ha_first,ha_second", "--dry-run")
ROOT = Path(__file__).parents[2]


def loaded_by(*argvs: Sequence[str]) -> list[set[str]]:
    """Return the modules that are loaded after each of these runs of haos in one process."""
    code = (
        "import sys, contextlib, io\n"
        "from haos.cli.main import main\n"
        f"for argv in {list(argvs)!r}:\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main(argv)\n"
        "    print(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return [set(line.split()) for line in ended.stdout.splitlines()]


def test_help_loads_nothing_heavy() -> None:
    argvs = [["--help"], *([name, "--help"] for name in COMMANDS)]
    loaded = loaded_by(*argvs)
    assert len(loaded) == len(argvs)
    assert "haos.cli.main" in loaded[0]
    for argv, modules in zip(argvs, loaded, strict=True):
        assert not modules.intersection(HEAVY), argv


def test_first_help_loads_nothing_of_the_rooms_behind_it() -> None:
    behind = tuple(f"haos.{room}" for room in ("core", "workflow", "adapters", "lab"))
    [loaded] = loaded_by(["--help"])
    assert not [module for module in loaded if module.startswith(behind)]
    assert not loaded & {"shutil", "lzma", "traceback"}


def test_help_lists_every_command() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    for name, (_, text) in COMMANDS.items():
        assert name in shown
        assert text in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize(
    ("argv", "own", "openstack"),
    [
        (["--os-cloud", "x", "status"], ["status"], ["--os-cloud", "x"]),
        (["status", "--os-cloud=x", "web"], ["status", "web"], ["--os-cloud=x"]),
        (["create", "--insecure", "--network", "n"], ["create", "--network", "n"], ["--insecure"]),
        (["-v", "--log-file", "f", "lab", "--os-x"], ["-v", "--log-file", "f", "lab", "--os-x"], []),
        (["status", "lab", "--os-cloud", "x"], ["status", "lab"], ["--os-cloud", "x"]),
        (["lab", "ssh", "a", "--", "--os-cloud", "x"], ["lab", "ssh", "a", "--", "--os-cloud", "x"], []),
        (["status", "--os-cloud"], ["status"], ["--os-cloud"]),
        (["status", "--timeout", "5", "--verify"], ["status"], ["--timeout", "5", "--verify"]),
    ],
)
def test_openstack_options_are_taken_wherever_they_stand(
    argv: list[str], own: list[str], openstack: list[str]
) -> None:
    assert split_openstack_options(argv) == (own, openstack)


@pytest.mark.parametrize(
    ("openstack", "environ", "cloud"),
    [
        (["--os-cloud", "a"], {"OS_CLOUD": "b"}, "a"),
        (["--os-cloud=a"], {}, "a"),
        ([], {"OS_CLOUD": "b"}, "b"),
        ([], {}, None),
    ],
)
def test_the_cloud_is_chosen_as_the_openstack_client_does(
    openstack: list[str], environ: dict[str, str], cloud: str | None
) -> None:
    assert chosen_cloud(openstack, environ) == cloud


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("create",), "missing option '--network'"),
        (("create", "--network", "n", "--nodes", "a,b", "--vip", "x"), "'x' is not an IP address"),
        (("create", "--network", "n", "--nodes", "a,,b"), "holds an empty name"),
        (("create", "--network", "n", "--nodes", "a,b", "--exit-code"), "--exit-code goes with --dry-run"),
        (("failover-test", "--fault", "flood"), "'flood' is not one of"),
        (("nonsense",), "no such command 'nonsense'"),
        (("status", "--nonsense"), "no such option"),
    ],
)
def test_usage_errors_end_with_2(haos: Haos, argv: tuple[str, ...], reason: str) -> None:
    ended = haos(*argv)
    assert ended.code == 2
    assert ended.out == ""
    said, hint = ended.err.splitlines()
    assert said.startswith("haos: ")
    assert reason in said
    assert hint in (f"  hint: haos {argv[0]} --help", "  hint: haos --help")


@pytest.mark.parametrize(
    ("option", "reason", "hint"),
    [
        ("--probe", "--probe '443' is neither a TCP port nor a URL", "--probe tcp:443"),
        ("--flow", "--flow '443' names no TCP port", "--flow tcp:443"),
    ],
)
def test_a_service_that_cannot_be_asked_is_refused_with_an_example(
    haos: Haos, option: str, reason: str, hint: str
) -> None:
    ended = haos("failover-test", option, "443")
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err
    assert f"hint: {hint}" in ended.err


def test_an_unknown_cloud_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["status", "--os-cloud", "nope", "-q"])
    out, err = capsys.readouterr()
    assert stop.value.code == 1
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("haos: ")
    assert "nope" in first
    assert second.startswith("  hint: ")
    assert "Traceback" not in err


def test_debug_shows_where_an_expected_error_came_from(haos: Haos) -> None:
    ended = haos("--debug", "status", "web")
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-2].startswith("haos: no pair named 'web'")


@pytest.mark.parametrize("words", [(), ("create",), ("lab", "up")])
def test_help_is_what_the_option_says(haos: Haos, words: tuple[str, ...]) -> None:
    assert haos("help", *words).out == haos(*words, "--help").out


def test_help_of_what_is_not_there_is_a_usage_error(haos: Haos) -> None:
    ended = haos("help", "lab", "nonsense")
    assert ended.code == 2
    assert "no such command 'lab nonsense'" in ended.err


def test_version(haos: Haos) -> None:
    assert haos("--version").out == f"haos, version {__version__}\n"


@pytest.mark.parametrize("argv", [("-q", "list"), ("list", "-q"), ("--quiet", "list", "--quiet")])
def test_quiet_before_and_after_the_command(haos: Haos, argv: tuple[str, ...]) -> None:
    assert haos(*argv).err == ""
    assert "look at the cloud" in haos("list").err


@pytest.mark.parametrize("argv", [("-v", "create", *PLAN), ("create", *PLAN, "-v"), ("--verbose", "create", *PLAN)])
def test_verbose_before_and_after_the_command(haos: Haos, argv: tuple[str, ...]) -> None:
    assert "POST /v2.0/ports" in haos(*argv).out
    assert "POST /v2.0/ports" not in haos("create", *PLAN).out


@pytest.mark.parametrize("sections", [("status", "Options", "SSH", "Output"), ("list", "Output")])
def test_help_groups_its_options(haos: Haos, sections: tuple[str, ...]) -> None:
    shown = haos(sections[0], "--help").out
    assert [line[:-1] for line in shown.splitlines() if line.endswith(":") and line[0] != " "] == list(sections[1:])
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(("argv", "lines"), [(("lab", "up"), 2), (("-q", "lab", "up"), 0)])
def test_quiet_reaches_the_lab(
    haos: Haos, monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], lines: int
) -> None:
    def up(name: str, *, progress: Callable[[str], None], **_: object) -> LabStatus:
        progress("building")
        return LabStatus(name, "http://127.0.0.1:1", "ovs", 1, ())

    monkeypatch.setattr("haos.lab.control.up", up)
    assert len(haos(*argv).err.splitlines()) == lines
