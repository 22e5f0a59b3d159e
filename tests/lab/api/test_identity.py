"""What is the lab's own about its Keystone: one address, tokens that end on order, a credential to start with."""

from __future__ import annotations

import openstack.connection
import pytest

from haos.lab.api import CREDENTIAL, Server
from tests.lab.api.conftest import SDK_NAGS, Client, Login, connect


@pytest.mark.parametrize("path", ["/", "/identity"])
def test_discovery_leads_to_v3_from_the_bare_address_too(login: Login, server: Server, path: str) -> None:
    answer = login("")("GET", path)
    assert answer.status == 300
    [version] = answer.body["versions"]["values"]
    assert version["links"][0]["href"] == f"{server.url}/identity/v3/"


def test_the_catalog_names_one_port(demo: Client, server: Server) -> None:
    catalog = demo("GET", "/identity/v3/auth/catalog").body["catalog"]
    urls = {entry["type"]: {end["url"] for end in entry["endpoints"]} for entry in catalog}
    assert urls["compute"] == {f"{server.url}/compute/v2.1"}
    assert urls["network"] == {f"{server.url}/network"}
    assert urls["identity"] == {f"{server.url}/identity"}


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
def test_the_application_credential_to_start_with(server: Server) -> None:
    connection = connect(
        auth_type="v3applicationcredential",
        auth_url=f"{server.url}/identity",
        application_credential_id=CREDENTIAL.id,
        application_credential_secret=CREDENTIAL.secret,
    )
    assert {port.status for port in connection.network.ports()} == {"ACTIVE"}
    connection.close()
