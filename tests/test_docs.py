"""The docs against the code: the README's two commands, and every command named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from haos import __version__
from haos.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_readme_has_exactly_two_set_up_commands_of_one_line() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks == ["sh .ci/demo\n", "sh .ci/tests\n"]


@pytest.mark.parametrize(("heading", "command"), [("Try it on this machine", "demo"), ("Run the tests", "tests")])
def test_each_stands_under_its_heading(heading: str, command: str) -> None:
    section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert f"sh .ci/{command}" in section
    assert (ROOT / ".ci" / command).stat().st_mode & 0o100


def test_ci_is_the_readmes_test_command() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == 'exec sh "$(dirname "$0")/tests"'


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"haos {name}" in README


def test_links_of_the_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_changelog_knows_what_comes() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{__version__}]" in text
