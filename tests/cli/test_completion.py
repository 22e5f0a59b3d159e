"""Completion as the shells ask for it; from the cache alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from haos.cli import pair_cache
from haos.cli.completion import SHELLS
from haos.cli.main import COMMANDS
from tests.cli.conftest import Haos
from tests.cli.test_main import HEAVY

BIN = Path(sys.executable).parent


def completed(monkeypatch: pytest.MonkeyPatch, haos: Haos, words: str, shell: str = "bash") -> list[str]:
    """Return what is offered for the last word of a command line."""
    cword = str(len(words.split(" ")) - 1) if shell != "fish" else words.rpartition(" ")[2]
    monkeypatch.setenv("_HAOS_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", cword)
    ended = haos()
    monkeypatch.delenv("_HAOS_COMPLETE")
    assert (ended.code, ended.err) == (0, "")
    if shell == "zsh":
        return ended.out.splitlines()[1::3]
    return [line.partition(",")[2].partition("\t")[0] for line in ended.out.splitlines()]


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_and_options(monkeypatch: pytest.MonkeyPatch, haos: Haos, shell: str) -> None:
    offered = completed(monkeypatch, haos, "haos ", shell)
    assert [name for name in offered if not name.startswith("-")] == list(COMMANDS)
    assert completed(monkeypatch, haos, "haos te", shell) == ["teardown"]
    assert completed(monkeypatch, haos, "haos teardown --pu", shell) == ["--purge"]
    assert completed(monkeypatch, haos, "haos -q list -f ", shell) == ["table", "json", "yaml", "value", "csv"]
    assert completed(monkeypatch, haos, "haos help lab do", shell) == []


def test_pairs_come_from_the_cache_of_the_same_cloud(monkeypatch: pytest.MonkeyPatch, haos: Haos) -> None:
    pair_cache.replace(["--os-cloud=one"], {**os.environ}, ["web", "db"])
    pair_cache.replace(["--os-cloud", "two"], {**os.environ}, ["other"])
    for command in ("status", "teardown", "failover-test"):
        assert completed(monkeypatch, haos, f"haos --os-cloud one {command} ") == ["db", "web"]
    assert completed(monkeypatch, haos, "haos status --os-cloud=two ") == ["other"]
    assert completed(monkeypatch, haos, "haos status --os-cloud one w") == ["web"]
    assert completed(monkeypatch, haos, "haos status --os-cloud ") == []
    assert completed(monkeypatch, haos, "haos status ") == []
    monkeypatch.setenv("OS_CLOUD", "two")
    assert completed(monkeypatch, haos, "haos status ") == ["other"]
    monkeypatch.setenv("OS_PROJECT_NAME", "elsewhere")
    assert completed(monkeypatch, haos, "haos status ") == []


def test_commands_fill_the_cache(monkeypatch: pytest.MonkeyPatch, haos: Haos) -> None:
    assert haos("create", "--network", "ha_lab", "--nodes", "ha_first,ha_second", "--name", "web", "-q").code == 0
    assert completed(monkeypatch, haos, "haos status ") == ["web"]
    pair_cache.replace([], os.environ, ["gone"])
    assert haos("status").code == 0
    assert completed(monkeypatch, haos, "haos status ") == ["gone", "web"]
    assert haos("list").code == 0
    assert completed(monkeypatch, haos, "haos status ") == ["web"]
    assert haos("teardown").code == 0
    assert completed(monkeypatch, haos, "haos status ") == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{" ": 1}', '{" ": [1, "a b;$(reboot)", "ok"]}'])
def test_a_broken_cache_is_harmless(monkeypatch: pytest.MonkeyPatch, haos: Haos, home: Path, text: str) -> None:
    (home / "haos").mkdir()
    (home / "haos" / "pairs.json").write_text(text)
    assert completed(monkeypatch, haos, "haos status ") == (["ok"] if "ok" in text else [])
    assert haos("list", "-q").code == 0


def test_a_cache_that_cannot_be_written_is_left_alone(home: Path, haos: Haos) -> None:
    (home / "haos").write_text("a file where the folder should be")
    assert haos("list", "-q").code == 0


def test_completion_loads_nothing_heavy() -> None:
    code = "import sys; from haos.cli.main import main\ntry: main()\nexcept SystemExit: print(*sys.modules)"
    environ = {**os.environ, "_HAOS_COMPLETE": "bash_complete", "COMP_WORDS": "haos status ", "COMP_CWORD": "2"}
    ended = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert "haos.cli.pair_cache" in ended.stdout
    assert not set(ended.stdout.split()) & set(HEAVY)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_the_shells(haos: Haos, shell: str) -> None:
    ended = haos("completion", shell)
    assert ended.code == 0
    assert f"_HAOS_COMPLETE={shell}_complete" in ended.out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=ended.out, text=True, check=True)


def test_help_of_completion_says_where_to_put_it(haos: Haos) -> None:
    assert 'eval "$(haos completion bash)"' in haos("completion", "--help").out


@pytest.mark.real
def test_bash_completes(home: Path) -> None:
    script = (
        f'PATH={BIN}:$PATH; eval "$(haos completion bash)"; COMP_WORDS=(haos tea); COMP_CWORD=1; '
        '_haos_completion haos; echo "${COMPREPLY[@]}"'
    )
    ended = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "teardown\n"
