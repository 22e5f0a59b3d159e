"""A cloud of the lab with an idle world behind it, and three ways to talk to it."""

from __future__ import annotations

import http.client
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openstack
import openstack.connection
import pytest

from haos.lab.api import PASSWORD, Cloud, Server, howto
from haos.lab.model import IdleWorld

HA_LAB = "56412e9d-045b-453a-8e09-e3584a8ebaf4"
SUBNET = "9a027a94-e688-45cb-a653-e223ccc9f72f"
FIRST, SECOND = "685b6cdc-ff7f-4d82-8993-a8ca1ebf95b1", "da2c4c9c-2581-474e-8caf-abc443a1d29e"
SERVER_IDS = {"ha_first": FIRST, "ha_second": SECOND}
FIRST_PORT, SECOND_PORT = "913c4131-0cc3-4df4-9f7e-b4cf4ae885ca", "e220e2d9-f4de-4941-92e0-640ee352aa4f"
SDK_NAGS = "ignore::PendingDeprecationWarning"  # the SDK warns of its own plans
FIRST_MAC = "fa:16:3e:8d:dc:bb"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def fault(self) -> tuple[int, str, str]:
        """Status, type and message of a Neutron error."""
        error = self.body["NeutronError"]
        return self.status, error["type"], error["message"]


@dataclass
class Client:
    """A bare HTTP client with one connection and, if it logged in, a token."""

    url: str
    token: str = ""
    project_id: str = ""
    user_id: str = ""
    _connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("X-Auth-Token", self.token)
        data = json.dumps(body) if body is not None else None
        self._connection.request(method, path, data, sent)
        response = self._connection.getresponse()
        raw = response.read()
        parsed = json.loads(raw) if raw else None
        return Answer(response.status, parsed, {name.lower(): value for name, value in response.getheaders()})

    def neutron(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self(method, f"/network/v2.0{path}", body, **headers)

    def nova(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self(method, f"/compute/v2.1{path}", body, **headers)

    def login(self, user: str, project: str, password: str = PASSWORD) -> Answer:
        who = {"name": user, "domain": {"id": "default"}, "password": password}
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
        auth = {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": scope}
        answer = self("POST", "/identity/v3/auth/tokens", {"auth": auth})
        if answer.status == 201:
            self.token = answer.headers["x-subject-token"]
            self.project_id = answer.body["token"]["project"]["id"]
            self.user_id = answer.body["token"]["user"]["id"]
        return answer

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def world() -> IdleWorld:
    return IdleWorld()


@pytest.fixture
def cloud(world: IdleWorld) -> Cloud:
    cloud = Cloud(howto(server_ids=SERVER_IDS), world)
    cloud.power_on()
    return cloud


@pytest.fixture
def access_log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


@pytest.fixture
def server(cloud: Cloud, access_log: Path) -> Iterator[Server]:
    server = cloud.serve(access_log=access_log)
    yield server
    cloud.settle()
    server.close()


Login = Callable[..., Client]


@pytest.fixture
def login(server: Server) -> Iterator[Login]:
    clients: list[Client] = []

    def make(user: str = "demo", project: str = "") -> Client:
        client = Client(server.url)
        clients.append(client)
        if user:
            home = {"reader": "demo"}.get(user, user)
            assert client.login(user, project or home).status == 201
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def demo(login: Login) -> Client:
    return login("demo")


def connect(**auth: Any) -> openstack.connection.Connection:
    """Connect the real SDK; it warns of its own plans when it does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return openstack.connect(load_yaml_config=False, load_envvars=False, region_name="RegionOne", **auth)


@pytest.fixture
def sdk(server: Server) -> Iterator[openstack.connection.Connection]:
    connection = connect(
        auth_url=f"{server.url}/identity/v3",
        username="demo",
        password=PASSWORD,
        project_name="demo",
        user_domain_id="default",
        project_domain_id="default",
    )
    yield connection
    connection.close()
