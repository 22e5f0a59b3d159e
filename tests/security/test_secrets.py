"""No secret leaves haos: not on success, not by an error, a log, a file or a program that it starts."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from haos.cli import main
from haos.lab.api import CREDENTIAL
from tests.security.scene import PAIR, PASSWORD, SECRET, URL_PASSWORD, WRONG, Scene, scene, told

__all__ = ["scene"]

ROOT = Path(__file__).parents[2]
NODES = ("--network", "ha_lab", "--nodes", "ha_first,ha_second", "--observer", "observer")
COMMANDS = [
    ("list", "-f", "json"),
    ("check", *NODES),
    ("check", PAIR, "-f", "yaml"),
    ("create", *NODES, "--name", "other", "--yes"),
    ("create", *NODES, "--name", "other", "--dry-run", "--explain"),
    ("status", PAIR, "-f", "json"),
    ("failover-test", PAIR, "--yes", "--report", "r.html", "--junit", "r.xml", "--raw", "r.csv", "-f", "json"),
    ("switchover", PAIR, "--yes"),
    ("teardown", PAIR, "--yes", "--purge"),
    ("teardown", PAIR, "--yes", "--explain"),
    ("failover-test", "--restore", PAIR),
    ("repair", PAIR, "--yes"),
    ("replace-node", PAIR, "--old", "ha_first", "--new", "observer", "--yes"),
]
WITHOUT_A_CLOUD = {"lab", "completion", "help"}


def by_password(at: Scene) -> None:
    at.set(**at.password())


def by_credential(at: Scene) -> None:
    at.set(
        OS_AUTH_TYPE="v3applicationcredential",
        OS_AUTH_URL=at.auth_url,
        OS_APPLICATION_CREDENTIAL_ID=CREDENTIAL.id,
        OS_APPLICATION_CREDENTIAL_SECRET=SECRET.value,
    )


def by_token(at: Scene) -> None:
    client = at.login()
    at.set(OS_AUTH_TYPE="token", OS_AUTH_URL=at.auth_url, OS_TOKEN=client.token, OS_PROJECT_NAME="demo",
           OS_PROJECT_DOMAIN_NAME="Default")  # fmt: skip
    client.close()


def by_url(at: Scene) -> None:
    at.set(**at.password(AUTH_URL=with_userinfo(at.auth_url)))


def by_files(at: Scene) -> None:
    auth = f"auth_url: '{with_userinfo(at.auth_url)}', username: demo, project_name: demo"
    domains = "user_domain_name: Default, project_domain_name: Default"
    (at.home / "clouds.yaml").write_text(f"clouds:\n  test:\n    auth: {{{auth}, {domains}}}\n")
    quoted = PASSWORD.value.replace("'", "''")
    (at.home / "secure.yaml").write_text(f"clouds:\n  test:\n    auth: {{password: '{quoted}'}}\n")
    use_files(at)


def use_files(at: Scene) -> None:
    """Name the files: openstacksdk looks for them in the folder in which it was imported."""
    secure = str(at.home / "secure.yaml")
    at.set(OS_CLOUD="test", OS_CLIENT_CONFIG_FILE=str(at.home / "clouds.yaml"), OS_CLIENT_SECURE_FILE=secure)


def by_proxy(at: Scene) -> None:
    """Go through a proxy that wants a password: the API itself, which answers to whole URLs too."""
    at.set(**at.password(AUTH_URL="http://cloud.test/identity/v3"), http_proxy=with_userinfo(at.server.url))


def with_userinfo(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"operator:{URL_PASSWORD.in_url}@{parts.netloc}").geturl()


@pytest.mark.parametrize("login", [by_password, by_credential, by_token, by_files, by_proxy])
def test_no_login_tells_its_secrets(scene: Scene, login: Callable[[Scene], None]) -> None:
    login(scene)
    _, texts = scene.run("check", *NODES)
    assert "haos.requests" in texts["haos.log"]
    calls = {where: text for where, text in texts.items() if where.startswith("calls/")}
    assert calls
    # ssh keeps the variables of proxies: a ProxyCommand may need them.
    assert told({**texts, **{where: re.sub(r"(?m)^\w+_proxy=.*", "", text) for where, text in calls.items()}}) == {}


@pytest.mark.parametrize("argv", COMMANDS, ids=lambda argv: " ".join(argv)[:30])
def test_no_command_tells_a_secret(scene: Scene, argv: tuple[str, ...]) -> None:
    scene.reserve()
    by_url(scene)
    _, texts = scene.run(*argv)
    assert "haos.requests" in texts["haos.log"]
    assert told(texts) == {}


def test_every_command_is_among_them() -> None:
    assert {argv[0] for argv in COMMANDS} == set(main.COMMANDS) - WITHOUT_A_CLOUD


BUG = """
import os, sys
from haos.adapters.cloud import OpenStackCloud
from haos.cli.main import main

