"""What is missing is named, with the command that provides it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from haos.lab import requirements, trial
from haos.lab.errors import LabError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without mmdebstrap and nft."""
    there = shutil.which

    def which(tool: str, path: str) -> str | None:
        return None if tool in ("mmdebstrap", "nft") else there(tool, path=path)

    monkeypatch.setattr(shutil, "which", which)
    monkeypatch.setattr(requirements, "is_root", lambda: True)


def test_missing_packages_are_named_with_the_command(bare: None) -> None:
    with pytest.raises(LabError, match="missing on this machine: mmdebstrap, nftables") as caught:
        requirements.check()
    assert caught.value.hint == "apt-get install mmdebstrap nftables"


def test_install_updates_first_and_starts_no_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    calls: list[list[str]] = []

    def run(argv: Sequence[str], *, env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert policy.read_text().endswith("exit 101\n")
        assert env["DEBIAN_FRONTEND"] == "noninteractive"
        calls.append(list(argv))
        return subprocess.CompletedProcess(argv, 0, "", "")

    monkeypatch.setattr(requirements, "POLICY", policy)
    monkeypatch.setattr(subprocess, "run", run)
    requirements.install_packages(["nftables"], print)
    assert [call[1] for call in calls] == ["update", "install"]
    assert calls[1][-1] == "nftables"
    assert not policy.exists()


def test_refused_install_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(argv: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(argv, 100, "", "E: Unable to locate package nftables\n")

    monkeypatch.setattr(requirements, "POLICY", tmp_path / "policy")
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(LabError, match="Unable to locate package nftables"):
        requirements.install_packages(["nftables"], print)


def test_file_system_that_cannot_be_mounted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def mount(source: str, target: str, kind: str, *_: Any) -> None:
        if kind == "overlay":
            raise OSError(22, "Invalid argument", target)

    monkeypatch.setattr(trial, "mount", mount)
    assert trial.problem(tmp_path) == (
        "no overlay file system can be mounted in the lab's namespaces (Invalid argument)",
        trial.ELSEWHERE,
    )
