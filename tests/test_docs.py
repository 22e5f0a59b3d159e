"""The docs against the code: commands, options, findings, files, tables and links are what the code has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import click
import pytest
import yaml  # type: ignore[import-untyped]

from haos import __version__, errors
from haos.adapters.connect import SETTINGS
from haos.cli.main import COMMANDS, cli
from haos.core import record, service, vrrp
from haos.core.fault import Guard
from haos.core.guestnet import keep_files
from haos.core.model import FixedIp, Mode, OwnFloatingIp, Port, Timing, virtual_mac
from haos.core.node import NodeFacts
from haos.errors import HostKeyError, LoginError, RemoteError
from haos.workflow.faults import DEFAULT, FAULTS
from haos.workflow.preflight import unreachable

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted(DOCS.glob("*.md"))
OPERATORS_PAGES = README + "".join(page.read_text() for page in sorted(DOCS.glob("*.md")))
CHECKS = (
    "core/checks.py",
    "core/floating.py",
    "core/floating_route.py",
    "core/node_checks.py",
    "workflow/preflight.py",
    "workflow/check.py",
)
MADE_OF = {
    "quota-{}": ("quota-port", "quota-security-group", "quota-security-group-rule", "quota-floatingip"),
    "keepalived-no-{}": ("keepalived-no-vmac", "keepalived-no-bfd"),
}
"""Codes that the source puts together; a new one has to be entered here."""


def test_readme_has_exactly_two_set_up_commands_of_one_line() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert blocks == ["sh .ci/demo\n", "sh .ci/tests\n"]


@pytest.mark.parametrize(("heading", "command"), [("Try it on this machine", "demo"), ("Run the tests", "tests")])
def test_each_stands_under_its_heading(heading: str, command: str) -> None:
    section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    assert f"sh .ci/{command}" in section
    assert (ROOT / ".ci" / command).stat().st_mode & 0o100


def test_ci_is_the_readmes_test_command_and_then_the_tier_on_real_openstack() -> None:
    tests, openstack = (ROOT / ".ci" / "run").read_text().splitlines()[-2:]
    assert tests == 'sh "$here/tests"'
    assert re.fullmatch(r'BACKENDS=ovn sh "\$here/openstack" tests/contract tests/openstack/.*', openstack)
    assert "openstack run" not in (ROOT / ".ci" / "tests").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"haos {name}" in README


def commands(group: click.Group, path: str = "haos") -> Iterator[tuple[str, click.Command]]:
    """Yield every command and sub-command with its whole name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def test_every_command_and_option_is_told_somewhere() -> None:
    untold = []
    for name, command in [("haos", cli), *commands(cli)]:
        if name not in OPERATORS_PAGES:
            untold.append(name)
        for option in command.get_params(click.Context(command)):
            if isinstance(option, click.Option) and not option.hidden:
                spelled = [*option.opts, *option.secondary_opts]
                untold += [f"{name} {one}" for one in spelled if not re.search(rf"`{one}\b", OPERATORS_PAGES)]
    assert not untold, "say in docs/commands.md what these do"


def codes_in(source: str) -> Iterator[str]:
    """Yield the codes of every finding that is made in a source."""
    for node in ast.walk(ast.parse((ROOT / "haos" / source).read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("blocker", "warning", "info"):
            match node.args[0]:
                case ast.Constant(value=str(code)):
                    yield code
                case ast.JoinedStr(values=parts):
                    yield from MADE_OF["".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in parts)]
                case ast.Name(id="code"):
                    for error in (HostKeyError("x"), LoginError("x"), RemoteError("x")):
                        yield unreachable("web1", error).code


def test_every_finding_is_in_the_troubleshooting_and_no_other() -> None:
    table = (DOCS / "troubleshooting.md").read_text().partition("\n## Findings of haos check\n")[2]
    told = {
        code for row in re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE) for code in re.findall("`(.+?)`", row)
    }
    assert told == {code for source in CHECKS for code in codes_in(source)}


