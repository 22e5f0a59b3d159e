"""Names can hold anything: what is asked for is exactly that, and an answer is never another's."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests_mock

from haos.adapters.cloud import OpenStackCloud
from haos.errors import (
    AmbiguousError,
    CloudError,
    ForbiddenError,
    HaosError,
    MacTakenError,
    NotFoundError,
    QuotaError,
)
from haos.workflow.context import PortAmendment
from tests.adapters.cloud_double import NEUTRON, NOVA, PROJECT, fixture
from tests.adapters.test_cloud_ports import OURS, RESERVATION, port

NAMES = [
    "a b;$(touch /tmp/x)'\"",
    "100%",
    "50%25",
    "a&b=c",
    "a?b#c/../d",
    "a+b",
    "näme ☃",
    "-rf",
    "^.*$",
    "a|b\\",
    "[x",
    "x" * 255,
    "☃" * 255,
]
SERVER = fixture("nova/servers")["servers"][0]


def query(mock: requests_mock.Mocker) -> dict[str, list[str]]:
    """Return the last request's query, decoded by the letter."""
    url = urlsplit(mock.request_history[-1].url)
    assert url.fragment == ""
    return parse_qs(url.query, keep_blank_values=True, strict_parsing=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_asked_for_by_exactly_its_name(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, name: str
) -> None:
    mock.get(f"{NEUTRON}/networks", json={"networks": [{**fixture("neutron/networks")["networks"][0], "name": name}]})
    assert cloud.networks([name])[name].name == name
    assert query(mock) == {"name": [name]}


@pytest.mark.parametrize("name", NAMES)
def test_a_group_is_asked_for_by_exactly_its_name(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, name: str
) -> None:
    mock.get(f"{NEUTRON}/security-groups", json={"security_groups": []})
    assert cloud.groups_named(name) == ()
    assert query(mock) == {"name": [name], "project_id": [PROJECT]}


def test_a_network_is_the_one_named_to_the_letter(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    network = fixture("neutron/networks")["networks"][0]
    both = [{**network, "id": "upper", "name": "HA"}, {**network, "name": "ha"}]
    mock.get(f"{NEUTRON}/networks", json={"networks": both})
    assert cloud.networks(["ha"])["ha"].id == network["id"]
    with pytest.raises(AmbiguousError):
        cloud.networks(["Ha"])


def test_a_group_whose_name_differs_in_case_is_another(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    group = fixture("neutron/security-groups")["security_groups"][0]
    both = [{**group, "id": "upper", "name": "haos-WEB"}, {**group, "name": "haos-web"}]
    mock.get(f"{NEUTRON}/security-groups", json={"security_groups": both})
    assert [found.id for found in cloud.groups_named("haos-web")] == [group["id"]]


@pytest.mark.parametrize("name", NAMES)
def test_an_instance_is_found_by_exactly_its_name(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, name: str
) -> None:
    others = [{**SERVER, "id": "o", "name": other} for other in (name + "x", name[:-1], name.upper() + "!")]
    mock.get(f"{NOVA}/servers/detail", json={"servers": [*others, {**SERVER, "name": name}]})
    found = cloud.instances([name, "other"])
    assert [one.id for one in found[name]] == [SERVER["id"]]
    assert found["other"] == ()
    [pattern] = query(mock)["name"]
    assert re.search(pattern, name)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_there_is_said_in_one_line(cloud: OpenStackCloud, mock: requests_mock.Mocker, name: str) -> None:
    mock.get(f"{NEUTRON}/networks", json={"networks": []})
    with pytest.raises(NotFoundError) as error:
        cloud.networks([name])
    assert repr(name) in error.value.reason
    assert error.value.hint == "openstack network list"
    assert error.value.exit_code == 1


def test_no_name_is_no_network(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    with pytest.raises(NotFoundError):
        cloud.networks([""])
    assert mock.call_count == 0


FAILURES: list[tuple[int, str, type[HaosError], int, str, str]] = [
    (401, "keystone/401", CloudError, 1, "requires authentication", "openstack token issue"),
    (403, "neutron/403-pairs", ForbiddenError, 5, "policy rule .* says no", "network's owner"),
    (404, "nova/404", NotFoundError, 1, "could not be found", "gone meanwhile"),
    (409, "neutron/409-quota", QuotaError, 5, "Quota exceeded", "openstack quota show"),
    (409, "neutron/409-mac", MacTakenError, 5, "is in use", "openstack port list --mac-address"),
    (400, "neutron/400-pairs", CloudError, 1, "exceeds the maximum 10", "at most 10"),
]


@pytest.mark.parametrize(("status", "body", "kind", "code", "words", "hint"), FAILURES)
@pytest.mark.parametrize("writing", ["reserve", "amend", "adopt", "group"])
def test_a_refused_write_is_one_line_with_remedy_and_exit_code(
    cloud: OpenStackCloud,
    mock: requests_mock.Mocker,
    writing: str,
    status: int,
    body: str,
    kind: type[HaosError],
    code: int,
    words: str,
    hint: str,
) -> None:
    mock.register_uri(requests_mock.ANY, re.compile(f"^{NEUTRON}"), status_code=status, json=fixture(body))
    calls: dict[str, Any] = {
        "reserve": lambda: cloud.reserve(RESERVATION),
        "amend": lambda: cloud.amend_port(port(), PortAmendment(add_pairs=(OURS,))),
        "adopt": lambda: cloud.adopt(port(), device_id="haos-web", description="d"),
        "group": lambda: cloud.make_group("haos-web", "d", []),
    }
    with pytest.raises(kind, match=words) as error:
        calls[writing]()
    assert error.value.exit_code == code
    assert "\n" not in error.value.reason
    assert hint in (error.value.hint or "")
    assert error.value.reason.startswith("cannot ")
