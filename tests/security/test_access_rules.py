"""docs/access-rules.json is what haos asks for: all of it, nothing else, and haos says which rule is missing."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from haos.adapters.cloud import OpenStackCloud
from haos.core.access import AccessRule, rule_for
from haos.errors import AuthenticationError, CloudError, ForbiddenError
from tests.security.access_rules import ALL, READ, asked_by, load, text
from tests.security.calls import BELOW, READING, WRITING, Bench, Calls, bench

CALLS = {**READING, **WRITING}
WITHOUT_TROUBLE = {
    AccessRule("network", "GET", "/v2.0/floatingips"),
    AccessRule("network", "GET", "/v2.0/quotas/*/details.json"),
}
"""What haos goes on without: where floating IPs or the quota are not told, nothing is known of them."""


def refused(made: Bench, calls: Calls = CALLS) -> dict[str, str]:
    """Make these calls, and return those that were refused, each with the reason."""
    found = {}
    for name, call in calls.items():
        try:
            call(made)
        except CloudError as error:
            found[name] = error.reason
    return found


def test_everything_that_haos_can_ask_is_asked_here() -> None:
    public = {name for name, value in inspect.getmembers(OpenStackCloud, inspect.isfunction) if name[0] != "_"}
    assert set(CALLS) == public, "call each method in tests/security/calls.py"


@pytest.mark.parametrize(("path", "calls"), [(ALL, CALLS), (READ, READING)], ids=["all", "read"])
def test_the_files_are_what_was_asked(path: Path, calls: Calls) -> None:
    assert path.read_text() == text(asked_by(calls)), "python -m tests.security.access_rules"


def test_with_these_rules_alone_everything_works(tmp_path: Path) -> None:
    with bench(tmp_path, load(ALL)) as made:
        assert refused(made) == {}


def test_those_for_reading_read_and_change_nothing(tmp_path: Path) -> None:
    with bench(tmp_path, load(READ)) as made:
        reasons = refused(made)
    assert set(reasons) == set(WRITING)
    assert all("access rules lack" in reason for reason in reasons.values())


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[AccessRule]]:
    """Name -> what a call asks for where it is allowed all."""
    found = {}
    with bench(tmp_path_factory.mktemp("asked"), load(ALL)) as made:
        for name, call in CALLS.items():
            made.asked.clear()
            call(made)
            found[name] = set(made.asked)
    return found


@pytest.mark.parametrize("rule", sorted(load(ALL)), ids=lambda rule: f"{rule.method} {rule.path}")
def test_a_missing_rule_is_named(rule: AccessRule, tmp_path: Path, asked: dict[str, set[AccessRule]]) -> None:
    """By every call that needs it; to the others it makes no difference."""
    needing = {
        name: CALLS[name]
        for name, rules in asked.items()
        if any(rule.allows(one.service, one.method, one.path) for one in rules)
    }
    assert needing, "every rule is for something"
    with bench(tmp_path, load(ALL) - {rule}) as made:
        lacking = {reason.partition("access rules lack ")[2] for reason in refused(made, needing).values()}
    before = BELOW[rule.service]
    names = {f"{AccessRule(rule.service, rule.method, before + rule.path)} (HTTP 401)"}
    if rule.path == "/v2.1/servers/*":  # it allows this one, too
        names.add(f"{AccessRule(rule.service, rule.method, f'{before}/v2.1/servers/detail')} (HTTP 401)")
    assert lacking == (set() if rule in WITHOUT_TROUBLE else names)


def test_the_error_ends_with_5_and_says_how_to_make_another(tmp_path: Path) -> None:
    with bench(tmp_path, load(READ)) as made, pytest.raises(ForbiddenError) as raised:
        made.cloud.delete_port("00000000-0000-4000-8000-000000000000")
    assert raised.value.exit_code == 5
    assert "--access-rules docs/access-rules.json" in str(raised.value.hint)


def refuse_all(made: Bench) -> None:
    """Let every request be answered with 401."""
    body = json.dumps({"path": "/network/", "times": None, "status": 401, "body": {}}).encode()
    with urlopen(Request(f"{made.url}/lab/faults", body, method="POST"), timeout=10) as answer:  # noqa: S310
        assert answer.status == 201


def test_a_service_that_keeps_to_no_rules_is_told_from_a_missing_rule(tmp_path: Path) -> None:
    with bench(tmp_path, load(ALL)) as made:
        refuse_all(made)
        with pytest.raises(ForbiddenError, match=r"access rules have .* but it is refused") as raised:
            made.cloud.extensions()
    assert "its network service needs service_type = network" in str(raised.value.hint)


def test_a_401_without_rules_is_about_the_credentials(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        refuse_all(made)
        with pytest.raises(AuthenticationError, match="HTTP 401"):
            made.cloud.extensions()


def test_the_command_of_the_docs_puts_the_endpoints_paths_before(tmp_path: Path) -> None:
    page = (ALL.parent / "ssh-and-security.md").read_text()
    [command] = re.findall(r"^ +(sed .* docs/access-rules\.json) >", page, re.MULTILINE)
    text = subprocess.run(shlex.split(command), cwd=ALL.parents[1], capture_output=True, text=True, check=True).stdout
    moved = {AccessRule(rule.service, rule.method, BELOW[rule.service] + rule.path) for rule in load(ALL)}
    assert {AccessRule(**each) for each in json.loads(text)} == moved


def test_ids_are_folded_and_names_are_not() -> None:
    key, project = "913c4131-0cc3-4df4-9f7e-b4cf4ae885ca", "26cfbd9d4ee64d8faecd287bb39d3870"
    folded = {
        f"/v2.0/ports/{key}/tags/haos-fault:x": "/v2.0/ports/*/tags/*",
        f"/v2.0/quotas/{project}/details.json": "/v2.0/quotas/*/details.json",
        "/v2.1/servers/detail": "/v2.1/servers/detail",
    }
    assert {path: rule_for("network", "GET", path).path for path in folded} == folded


@pytest.mark.parametrize(
    ("pattern", "path", "allowed"),
    [
        ("/v2.0/ports/*", "/v2.0/ports/a", True),
        ("/v2.0/ports/*", "/v2.0/ports/a/b", False),
        ("/v2.0/ports/{id}", "/v2.0/ports/a", True),
        ("/v2.0/ports/**", "/v2.0/ports/a/b", True),
        ("/v2.0/ports", "/v2x0/ports", False),
        ("/v2.0/ports", "/v2.0/ports/", False),
    ],
)
def test_patterns(pattern: str, path: str, allowed: bool) -> None:
    assert AccessRule("network", "GET", pattern).allows("network", "GET", path) is allowed
