"""The two sides that every statement is made of: the lab's API, and real Keystone, Nova and Neutron."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from openstack.config import OpenStackConfig

from haos.lab.api import PASSWORD, Cloud, howto
from haos.lab.model import IdleWorld
from tests.contract.client import Client, Credentials

Role = Literal["member", "reader", "other", "admin"]
"""A member and a reader of one project, a member of another project, and the cloud's admin."""

SUFFIXES: Mapping[Role, str] = {"member": "", "reader": "-reader", "other": "-other", "admin": "-admin"}
LAB_USERS: Mapping[Role, tuple[str, str]] = {
    "member": ("demo", "demo"),
    "reader": ("reader", "demo"),
    "other": ("other", "other"),
    "admin": ("admin", "admin"),
}


@dataclass
class Side:
    """One cloud, and who can log in there."""

    name: Literal["lab", "openstack"]
    credentials: Mapping[Role, Credentials]
    _clients: list[Client] = field(default_factory=list)

    def login(self, role: Role) -> Client:
        """Log in, with a connection and a token of its own; the side closes it at its end."""
        who = self.credentials[role]
        client = Client(who.auth_url)
        self._clients.append(client)
        answer = client.login(who)
        assert answer.status == 201, f"{who.username} cannot log in at {who.auth_url}: {answer}"
        return client

    def twin(self, client: Client, token: str | None = None) -> Client:
        """Make another client with the same token, or another one; the side closes it at its end."""
        twin = client.twin(token)
        self._clients.append(twin)
        return twin

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()


@contextmanager
def lab_side() -> Iterator[Side]:
    """Serve a lab's API with an idle world behind it."""
    cloud = Cloud(howto(), IdleWorld())
    cloud.power_on()
    server = cloud.serve()
    where = f"{server.url}/identity/v3"
    who = {role: Credentials(where, user, PASSWORD, project) for role, (user, project) in LAB_USERS.items()}
    side = Side("lab", who)
    try:
        yield side
    finally:
        side.close()
        cloud.settle()
        server.close()


@contextmanager
def openstack_side() -> Iterator[Side]:
    """Use the real cloud that `OS_CLIENT_CONFIG_FILE` describes; LookupError says what is missing."""
    side = Side("openstack", {role: _configured(_cloud_name() + suffix) for role, suffix in SUFFIXES.items()})
    try:
        yield side
    finally:
        side.close()


def _cloud_name() -> str:
    return os.environ.get("HAOS_CONTRACT_CLOUD", "haos-openstack")


def _configured(cloud: str) -> Credentials:
    path = os.environ.get("OS_CLIENT_CONFIG_FILE", "")
    if not Path(path).is_file():
        raise LookupError("OS_CLIENT_CONFIG_FILE names no clouds.yaml of a real OpenStack")
    config = OpenStackConfig(config_files=[path], load_envvars=False)
    if cloud not in config.get_cloud_names():
        raise LookupError(f"{path} knows no cloud {cloud}")
    auth = config.get_one(cloud, validate=False).config["auth"]
    where = auth["auth_url"].rstrip("/").removesuffix("/v3") + "/v3"
    domain = auth.get("user_domain_name") or "Default"
    return Credentials(where, auth["username"], auth["password"], auth["project_name"], domain)
