"""Keystone: discovery, the ways to log in, what a token says, and who may look at what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.client import Answer, Client, Credentials
from tests.contract.places import unique
from tests.contract.side import Role, Side

UNAUTHORIZED = (401, "Unauthorized", "The request you have made requires authentication.")
MALFORMED = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect."
    " The client is assumed to be in error."
)


def ask(client: Client, identity: Any, scope: Any = None, query: str = "") -> Answer:
    """Ask for a token."""
    auth = {"identity": identity} | ({} if scope is None else {"scope": scope})
    return client.keystone("POST", f"/auth/tokens{query}", {"auth": auth})


def by_password(who: Credentials) -> dict[str, Any]:
    identity: dict[str, Any] = who.body()["auth"]["identity"]
    return identity


def by_token(token: str) -> dict[str, Any]:
    return {"methods": ["token"], "token": {"id": token}}


def by_credential(**words: Any) -> dict[str, Any]:
    return {"methods": ["application_credential"], "application_credential": words}


def own_project(who: Credentials) -> dict[str, Any]:
    return {"project": {"name": who.project, "domain": {"name": who.domain}}}


def forbidden(answer: Answer, action: str) -> bool:
    text = f"You are not authorized to perform the requested action: identity:{action}."
    return answer.fault == (403, "Forbidden", text)


@pytest.fixture
def who(side: Side) -> Credentials:
    return side.credentials["member"]


@pytest.fixture
def nobody(side: Side, member: Client) -> Client:
    """A client without a token."""
    return side.twin(member, "")


@pytest.mark.parametrize("slash", ["", "/"])
def test_discovery_leads_to_v3(nobody: Client, slash: str) -> None:
    answer = nobody("GET", nobody.auth_url.removesuffix("/v3") + slash)
    assert answer.status == 300
    [version] = answer.body["versions"]["values"]
    assert (version["id"].split(".")[0], version["status"]) == ("v3", "stable")
    assert version["links"] == [{"rel": "self", "href": f"{nobody.auth_url}/"}]
    assert answer.headers["location"] == f"{nobody.auth_url}/"


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_version_describes_itself(nobody: Client, slash: str) -> None:
    answer = nobody.keystone("GET", slash)
    assert answer.status == 200
    version = answer.body["version"]
    assert (version["id"], version["updated"]) == ("v3.14", "2020-04-07T00:00:00Z")
    assert version["media-types"][0]["type"] == "application/vnd.openstack.identity-v3+json"


@pytest.mark.parametrize(
    "wrong",
    [{"password": "wrong"}, {"username": "nobody-of-that-name"}, {"project": "nowhere"}, {"domain": "nowhere"}],
)
def test_what_is_wrong_with_a_login_is_not_told(nobody: Client, who: Credentials, wrong: dict[str, str]) -> None:
    answer = nobody.keystone("POST", "/auth/tokens", replace(who, **wrong).body())
    assert answer.fault == UNAUTHORIZED
    assert answer.headers["www-authenticate"].startswith("Keystone uri=")


def test_a_project_without_a_role_is_401(nobody: Client, side: Side, who: Credentials) -> None:
    elsewhere = replace(who, project=side.credentials["other"].project)
    assert nobody.keystone("POST", "/auth/tokens", elsewhere.body()).fault == UNAUTHORIZED


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, "Expecting to find auth in request body."),
        ({"auth": {"identity": {"methods": ["password"]}}}, "Expecting to find password in identity."),
        ({"auth": {"identity": {"methods": ["pigeon"]}}}, "Expecting to find pigeon in identity."),
        (
            {"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "x", "password": "y"}}}}},
            "Expecting to find domain in user.",
        ),
        (b"{", "Expecting to find valid JSON in request body."),
    ],
)
def test_a_malformed_login_is_400(nobody: Client, body: Any, missing: str) -> None:
    assert nobody.keystone("POST", "/auth/tokens", body).fault == (400, "Bad Request", f"{missing} {MALFORMED}")


@pytest.mark.parametrize(("auth", "what"), [({}, "identity"), ({"identity": {}}, "methods")])
def test_a_login_without_a_part_names_it(nobody: Client, auth: dict[str, Any], what: str) -> None:
    status, title, message = nobody.keystone("POST", "/auth/tokens", {"auth": auth}).fault
    assert (status, title) == (400, "Bad Request")
    assert f"'{what}' is a required property" in message


@pytest.mark.parametrize(
    ("role", "names"), [("member", {"member", "reader"}), ("reader", {"reader"}), ("other", {"member", "reader"})]
)
def test_roles(nobody: Client, side: Side, role: Role, names: set[str]) -> None:
    token = nobody.keystone("POST", "/auth/tokens", side.credentials[role].body()).body["token"]
    assert {item["name"] for item in token["roles"]} == names
    assert all(len(item["id"]) == 32 for item in token["roles"])


def test_a_token_says_who_where_and_until_when(nobody: Client, who: Credentials) -> None:
    answer = nobody.keystone("POST", "/auth/tokens", who.body())
    assert answer.status == 201
    assert answer.headers["x-subject-token"].startswith("gAAAAAB")
    assert answer.headers["vary"] == "X-Auth-Token"
    token = answer.body["token"]
    assert (token["methods"], token["is_domain"], len(token["audit_ids"])) == (["password"], False, 1)
    assert len(token["audit_ids"][0]) == 22
    domain = {"id": "default", "name": "Default"}
    assert token["project"] == {"id": token["project"]["id"], "name": who.project, "domain": domain}
    user = {"id": token["user"]["id"], "name": who.username, "domain": domain, "password_expires_at": None}
    assert token["user"] == user


def test_times_of_a_token_are_whole_seconds_in_utc(nobody: Client, who: Credentials) -> None:
    token = nobody.keystone("POST", "/auth/tokens", who.body()).body["token"]
    form = "%Y-%m-%dT%H:%M:%S.000000Z"
    issued, expires = (
        datetime.strptime(token[f"{key}_at"], form).replace(tzinfo=UTC) for key in ("issued", "expires")
    )
    assert abs(datetime.now(UTC) - issued) < timedelta(minutes=1)
    assert expires - issued == timedelta(hours=1)


def test_without_a_catalog(nobody: Client, who: Credentials) -> None:
    token = ask(nobody, by_password(who), own_project(who), "?nocatalog").body["token"]
    assert "catalog" not in token
    assert token["project"]["name"] == who.project


def test_unscoped_tokens(nobody: Client, side: Side, who: Credentials) -> None:
    unscoped = ask(nobody, by_password(who), "unscoped")
    assert unscoped.status == 201
    assert not {"project", "roles", "catalog", "is_domain"} & unscoped.body["token"].keys()
    holder = side.twin(nobody, unscoped.headers["x-subject-token"])
    assert [item["name"] for item in holder.keystone("GET", "/auth/projects").body["projects"]] == [who.project]
    assert holder.keystone("GET", "/auth/catalog").status == 403


def test_a_token_gets_another(nobody: Client, who: Credentials) -> None:
    unscoped = ask(nobody, by_password(who), "unscoped")
    scoped = ask(nobody, by_token(unscoped.headers["x-subject-token"]), own_project(who))
    assert scoped.status == 201
    token, first = scoped.body["token"], unscoped.body["token"]
    assert set(token["methods"]) == {"token", "password"}
    assert token["audit_ids"][1:] == first["audit_ids"]
    assert token["expires_at"] == first["expires_at"]
    assert ask(nobody, by_token("nonsense")).fault == (404, "Not Found", "Could not recognize Fernet token")


def test_the_catalog_has_each_service_at_each_interface(member: Client) -> None:
    catalog = member.keystone("GET", "/auth/catalog").body["catalog"]
    services = {entry["type"]: entry for entry in catalog}
    assert {kind: services[kind]["name"] for kind in ("identity", "compute", "network", "image")} == {
        "identity": "keystone",
        "compute": "nova",
        "network": "neutron",
        "image": "glance",
    }
    for entry in catalog:
        ends = entry["endpoints"]
        assert {end["interface"] for end in ends} == {"public", "internal", "admin"}
        assert {(end["region"], end["region_id"]) for end in ends} == {("RegionOne", "RegionOne")}
        assert {len(end["id"]) for end in ends} | {len(entry["id"])} == {32}
    assert services["compute"]["endpoints"][0]["url"].endswith("/v2.1")
    assert member.endpoints == {kind: entry["endpoints"][0]["url"].rstrip("/") for kind, entry in services.items()}


def test_tokens_are_described_and_revoked(member: Client, side: Side) -> None:
    doomed = side.login("member")
    described = member.keystone("GET", "/auth/tokens", X_Subject_Token=doomed.token)
    assert described.status == 200
    assert described.headers["x-subject-token"] == doomed.token
    assert described.body["token"]["project"]["id"] == doomed.project_id
    assert member.keystone("HEAD", "/auth/tokens", X_Subject_Token=doomed.token).status == 200
    assert member.keystone("DELETE", "/auth/tokens", X_Subject_Token=doomed.token).status == 204
    for method in ("GET", "DELETE"):
        gone = member.keystone(method, "/auth/tokens", X_Subject_Token=doomed.token)
        assert gone.fault == (404, "Not Found", "Failed to validate token")
    for answer in (
        doomed.neutron("GET", "/ports"),
        doomed.nova("GET", "/servers"),
        doomed.keystone("GET", "/regions"),
    ):
        assert answer.fault == UNAUTHORIZED


def test_a_token_to_describe_must_be_one(member: Client) -> None:
    unknown = member.keystone("GET", "/auth/tokens", X_Subject_Token="nonsense")
    assert unknown.fault == (404, "Not Found", "Could not recognize Fernet token")
    assert forbidden(member.keystone("GET", "/auth/tokens"), "validate_token")


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_no_token_and_an_unknown_token_are_401(side: Side, member: Client, token: str) -> None:
    nobody = side.twin(member, token)
    for answer in (
        nobody.neutron("GET", "/ports"),
        nobody.nova("GET", "/servers"),
        nobody.keystone("GET", "/regions"),
    ):
        assert answer.fault == UNAUTHORIZED
        assert answer.headers["www-authenticate"].startswith("Keystone uri=")


@pytest.fixture
def credential(member: Client) -> Iterator[dict[str, Any]]:
    """An application credential of the member, with its secret."""
    path = f"/users/{member.user_id}/application_credentials"
    made = member.keystone("POST", path, {"application_credential": {"name": unique("credential")}})
    assert made.status == 201, made
    credential: dict[str, Any] = made.body["application_credential"]
    yield credential
    assert member.keystone("DELETE", f"{path}/{credential['id']}").status in (204, 404)


def test_an_application_credential_logs_in(nobody: Client, member: Client, credential: dict[str, Any]) -> None:
    words = {"id": credential["id"], "secret": credential["secret"]}
    answer = ask(nobody, by_credential(**words))
    assert answer.status == 201
    token = answer.body["token"]
    assert token["methods"] == ["application_credential"]
    assert (token["project"]["id"], token["user"]["id"]) == (member.project_id, member.user_id)
    shown = {"id": credential["id"], "name": credential["name"], "restricted": True}
    assert token["application_credential"] == shown
    assert {item["name"] for item in token["roles"]} == {"member", "reader"}


def test_an_application_credential_by_name_needs_its_user(
    nobody: Client, who: Credentials, credential: dict[str, Any]
) -> None:
    user = {"name": who.username, "domain": {"name": who.domain}}
    words = {"name": credential["name"], "secret": credential["secret"]}
    assert ask(nobody, by_credential(**words, user=user)).status == 201
    assert ask(nobody, by_credential(**words)).fault[:2] == (400, "Bad Request")


def test_a_wrong_application_credential(nobody: Client, who: Credentials, credential: dict[str, Any]) -> None:
    right = {"id": credential["id"], "secret": credential["secret"]}
    assert ask(nobody, by_credential(**{**right, "secret": "wrong"})).fault == UNAUTHORIZED
    text = "Could not find Application Credential: nowhere."
    assert ask(nobody, by_credential(**{**right, "id": "nowhere"})).fault == (404, "Not Found", text)
    scoped = ask(nobody, by_credential(**right), own_project(who))
    text = "Error authenticating with application credential: Application credentials cannot request a scope."
    assert scoped.fault == (401, "Unauthorized", text)


def test_a_deleted_application_credential_is_not_found(member: Client, nobody: Client) -> None:
    path = f"/users/{member.user_id}/application_credentials"
    body = {"application_credential": {"name": unique("credential")}}
    made = member.keystone("POST", path, body).body["application_credential"]
    assert member.keystone("DELETE", f"{path}/{made['id']}").status == 204
    text = f"Could not find Application Credential: {made['id']}."
    assert ask(nobody, by_credential(id=made["id"], secret=made["secret"])).fault == (404, "Not Found", text)


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/projects", "list_projects"),
        ("/projects/nowhere", "get_project"),
        ("/users", "list_users"),
        ("/users/nowhere", "get_user"),
        ("/domains", "list_domains"),
        ("/roles", "list_roles"),
        ("/services", "list_services"),
    ],
)
def test_what_a_member_may_not_look_at(member: Client, path: str, action: str) -> None:
    assert forbidden(member.keystone("GET", path), action)


def test_what_a_member_may_look_at(member: Client, who: Credentials) -> None:
    project = member.keystone("GET", f"/projects/{member.project_id}").body["project"]
    assert (project["name"], project["domain_id"], project["enabled"]) == (who.project, "default", True)
    assert member.keystone("GET", f"/users/{member.user_id}").body["user"]["name"] == who.username
    assert member.keystone("GET", "/domains/default").body["domain"]["name"] == "Default"
    assert [item["id"] for item in member.keystone("GET", "/regions").body["regions"]] == ["RegionOne"]
    for path in ("/auth/projects", f"/users/{member.user_id}/projects"):
        assert [item["id"] for item in member.keystone("GET", path).body["projects"]] == [member.project_id]


def test_an_admin_sees_every_project(admin: Client, side: Side) -> None:
    names = {item["name"] for item in admin.keystone("GET", "/projects").body["projects"]}
    assert {who.project for who in side.credentials.values()} <= names
    missing = admin.keystone("GET", "/projects/nowhere")
    assert missing.fault == (404, "Not Found", "Could not find project: nowhere.")
    [found] = admin.keystone("GET", f"/projects?name={side.credentials['other'].project}").body["projects"]
    assert found["name"] == side.credentials["other"].project


def test_unknown_paths_and_methods(member: Client) -> None:
    unknown = member.keystone("GET", "/nowhere")
    assert (unknown.status, unknown.headers["content-type"]) == (404, "text/html; charset=utf-8")
    wrong = member.keystone("DELETE", "/auth/catalog")
    assert (wrong.status, wrong.body) == (405, {"message": "The method is not allowed for the requested URL."})


def test_every_answer_has_a_request_id(member: Client, nobody: Client) -> None:
    answers = [member.neutron("GET", "/networks"), member.nova("GET", "/flavors"), nobody.keystone("GET", "/regions")]
    assert all(answer.headers["x-openstack-request-id"].startswith("req-") for answer in answers)
