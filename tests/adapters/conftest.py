"""What several adapter tests stand on: a sandboxed node, a real sshd, a cloud of canned answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests_mock

from haos.adapters.cloud import OpenStackCloud
from haos.adapters.node import Node
from tests.adapters.cloud_double import connected
from tests.adapters.node_sandbox import Sandbox, require, sandbox
from tests.adapters.openssh_server import Client, Sshd


@pytest.fixture
def box() -> Iterator[Sandbox]:
    require("keepalived")
    with sandbox() as made:
        yield made


@pytest.fixture
def node(box: Sandbox) -> Node:
    return Node(box, "ha_first")


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd")).start()
    yield server
    server.stop()


@pytest.fixture
def client(shared_server: Sshd, tmp_path: Path) -> Iterator[Client]:
    client = Client(shared_server, tmp_path).trust()
    yield client
    client.close()


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[requests_mock.Mocker, OpenStackCloud]]:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    with connected(tmp_path) as both:
        yield both


@pytest.fixture
def mock(setup: tuple[requests_mock.Mocker, OpenStackCloud]) -> requests_mock.Mocker:
    return setup[0]


@pytest.fixture
def cloud(setup: tuple[requests_mock.Mocker, OpenStackCloud]) -> OpenStackCloud:
    return setup[1]
