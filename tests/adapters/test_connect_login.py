"""As whom haos logs in: the command line before the cloud of clouds.yaml, that before the environment."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests_mock

from haos.adapters.connect import connect
from tests.adapters.cloud_double import AUTH, LOGINS, URL, configure, fixture, serve_keystone

STALE = {"OS_USERNAME": "eu", "OS_PASSWORD": "ep", "OS_PROJECT_ID": "eid", "OS_USER_DOMAIN_ID": "edom"}
APP_ENV = {"OS_APPLICATION_CREDENTIAL_ID": "ei", "OS_APPLICATION_CREDENTIAL_SECRET": "es"}
APP_OPTIONS = ["--os-application-credential-id", "ci", "--os-application-credential-secret=cs"]


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return configure(tmp_path, monkeypatch)


@pytest.fixture
def mock() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        serve_keystone(mocker)
        yield mocker


def by_password(user: str, word: str, user_domain: object, project: object) -> dict[str, Any]:
    """Return what Keystone must get."""
    who = {"name": user, "password": word, "domain": user_domain}
    return {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": {"project": project}}


def by_application(credential: Mapping[str, Any]) -> dict[str, Any]:
    return {"identity": {"methods": ["application_credential"], "application_credential": dict(credential)}}


FD, DEFAULT = {"name": "FD"}, {"id": "default"}
FULL = by_password("fu", "fp", FD, {"name": "fproj", "domain": FD})
APP = by_application({"id": "ci", "secret": "cs"})
CASES: dict[str, tuple[Sequence[str], Mapping[str, str], dict[str, Any]]] = {
    "the cloud alone": (["--os-cloud", "full"], {}, FULL),
    "named by the environment": ([], {"OS_CLOUD": "full"}, FULL),
    "--os-username, --os-password": (
        ["--os-cloud", "full", "--os-username", "cu", "--os-password=cp"],
        {},
        by_password("cu", "cp", FD, {"name": "fproj", "domain": FD}),
    ),
    "--os-project-name": (
        ["--os-cloud", "full", "--os-project-name", "cproj"],
        {},
        by_password("fu", "fp", FD, {"name": "cproj", "domain": FD}),
    ),
    "--os-project-name before the id": (
        ["--os-cloud", "by-id", "--os-project-name", "cproj"],
        {},
        by_password("fu", "fp", FD, {"name": "cproj", "domain": DEFAULT}),
    ),
    "--os-project-id before the name": (
        ["--os-cloud", "full", "--os-project-id", "cid"],
        {},
        by_password("fu", "fp", FD, {"id": "cid"}),
    ),
    "--os-user-domain-id before the name": (
        ["--os-cloud", "full", "--os-user-domain-id", "cdom"],
        {},
        by_password("fu", "fp", {"id": "cdom"}, {"name": "fproj", "domain": FD}),
    ),
    "the environment does not": (["--os-cloud", "full"], {**STALE, "OS_AUTH_URL": "http://nowhere.test/v3"}, FULL),
    "nor its other way to log in": (["--os-cloud", "full"], {**APP_ENV, "OS_AUTH_TYPE": "v3token"}, FULL),
    "the environment fills a gap": (
        ["--os-cloud", "no-password"],
        {"OS_PASSWORD": "ep"},
        by_password("fu", "ep", FD, {"name": "fproj", "domain": FD}),
    ),
    "no domain is the default domain": (
        ["--os-cloud", "bare"],
        {},
        by_password("fu", "fp", DEFAULT, {"name": "fproj", "domain": DEFAULT}),
    ),
    "--os-default-domain": (
        ["--os-cloud", "bare", "--os-default-domain", "dd"],
        {},
        by_password("fu", "fp", {"id": "dd"}, {"name": "fproj", "domain": {"id": "dd"}}),
    ),
    "no file at all": (
        ["--os-password", "cp"],
        {**STALE, "OS_AUTH_URL": AUTH},
        by_password("eu", "cp", {"id": "edom"}, {"id": "eid"}),
    ),
    "application credential of the file": (["--os-cloud", "app"], {}, by_application({"id": "fi", "secret": "fs"})),
    "without its type": (["--os-cloud", "app-untyped"], {}, by_application({"id": "fi", "secret": "fs"})),
    "beside another user's variables": (["--os-cloud", "app"], STALE, by_application({"id": "fi", "secret": "fs"})),
    "by name": (
        ["--os-cloud", "app-by-name"],
        {},
        by_application({"name": "fn", "secret": "fs", "user": {"name": "fu", "domain": FD}}),
    ),
    "its secret given": (
        ["--os-cloud", "app", "--os-application-credential-secret", "cs"],
        {},
        by_application({"id": "fi", "secret": "cs"}),
    ),
    "given whole": (["--os-auth-url", AUTH, *APP_OPTIONS], {}, APP),
    "given with its type": (
        ["--os-auth-type", "v3applicationcredential", "--os-auth-url", AUTH, *APP_OPTIONS],
        {},
        APP,
    ),
    "given instead of the cloud's password": (["--os-cloud", "full", *APP_OPTIONS], {}, APP),
    "of the environment": (
        [],
        {**APP_ENV, "OS_AUTH_TYPE": "v3applicationcredential", "OS_AUTH_URL": AUTH},
        by_application({"id": "ei", "secret": "es"}),
    ),
    "of the environment, without its type": (
        [],
        {**APP_ENV, "OS_AUTH_URL": AUTH},
        by_application({"id": "ei", "secret": "es"}),
    ),
    "of the environment, for a cloud that lacks all": (
        ["--os-cloud", "url-only"],
        {**APP_ENV, "OS_AUTH_TYPE": "v3applicationcredential"},
        by_application({"id": "ei", "secret": "es"}),
    ),
    "a token given": (
        ["--os-cloud", "full", "--os-token", "ct"],
        {},
        {
            "identity": {"methods": ["token"], "token": {"id": "ct"}},
            "scope": {"project": {"name": "fproj", "domain": FD}},
        },
    ),
}


@pytest.mark.parametrize(("argv", "environment", "expected"), CASES.values(), ids=CASES.keys())
def test_as_whom(
    mock: requests_mock.Mocker,
    monkeypatch: pytest.MonkeyPatch,
    argv: Sequence[str],
    environment: Mapping[str, str],
    expected: Mapping[str, Any],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    connect(argv)
    assert mock.request_history[-1].json() == {"auth": expected}


def test_secrets_may_lie_in_a_file_of_their_own(
    mock: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secure.yaml").write_text("clouds: {no-password: {auth: {password: from-secure}}}")
    monkeypatch.setenv("OS_CLIENT_SECURE_FILE", str(tmp_path / "secure.yaml"))
    connect(["--os-cloud", "no-password"])
    assert mock.request_history[-1].json()["auth"]["identity"]["password"]["user"]["password"] == "from-secure"


@contextmanager
def keystone() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve Keystone on a loopback port; yield its URL and the logins that come."""
    logins: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self, name: str, status: int) -> None:
            text = json.dumps(fixture(f"keystone/{name}")).replace(URL, url)
            self.send_response(status)
            self.send_header("X-Subject-Token", "t")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            self.answer("v3", 200)

        def do_POST(self) -> None:
            logins.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer("token", 201)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield url, logins
        server.shutdown()


AS_OPENSTACK = [
    "--os-username, --os-password",
    "--os-project-id before the name",
    "its secret given",
    "no file at all",
]


@pytest.mark.real
@pytest.mark.parametrize("case", AS_OPENSTACK)
def test_as_the_openstack_client_itself(config: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    argv, environment, _ = CASES[case]
    with keystone() as (url, logins):
        config.write_text(LOGINS.replace("AUTH", f"{url}/identity/v3"))
        for name, value in environment.items():
            monkeypatch.setenv(name, value.replace(URL, url))
        program = Path(sys.executable).parent / "openstack"
        subprocess.run([program, *argv, "token", "issue"], check=True, capture_output=True, timeout=60)
        connect([word.replace(URL, url) for word in argv])
    theirs, ours = logins
    assert ours == theirs