def bug(self, *_):
    session = self._neutron._adapter.session
    try:
        raise ValueError(f"{session.auth.__dict__} {session.auth._plugin.__dict__}")
    except ValueError:
        raise RuntimeError(f"{dict(os.environ)} {session.get_token()} {sys.argv}")

OpenStackCloud.reservations = bug
main(sys.argv[1:])
"""


@pytest.mark.parametrize("debug", [(), ("--debug", "--log-file", "haos.log")])
def test_a_bug_keeps_its_traceback_but_no_secret(scene: Scene, debug: tuple[str, ...]) -> None:
    by_url(scene)
    words = [*debug, "--os-password", WRONG.value, "--os-password", PASSWORD.value, "list"]
    argv, environ = [sys.executable, "-c", BUG, *words], {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert "RuntimeError: " in ended.stderr
    assert ended.stderr.count("***") > 5
    assert told({"stdout": ended.stdout, "stderr": ended.stderr, **scene.written()}) == {}


def closed(at: Scene) -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{one.getsockname()[1]}"


FAILURES: dict[str, Callable[[Scene], dict[str, str]]] = {
    "wrong password": lambda at: at.password(PASSWORD=WRONG.value, AUTH_URL=with_userinfo(at.auth_url)),
    "refused": lambda at: at.password(AUTH_URL=with_userinfo(f"http://{closed(at)}/identity/v3")),
    "refused over TLS": lambda at: at.password(AUTH_URL=with_userinfo(f"https://{closed(at)}/identity/v3")),
    "no TLS there": lambda at: at.password(AUTH_URL=with_userinfo(at.auth_url).replace("http:", "https:")),
    "no such host": lambda at: at.password(AUTH_URL=with_userinfo("http://cloud.invalid/identity/v3")),
    "no such port": lambda at: at.password(AUTH_URL=with_userinfo("http://cloud.test:99999/identity/v3")),
    "no port": lambda at: at.password(AUTH_URL=with_userinfo("http://cloud.test:port/identity/v3")),
    "no scheme": lambda at: at.password(AUTH_URL=with_userinfo("http://cloud.test/v3").replace("http:", "")),
    "no path": lambda at: at.password(AUTH_URL=with_userinfo(f"{at.server.url}/nowhere")),
    "proxy refuses": lambda at: {
        **at.password(AUTH_URL="http://cloud.test/v3"),
        "http_proxy": with_userinfo(f"http://{closed(at)}"),
    },
    "proxy of TLS refuses": lambda at: {
        **at.password(AUTH_URL="https://cloud.test/v3"),
        "https_proxy": with_userinfo(f"http://{closed(at)}"),
    },
    "proxy of TLS says no": lambda at: {
        **at.password(AUTH_URL="https://cloud.test/v3"),
        "https_proxy": with_userinfo(at.server.url),
    },
    "proxy is no URL": lambda at: {
        **at.password(AUTH_URL="http://cloud.test/v3"),
        "http_proxy": with_userinfo("http://cloud.test:port"),
    },
    "wrong credential": lambda at: {
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_AUTH_URL": at.auth_url,
        "OS_APPLICATION_CREDENTIAL_ID": CREDENTIAL.id,
        "OS_APPLICATION_CREDENTIAL_SECRET": WRONG.value,
    },
    "no such login": lambda at: at.password(AUTH_TYPE="v3none"),
    "sudo password of two lines": lambda at: {**at.password(), "HAOS_SUDO_PASSWORD": f"{WRONG.value}\nx"},
}


@pytest.mark.parametrize("failure", FAILURES)
def test_no_secret_is_told_by_a_failure(scene: Scene, failure: str) -> None:
    scene.set(**FAILURES[failure](scene))
    code, texts = scene.run("check", *NODES)
    assert code in (1, 2, 5), texts["stderr"]
    assert told(texts) == {}


@pytest.mark.parametrize(
    "text",
    [
        "clouds:\n  test:\n    auth:\n      password: {mark}: x: [\n",
        "clouds:\n  test:\n    auth:\n     password: '{mark}\n",
        "clouds:\n  test:\n    auth: {{password: {mark} \n",
        "clouds:\n  test: {mark}\n",
        "clouds:\n  test:\n    auth: {{auth_url: 'http://cloud.test', passwrd: {mark}, password: {mark}}}\n",
        "clouds:\n  test:\n    auth: {{auth_url: 'http://u:{mark}@cloud.test:x/', password: {mark}}}\n",
        "clouds:\n  test:\n    auth: {mark}\n",
        "{mark}\n",
    ],
)
@pytest.mark.parametrize("name", ["clouds.yaml", "secure.yaml"])
def test_a_file_that_cannot_be_used_is_not_quoted(scene: Scene, text: str, name: str) -> None:
    if name == "secure.yaml":
        (scene.home / "clouds.yaml").write_text("clouds:\n  test:\n    auth: {username: demo}\n")
    (scene.home / name).write_text(text.format(mark=WRONG.core))
    use_files(scene)
    code, texts = scene.run("list")
    assert code in (1, 2), texts["stderr"]
    assert told(texts) == {}
