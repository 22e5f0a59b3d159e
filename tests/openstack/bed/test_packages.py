"""Packages: nothing starts, nothing is enabled, and where it may not install it says in one line what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.openstack.bed import packages
from tests.openstack.bed.model import BedError


def test_a_policy_is_there_meanwhile_and_gone_after_a_failure_too(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    seen = []

    def fail() -> None:
        with packages.services_kept_down(policy):
            seen.append((policy.read_text(), policy.stat().st_mode & 0o111))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert seen == [(packages.POLICY_TEXT, 0o111)]
    assert not policy.exists()


def test_a_policy_of_the_machines_own_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    with packages.services_kept_down(policy):
        pass
    assert policy.read_text() == "#!/bin/sh\nexit 101\n"


def test_a_policy_that_lets_services_start_is_refused(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    with pytest.raises(BedError, match="lets packages start services"), packages.services_kept_down(policy):
        pass
    assert policy.exists()


def test_one_left_by_a_killed_installation_is_taken_over(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text(packages.POLICY_TEXT)
    packages.forget_policy(policy)
    assert not policy.exists()
    policy.write_text("#!/bin/sh\nexit 101\n")
    packages.forget_policy(policy)
    assert policy.exists()


def test_what_is_missing_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "PROGRAMS", {"no-such-program": "no-such-package", "sh": "dash"})
    missing = packages.missing()
    with pytest.raises(BedError, match="these packages are missing: no-such-package") as caught:
        packages.check_allowed(missing, may_install=False)
    assert "no-such-package" in (caught.value.hint or "")
    packages.check_allowed([], may_install=False)


def test_what_an_installation_enabled_is_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wants = tmp_path / "multi-user.target.wants"
    wants.mkdir()
    (wants / "mine.service").symlink_to("/lib/systemd/system/mine.service")
    monkeypatch.setattr(packages, "UNITS", tmp_path)
    monkeypatch.setattr(packages, "missing", list)
    monkeypatch.setattr(packages, "POLICY", tmp_path / "policy-rc.d")

    def install(arguments: list[str], _log: Path) -> None:
        if arguments[0] == "install":
            (wants / "some-broker.service").symlink_to("/lib/systemd/system/some-broker.service")

    monkeypatch.setattr(packages, "_apt", install)
    packages.install(["some-broker"], tmp_path / "apt.log")
    assert not (tmp_path / "policy-rc.d").exists()
    assert [path.name for path in wants.iterdir()] == ["mine.service"]
