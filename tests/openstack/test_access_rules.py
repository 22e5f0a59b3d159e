"""haos on a real cloud with an application credential that has exactly the access rules of docs/access-rules.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from haos.core.access import AccessRule
from tests.contract.client import Client
from tests.contract.places import unique
from tests.contract.side import openstack_side
from tests.openstack.running import Person, create, differences, name_of, state
from tests.openstack.site import Site
from tests.security.access_rules import ALL, READ, load

pytestmark = [pytest.mark.openstack, pytest.mark.timeout(900), pytest.mark.usefixtures("equipped")]

Restricted = Callable[..., Person]
LEFT_OUT = [
    (("network", "POST", "/v2.0/ports"), "create", 5),
    (("network", "PUT", "/v2.0/ports/*"), "create", 5),
    (("network", "POST", "/v2.0/security-group-rules"), "create", 5),
    (("compute", "GET", "/v2.1/servers/*"), "create", 5),
    (("network", "GET", "/v2.0/networks"), "check", 5),
    (("network", "GET", "/v2.0/subnets"), "check", 5),
    (("network", "GET", "/v2.0/security-groups"), "check", 5),
]


@pytest.fixture(scope="module")
def member() -> Iterator[Client]:
    with openstack_side() as side:
        yield side.login("member")


@pytest.fixture
def restricted(site: Site, member: Client, person: Person) -> Iterator[Restricted]:
    """Make application credentials of the member's, each for somebody who has nothing else, but knows the servers."""
    path = f"/users/{member.user_id}/application_credentials"
    with ExitStack() as stack:

        def make(rules: frozenset[AccessRule], *roles: str) -> Person:
            given = [{"service": rule.service, "method": rule.method, "path": rule.path} for rule in rules]
            body = {"name": unique("credential"), "access_rules": given, "roles": [{"name": role} for role in roles]}
            made = member.keystone("POST", path, {"application_credential": body})
            assert made.status == 201, made
            credential = made.body["application_credential"]
            stack.callback(member.keystone, "DELETE", f"{path}/{credential['id']}")
            login = {
                "OS_CLOUD": "",
                "OS_AUTH_TYPE": "v3applicationcredential",
                "OS_AUTH_URL": member.auth_url,
                "OS_REGION_NAME": "RegionOne",
                "OS_APPLICATION_CREDENTIAL_ID": credential["id"],
                "OS_APPLICATION_CREDENTIAL_SECRET": credential["secret"],
            }
            return Person(site, person.home, login)

        yield make


def test_to_make_look_at_and_take_away(site: Site, restricted: Restricted, apart: tuple[str, str]) -> None:
    before = state(site, *apart)
    person = restricted(load(ALL), "member")
    with person.pair(apart, "--floating-ip"):
        assert ": healthy" in person.haos("status", name_of(apart)).stdout
        assert len(json.loads(person.haos("list", "-f", "json").stdout)) == 1
        assert "Nothing to change." in person.haos(*create(site, apart)).stdout
    assert differences(before, state(site, *apart)) == []


def test_to_test_and_to_move(site: Site, restricted: Restricted, apart: tuple[str, str]) -> None:
    before = state(site, *apart)
    person = restricted(load(ALL), "member")
    with person.pair(apart, "--no-verify"):
        faults = ("--fault", "stop", "--fault", "port-down")
        tested = json.loads(person.haos("failover-test", name_of(apart), *faults, "-f", "json").stdout)
        assert [leg["verdict"] for leg in tested["legs"]] == ["PASS"] * 4
        person.haos("switchover", name_of(apart))
    assert differences(before, state(site, *apart)) == []


def test_by_ids(site: Site, restricted: Restricted, apart: tuple[str, str]) -> None:
    ids = [site.servers[name].id for name in apart]
    person = restricted(load(ALL), "member")
    person.haos("check", "--network", site.network.id, "--nodes", ",".join(ids))


def test_reading(site: Site, restricted: Restricted, person: Person, apart: tuple[str, str]) -> None:
    reader = restricted(load(READ), "reader")
    with person.pair(apart, "--no-verify"):
        assert len(json.loads(reader.haos("list", "-f", "json").stdout)) == 1
        assert ": healthy" in reader.haos("status", name_of(apart)).stdout
        reader.haos("check", name_of(apart))
        before = state(site, *apart)
        refused = reader.haos(*create(site, apart), "--profile", "fast", code=5)
        assert "access rules lack" in refused.stderr
        assert differences(before, state(site, *apart)) == []


@pytest.mark.parametrize(("rule", "verb", "code"), LEFT_OUT, ids=[f"{rule[1]} {rule[2]}" for rule, *_ in LEFT_OUT])
def test_a_rule_left_out_is_named_and_nothing_is_left(
    site: Site, restricted: Restricted, apart: tuple[str, str], rule: tuple[str, str, str], verb: str, code: int
) -> None:
    missing, before = AccessRule(*rule), state(site, *apart)
    person = restricted(load(ALL) - {missing}, "member")
    ended = person.haos(verb, *create(site, apart)[1:], *(["--no-verify"] if verb == "create" else []), code=code)
    said = " ".join(ended.stderr.split())
    named = AccessRule(*rule[:2], "/v2.1/servers/detail") if rule[2] == "/v2.1/servers/*" else missing
    assert f"access rules lack {named}" in said, ended.stderr
    assert "openstack application credential create --access-rules" in said
    assert differences(before, state(site, *apart)) == []


def test_faults_through_the_api_are_not_made_where_they_cannot_be_announced(
    site: Site, restricted: Restricted, person: Person, apart: tuple[str, str]
) -> None:
    tags = {rule for rule in load(ALL) if "/tags/" in rule.path}
    with person.pair(apart, "--no-verify"):
        before = state(site, *apart)
        ended = restricted(load(ALL) - tags, "member").haos(
            "failover-test", name_of(apart), "--fault", "port-down", code=None
        )
        assert 'access rules lack {"service": "network", "method": "PUT", "path": "/v2.0/ports/*/tags/*"}' in (
            " ".join((ended.stdout + ended.stderr).split())
        )
        assert differences(before, state(site, *apart)) == []
