"""Keystone: discovery, the ways to log in, tokens that end."""

from __future__ import annotations

import openstack.connection
import pytest

from haos.lab.api import CREDENTIAL, Server
from tests.lab.api.conftest import SDK_NAGS, Client, Login, connect


@pytest.mark.parametrize("path", ["/", "/identity", "/identity/"])
def test_discovery_leads_to_v3(login: Login, server: Server, path: str) -> None:
    answer = login("")("GET", path)
    assert answer.status == 300
    (version,) = answer.body["versions"]["values"]
    assert version["id"].startswith("v3")
    assert version["links"][0]["href"] == f"{server.url}/identity/v3/"


def test_wrong_password_is_401_in_keystones_words(login: Login) -> None:
    answer = login("").login("demo", "demo", "wrong")
    assert answer.status == 401
    assert answer.body["error"] == {
        "code": 401,
        "title": "Unauthorized",
        "message": "The request you have made requires authentication.",
    }


def test_a_project_without_a_role_is_401(login: Login) -> None:
    assert login("").login("demo", "other").status == 401


def test_the_catalog_names_one_port(demo: Client, server: Server) -> None:
    catalog = demo("GET", "/identity/v3/auth/catalog").body["catalog"]
    urls = {entry["type"]: {end["url"] for end in entry["endpoints"]} for entry in catalog}
    assert urls["compute"] == {f"{server.url}/compute/v2.1"}
    assert urls["network"] == {f"{server.url}/network"}
    assert urls["identity"] == {f"{server.url}/identity"}


def test_tokens_are_described_and_revoked(demo: Client, login: Login) -> None:
    other = login("demo")
    described = demo("GET", "/identity/v3/auth/tokens", X_Subject_Token=other.token)
    assert described.body["token"]["project"]["name"] == "demo"
    assert {role["name"] for role in described.body["token"]["roles"]} == {"member", "reader"}
    assert demo("HEAD", "/identity/v3/auth/tokens", X_Subject_Token=other.token).status == 200
    assert demo("DELETE", "/identity/v3/auth/tokens", X_Subject_Token=other.token).status == 204
    assert demo("GET", "/identity/v3/auth/tokens", X_Subject_Token=other.token).status == 404
    assert other.neutron("GET", "/ports").status == 401


@pytest.mark.parametrize("path", ["/network/v2.0/ports", "/compute/v2.1/servers", "/identity/v3/projects"])
def test_no_token_and_an_unknown_token_are_401(login: Login, path: str) -> None:
    client = login("")
    for headers in ({}, {"X_Auth_Token": "nonsense"}):
        answer = client("GET", path, **headers)
        assert answer.status == 401
        assert answer.body["error"]["code"] == 401
        assert answer.headers["www-authenticate"].startswith("Keystone uri=")


@pytest.mark.filterwarnings(SDK_NAGS)
def test_tokens_expire_and_the_sdk_gets_a_new_one(
    sdk: openstack.connection.Connection, demo: Client, login: Login
) -> None:
    assert sdk.network.find_network("ha_lab") is not None
    assert login("")("POST", "/lab/tokens/expire").status == 204
    assert demo.neutron("GET", "/ports").status == 401
    assert sdk.network.find_network("ha_lab") is not None


def test_the_life_of_a_token_can_be_set(login: Login) -> None:
    assert login("")("PUT", "/lab/tokens", {"last_s": -1}).status == 204
    assert login("demo").neutron("GET", "/ports").status == 401


@pytest.mark.filterwarnings(SDK_NAGS)
def test_application_credential(server: Server) -> None:
    connection = connect(
        auth_type="v3applicationcredential",
        auth_url=f"{server.url}/identity",
        application_credential_id=CREDENTIAL.id,
        application_credential_secret=CREDENTIAL.secret,
    )
    assert {port.status for port in connection.network.ports()} == {"ACTIVE"}
    connection.close()


def test_application_credential_by_name_and_with_a_wrong_secret(login: Login) -> None:
    client = login("")
    for secret, status in ((CREDENTIAL.secret, 201), ("wrong", 401)):
        who = {"name": CREDENTIAL.name, "secret": secret, "user": {"name": "demo", "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["application_credential"], "application_credential": who}}
        assert client("POST", "/identity/v3/auth/tokens", {"auth": auth}).status == status


def test_projects_are_seen_by_members_as_far_as_theirs(demo: Client, login: Login) -> None:
    assert [item["name"] for item in demo("GET", "/identity/v3/projects").body["projects"]] == ["demo"]
    everything = login("admin")("GET", "/identity/v3/projects").body["projects"]
    assert {item["name"] for item in everything} == {"demo", "other", "admin"}
    assert demo("GET", f"/identity/v3/users/{demo.user_id}").body["user"]["name"] == "demo"
    assert demo("GET", "/identity/v3/projects/nowhere").status == 404


def test_every_answer_has_a_request_id(demo: Client, login: Login) -> None:
    answers = [demo.neutron("GET", "/ports"), demo.nova("GET", "/servers"), login("")("GET", "/identity/v3/projects")]
    assert all(answer.headers["x-openstack-request-id"].startswith("req-") for answer in answers)
