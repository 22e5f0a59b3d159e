"""Access rules of application credentials: which requests a token may make, and how a service refuses the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import unique
from tests.contract.side import Side

UNAUTHORIZED = (401, "Unauthorized", "The request you have made requires authentication.")
GONE = (404, "Not Found", "Failed to validate token")
NOWHERE = "00000000-0000-4000-8000-000000000000"


@dataclass
class Maker:
    """Makes application credentials of the member, and clients that log in with them."""

    side: Side
    member: Client
    _made: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/users/{self.member.user_id}/application_credentials"

    def ask(self, rules: Any) -> Answer:
        body = {"name": unique("credential"), "access_rules": rules}
        answer = self.member.keystone("POST", self.path, {"application_credential": body})
        if answer.status == 201:
            self._made.append(answer.body["application_credential"]["id"])
        return answer

    def rule(self, service: str, method: str, path: str) -> dict[str, str]:
        """Return a rule for a path below the service's address, whatever that address is."""
        where = {"identity": self.member.auth_url.removesuffix("/v3")}.get(service) or self.member.endpoints[service]
        return {"service": service, "method": method, "path": urlsplit(where).path.rstrip("/") + path}

    def login(self, *rules: dict[str, str]) -> tuple[Client, dict[str, Any]]:
        """Return a client whose token has these rules, and what Keystone said of the token."""
        made = self.ask(list(rules))
        assert made.status == 201, made
        credential = made.body["application_credential"]
        words = {"id": credential["id"], "secret": credential["secret"]}
        identity = {"methods": ["application_credential"], "application_credential": words}
        answer = self.side.twin(self.member, "").keystone("POST", "/auth/tokens", {"auth": {"identity": identity}})
        assert answer.status == 201, answer
        return self.side.twin(self.member, answer.headers["x-subject-token"]), answer.body["token"]

    def close(self) -> None:
        for key in self._made:
            assert self.member.keystone("DELETE", f"{self.path}/{key}").status == 204


@pytest.fixture
def maker(side: Side, member: Client) -> Iterator[Maker]:
    made = Maker(side, member)
    yield made
    made.close()


def test_the_rules_are_shown_with_the_credential_and_with_its_tokens(maker: Maker) -> None:
    rules = [maker.rule("network", "GET", "/v2.0/ports"), maker.rule("compute", "GET", "/servers/*")]
    made = maker.ask(rules)
    shown = made.body["application_credential"]["access_rules"]
    assert sorted((rule["service"], rule["method"], rule["path"]) for rule in shown) == sorted(
        (rule["service"], rule["method"], rule["path"]) for rule in rules
    )
    assert all(set(rule) == {"id", "service", "method", "path"} and len(rule["id"]) == 32 for rule in shown)
    again = maker.member.keystone("GET", f"{maker.path}/{made.body['application_credential']['id']}")
    assert (again.status, again.body["application_credential"]["access_rules"]) == (200, shown)
    assert "secret" not in again.body["application_credential"]
    _, token = maker.login(*rules)
    assert len(token["application_credential"]["access_rules"]) == 2


def test_a_credential_that_is_not_there(maker: Maker) -> None:
    missing = maker.member.keystone("GET", f"{maker.path}/{'0' * 32}")
    assert missing.fault == (404, "Not Found", f"Could not find Application Credential: {'0' * 32}.")


def test_a_request_that_no_rule_allows_is_401(maker: Maker) -> None:
    client, _ = maker.login(maker.rule("network", "GET", "/v2.0/networks"))
    assert client.neutron("GET", "/networks?name=nowhere").body == {"networks": []}
    for answer in (
        client.neutron("GET", "/ports"),
        client.neutron("GET", f"/networks/{NOWHERE}"),
        client.neutron("GET", "/networks/"),
        client.neutron("POST", "/networks", {"network": {}}),
        client.nova("GET", "/servers"),
        client.keystone("GET", "/regions"),
    ):
        assert answer.fault == UNAUTHORIZED


@pytest.mark.parametrize(
    ("pattern", "path", "status"),
    [
        ("/v2.0/ports/*", f"/ports/{NOWHERE}", 404),
        ("/v2.0/ports/{id}", f"/ports/{NOWHERE}", 404),
        ("/v2.0/ports/*", "/ports", 401),
        ("/v2.0/ports/*", f"/ports/{NOWHERE}/tags", 401),
        ("/v2.0/ports/*/tags", f"/ports/{NOWHERE}/tags", 500),  # Neutron stumbles over the tags of what is not there
        ("/v2.0/ports/**", f"/ports/{NOWHERE}/tags", 500),  # Neutron stumbles over the tags of what is not there
        ("/v2.0/ports**", "/ports?name=nowhere", 200),
        ("/**", "/ports?name=nowhere", 200),
        ("/v2.0/port", "/ports", 401),
    ],
)
def test_patterns(maker: Maker, pattern: str, path: str, status: int) -> None:
    client, _ = maker.login(maker.rule("network", "GET", pattern))
    assert client.neutron("GET", path).status == status


def test_no_rule_at_all_restricts_nothing(maker: Maker) -> None:
    client, token = maker.login()
    assert "access_rules" not in token["application_credential"]
    assert client.neutron("GET", "/networks?name=nowhere").status == 200


def test_what_needs_no_token_needs_no_rule_but_of_keystone(maker: Maker) -> None:
    client, _ = maker.login(maker.rule("network", "GET", "/v2.0/networks"))
    assert client("GET", client.endpoints["network"] + "/").status == 200
    assert client("GET", client.endpoints["compute"] + "/").status == 200
    assert client.keystone("GET", "").fault == UNAUTHORIZED
    assert maker.side.twin(client, "").keystone("GET", "").status == 200
    assert maker.side.twin(client, "nonsense").keystone("GET", "").status == 200


def test_a_token_with_rules_gets_no_other(maker: Maker) -> None:
    client, _ = maker.login(maker.rule("network", "GET", "/v2.0/networks"))
    auth = {"auth": {"identity": {"methods": ["token"], "token": {"id": client.token}}}}
    assert maker.side.twin(client, "").keystone("POST", "/auth/tokens", auth).fault == GONE
    assert client.keystone("POST", "/auth/tokens", auth).fault == UNAUTHORIZED


def test_a_token_with_rules_is_shown_to_those_alone_who_keep_to_them(maker: Maker) -> None:
    client, _ = maker.login(maker.rule("network", "GET", "/v2.0/networks"))
    knowing = {"OpenStack_Identity_Access_Rules": "1.0"}
    for who in (maker.member, client):  # to look at tokens needs no rule
        assert who.keystone("GET", "/auth/tokens", X_Subject_Token=client.token).fault == GONE
        assert who.keystone("GET", "/auth/tokens", X_Subject_Token=client.token, **knowing).status == 200


@pytest.mark.parametrize(
    "wrong",
    [
        lambda rule: "text",
        lambda rule: ["text"],
        lambda rule: [{**rule, "method": "TRACE"}],
        lambda rule: [{**rule, "method": "get"}],
        lambda rule: [{**rule, "path": "v2.0/ports"}],
        lambda rule: [{**rule, "path": "/" + "x" * 225}],
        lambda rule: [{**rule, "service": "net work"}],
        lambda rule: [{**rule, "service": ""}],
    ],
)
def test_malformed_rules_are_400(maker: Maker, wrong: Callable[[dict[str, str]], Any]) -> None:
    assert maker.ask(wrong(maker.rule("network", "GET", "/v2.0/ports"))).status == 400
