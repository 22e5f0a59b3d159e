"""--log-file, --timing and --debug, with a real session over canned answers."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests_mock

from haos.cli.main import main
from tests.adapters.cloud_double import CLOUDS, NEUTRON, serve_keystone


@pytest.fixture
def listing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "clouds.yaml").write_text(CLOUDS)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(home / "clouds.yaml"))


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    with requests_mock.Mocker() as mock:
        serve_keystone(mock)
        mock.get(f"{NEUTRON}/ports", json={"ports": []})
        with pytest.raises(SystemExit) as stop:
            main(["--os-cloud", "test", *argv])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


@pytest.mark.usefixtures("listing")
@pytest.mark.parametrize("argv", [("--timing", "list", "-q"), ("list", "-q", "--timing")])
def test_timing_is_a_table_on_stderr(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *argv)
    assert (code, out) == (0, "\n")
    lines = err.splitlines()
    assert lines[1].startswith("| URL ")
    assert lines[1].endswith(" Seconds |") or " Seconds " in lines[1]
    assert any(f"| GET {NEUTRON}/ports?" in line for line in lines)
    assert lines[-2].startswith("| Total ")


@pytest.mark.usefixtures("listing")
def test_the_log_file_has_steps_and_requests(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    code, out, err = run(capsys, "-q", "list", "--log-file", "haos.log")
    assert (code, out, err) == (0, "\n", "")
    text = (home / "haos.log").read_text()
    assert "INFO haos.steps look at the cloud: ok, " in text
    assert f"INFO haos.requests GET {NEUTRON}/ports?" in text
    run(capsys, "list", "--log-file", "haos.log")
    assert (home / "haos.log").read_text().startswith(text)


@pytest.mark.usefixtures("listing")
def test_the_log_file_has_the_error(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    assert run(capsys, "-q", "status", "web", "--log-file", "haos.log")[0] == 1
    assert "ERROR haos no pair named 'web' in this project" in (home / "haos.log").read_text()


@pytest.mark.usefixtures("listing")
def test_debug_shows_requests_without_secrets(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    _, _, err = run(capsys, "--debug", "list", "--log-file", "haos.log")
    text = (home / "haos.log").read_text()
    for shown in (err, text):
        assert "REQ: curl -g -i" in shown
        assert "secret" not in shown


@pytest.mark.usefixtures("listing")
def test_a_log_file_that_cannot_be_written_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "list", "--log-file", "none/haos.log")
    assert code == 2
    assert "haos: --log-file none/haos.log: No such file or directory" in err
