"""The command line: help without weight, options where hands put them, errors with reason, hint and code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from haos.cli import failover_test as failover_command
from haos.cli.lab_cloud import chosen_cloud
from haos.cli.main import COMMANDS, cli, main, split_openstack_options
from haos.workflow.faults import FAULTS

HEAVY = ("openstack", "requests", "rich", "keystoneauth1", "yaml", "asyncio", "tenacity")
ROOT = Path(__file__).parents[2]


def loaded_by(*argv: str) -> set[str]:
    """Return the modules that a run of haos loads."""
    code = (
        "import sys, contextlib, io\n"
        "from haos.cli.main import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        f"    main({list(argv)!r})\n"
        "print(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(ended.stdout.split())


@pytest.mark.parametrize("argv", [("--help",), *((name, "--help") for name in COMMANDS)])
def test_help_loads_nothing_heavy(argv: tuple[str, ...]) -> None:
    loaded = loaded_by(*argv)
    assert "haos.cli.main" in loaded
    assert not loaded.intersection(HEAVY)


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


def test_the_faults_offered_are_the_faults_there_are() -> None:
    assert set(failover_command.FAULTS) == {*FAULTS, "all"}


@pytest.mark.parametrize(
    ("argv", "own", "openstack"),
    [
        (["--os-cloud", "x", "status"], ["status"], ["--os-cloud", "x"]),
        (["status", "--os-cloud=x", "web"], ["status", "web"], ["--os-cloud=x"]),
        (["create", "--insecure", "--network", "n"], ["create", "--network", "n"], ["--insecure"]),
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


def ended(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("create",), "Missing option '--network'"),
        (("create", "--network", "n", "--nodes", "a,b", "--vip", "x"), "'x' is not an IP address"),
        (("create", "--network", "n", "--nodes", "a,,b"), "holds an empty name"),
        (("create", "--network", "n", "--nodes", "a,b", "--exit-code"), "--exit-code goes with --dry-run"),
        (("failover-test", "--fault", "flood"), "'flood' is not one of"),
        (("nonsense",), "No such command 'nonsense'"),
        (("status", "--nonsense"), "No such option"),
    ],
)
def test_usage_errors_end_with_2(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], reason: str) -> None:
    code, out, err = ended(capsys, *argv)
    assert code == 2
    assert out == ""
    assert reason in err


def test_an_unknown_cloud_is_one_line_and_a_hint(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    code, out, err = ended(capsys, "status", "--os-cloud", "nope", "-q")
    assert code == 1
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("haos: ")
    assert "nope" in first
    assert second.startswith("  hint: ")
    assert "Traceback" not in err