def test_every_exit_code_is_told() -> None:
    rows = (DOCS / "troubleshooting.md").read_text().partition("## Exit codes\n")[2].partition("\n## ")[0]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", rows, re.MULTILINE)}
    known = {
        each.exit_code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "exit_code")
    }
    assert told == {0, 3} | known


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Yield (what the comment above it says, text) of every block that has one."""
    yield from re.findall(r"^<!-- (.+?) -->\n```\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def test_files_in_the_docs_are_what_haos_writes() -> None:
    seen = set()
    for page in ("how-it-works.md", "profiles-and-bounds.md"):
        for origin, text in blocks(page):
            seen.add(origin)
            if origin.startswith("lines of "):
                whole = (ROOT / origin.removeprefix("lines of ")).read_text().splitlines()
                assert set(text.splitlines()) <= set(whole), origin
            elif origin.startswith("fixtures/"):
                assert text == (ROOT / origin).read_text(), origin
            elif origin == "haos.core.guestnet.keep_files":
                facts = NodeFacts("web1", "Debian", "apt", True, "ens3", net_manager="systemd-networkd",
                                  network_file="/run/systemd/network/10-ens3.network")  # fmt: skip
                assert [text] == [file.text for file in keep_files(facts)]
            elif origin.startswith("haos.core.service.script "):
                [check] = service.parse_checks([origin.partition("script ")[2]])
                assert text == service.script(check)
    assert len(seen) == 8, seen


def test_the_record_in_the_docs_is_one() -> None:
    [text] = [text for origin, text in blocks("how-it-works.md") if origin == "record"]
    port = Port(
        id="8c5153c4-34c0-4c64-9494-901b9484d40b",
        network_id="net",
        project_id="project",
        mac=virtual_mac(1, 4),
        fixed_ips=(FixedIp(ip_address("10.200.51.2"), "subnet"),),
        device_id="haos-ha_first-ha_second",
        device_owner="haos:vip",
        description=text.strip(),
    )
    pair = record.decode(port)
    assert (pair.mode, pair.timing, pair.verified) == (Mode.GARP, Timing(), True)
    fields = set(re.findall(r"(?:^| )(\w=|haos/1)", text))
    more = record.encode(replace(pair, timing=replace(pair.timing, bfd=True), adopted=True, floating=OwnFloatingIp()))
    for field in fields | set(re.findall(r" (\w=)", more)):
        assert re.search(rf"^\| `{re.escape(field)}", (DOCS / "how-it-works.md").read_text(), re.MULTILINE), field


def test_the_profiles_in_the_docs_are_those_of_the_code() -> None:
    text = (DOCS / "profiles-and-bounds.md").read_text()
    rows = []
    for name, interval_s in vrrp.PROFILES.items():
        timing, backups = Timing(interval_s), vrrp.priorities(2, interval_s)[1:]
        stop_s, crash_s = vrrp.bound_of_clean_stop_s(timing, backups), vrrp.bound_of_crash_s(timing, backups)
        nodes = "2" if interval_s <= vrrp.PROFILES["fastest"] else "2 to 5"
        rows.append(f"| {name} | {interval_s:g} s | {stop_s:.3f} s | {crash_s:.3f} s | {nodes} |")
    table = text.partition("<!-- core/vrrp.py -->\n")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == rows
    for name, interval_s in vrrp.PROFILES.items():
        if name != "fastest":
            chosen = [",".join(map(str, vrrp.priorities(count, interval_s))) for count in (3, 4, 5)]
            assert f"| {name} | {' | '.join(chosen)} |" in text


def test_the_faults_in_the_docs_are_those_of_the_code() -> None:
    page = (DOCS / "failover-test.md").read_text()
    kinds: dict[object, str] = {
        vrrp.bound_of_clean_stop_s: "clean stop",
        vrrp.bound_of_crash_s: "crash",
        vrrp.bound_of_failed_check_s: "check",
    }
    guards = {Guard.NODE: "timer", Guard.GUARDIAN: "guardian", Guard.ITSELF: "none: ends by itself"}
    rows = [
        f"| `{fault.name}` | {fault.summary} | {guards[fault.guard]} | {kinds[fault.bound_s]} |"
        for fault in FAULTS.values()
    ]
    assert page.partition("<!-- haos.workflow.faults -->\n")[2].partition("\n\n")[0].splitlines()[2:] == rows
    assert f"# {', '.join(DEFAULT)}\n" in page


def anchors(page: Path) -> set[str]:
    """Return the anchors that a forge makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(\s*((?!https?:)[^)\s]+)\s*\)", page.read_text()):
        path, _, anchor = target.partition("#")
        there = page if not path else page.parent / path
        assert there.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(there), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_every_page_is_linked_from_the_readme_and_the_architecture(page: Path) -> None:
    assert f"](docs/{page.name}" in README
    assert page.name == "architecture.md" or f"]({page.name}" in (DOCS / "architecture.md").read_text()


def test_every_script_that_runs_on_a_node_is_told() -> None:
    page = (DOCS / "ssh-and-security.md").read_text()
    scripts = {path.name for path in (ROOT / "haos" / "adapters" / "scripts").glob("*.sh")}
    assert set(re.findall(r"`(\w+\.sh)`", page)) == scripts


def test_the_example_of_clouds_yaml_holds_what_haos_reads() -> None:
    text = (ROOT / "clouds.yaml.example").read_text()
    clouds = yaml.safe_load(text)["clouds"]
    assert set(clouds["production"]["haos"]) <= set(SETTINGS)
    assert all(re.search(rf"^ +#? ?{name}:", text, re.MULTILINE) for name in SETTINGS)
    assert not [word for word in re.findall(r"^ +\w*(?:password|secret): (.+)$", text, re.MULTILINE)]


def test_the_changelog_knows_what_comes() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text or f"## [{__version__}]" in text
