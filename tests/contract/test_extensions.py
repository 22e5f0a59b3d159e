"""Neutron's discovery: its version, its extensions, and lists that are empty for ordinary users."""

from __future__ import annotations

import pytest

from haos.lab.api.network import EXTENSIONS
from tests.contract.client import Client
from tests.contract.side import Side


@pytest.fixture
def nobody(side: Side, member: Client) -> Client:
    """A client without a token."""
    return side.twin(member, "")


def test_the_version_is_told_to_everybody(nobody: Client) -> None:
    answer = nobody("GET", f"{nobody.endpoints['network']}/")
    [version] = answer.body["versions"]
    assert (answer.status, version["id"], version["status"]) == (200, "v2.0", "CURRENT")
    [link] = version["links"]
    assert (link["rel"], link["href"].rstrip("/")) == ("self", f"{nobody.endpoints['network']}/v2.0")


def test_the_version_names_the_core(member: Client) -> None:
    resources = member.neutron("GET", "/").body["resources"]
    assert [item["name"] for item in resources] == ["network", "subnet", "subnetpool", "port"]
    assert [item["collection"] for item in resources] == ["networks", "subnets", "subnetpools", "ports"]
    for item in resources:
        href = f"{member.endpoints['network']}/v2.0/{item['collection']}"
        assert item["links"] == [{"rel": "self", "href": href}]


def test_what_the_lab_has_every_neutron_has(member: Client) -> None:
    found = {item["alias"] for item in member.neutron("GET", "/extensions").body["extensions"]}
    assert set(EXTENSIONS) - found == set()
    relied_upon = {
        "allowed-address-pairs",
        "port-security",
        "quota_details",
        "revision-if-match",
        "standard-attr-tag",
    }
    assert relied_upon <= found


def test_one_extension(member: Client) -> None:
    shown = member.neutron("GET", "/extensions/port-security").body["extension"]
    assert shown["alias"] == "port-security"
    assert {"name", "description", "updated", "links"} <= shown.keys()
    assert member.neutron("GET", "/extensions/nonsense").status == 404


def test_nothing_without_a_token(nobody: Client, side: Side, member: Client) -> None:
    text = "The request you have made requires authentication."
    for client in (nobody, side.twin(member, "nonsense")):
        for path in ("/networks", "/extensions"):
            answer = client.neutron("GET", path)
            assert answer.fault == (401, "Unauthorized", text)
            assert answer.headers["www-authenticate"].startswith("Keystone uri=")


@pytest.mark.parametrize(
    "name",
    [
        "address-groups",
        "address-scopes",
        "agents",
        "availability_zones",
        "network-ip-availabilities",
        "rbac-policies",
        "subnetpools",
    ],
)
def test_empty_for_ordinary_users(member: Client, name: str) -> None:
    answer = member.neutron("GET", f"/{name}")
    assert (answer.status, answer.body) == (200, {name.replace("-", "_"): []})


def test_no_such_thing(member: Client) -> None:
    for path in ("/nonsense", "/nonsense/x"):
        text = "The resource could not be found."
        assert member.neutron("GET", path).fault == (404, "HTTPNotFound", text)
    assert member.neutron("PATCH", "/networks/x", {}).fault[:2] == (405, "HTTPMethodNotAllowed")
