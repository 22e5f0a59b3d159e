"""The cloud adapter's reads: the exact requests, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import requests_mock

from haos.adapters.cloud import OpenStackCloud
from haos.adapters.cloud_rest import DEADLINE_S, RETRIES
from haos.core.model import RESERVATION_OWNER, Quota
from haos.errors import AmbiguousError, AuthenticationError, CloudError, NotFoundError, UncertainError
from tests.adapters.cloud_double import (
    AT_ONCE,
    FIRST,
    NETWORK,
    NEUTRON,
    NOT_THERE,
    NOVA,
    PROJECT,
    asked,
    connected,
    fixture,
)
from tests.fakes import FakeClock

GONE = "11111111-2222-4333-8444-555555555555"
SERVERS = {server["name"]: server for server in fixture("nova/servers")["servers"]}


class SlowClock(FakeClock):
    """A clock that writes down the pauses."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        super().sleep(seconds)


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[tuple[requests_mock.Mocker, OpenStackCloud]]:
    with connected(tmp_path) as both:
        yield both


@pytest.fixture
def mock(setup: tuple[requests_mock.Mocker, OpenStackCloud]) -> requests_mock.Mocker:
    return setup[0]


@pytest.fixture
def cloud(setup: tuple[requests_mock.Mocker, OpenStackCloud]) -> OpenStackCloud:
    return setup[1]


def test_network_by_name(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/networks", json=fixture("neutron/networks"))
    found = cloud.networks(["ha_lab"])["ha_lab"]
    assert (found.id, found.project_id, found.shared) == (NETWORK, PROJECT, False)
    assert asked(mock) == ["GET /network/v2.0/networks?name=ha_lab"]


def test_network_by_id_takes_one_more_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/networks", json={"networks": []})
    mock.get(f"{NEUTRON}/networks/{NETWORK}", json={"network": fixture("neutron/networks")["networks"][0]})
    assert cloud.networks([NETWORK])[NETWORK].name == "ha_lab"
    assert asked(mock) == [f"GET /network/v2.0/networks?name={NETWORK}", f"GET /network/v2.0/networks/{NETWORK}"]


def test_two_networks_by_name_are_one_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    lab = fixture("neutron/networks")["networks"][0]
    mock.get(f"{NEUTRON}/networks", json={"networks": [{**lab, "id": "p", "name": "public"}, lab]})
    found = cloud.networks(["ha_lab", "Public"])  # MySQL compares names without regard to case
    assert {ref: network.id for ref, network in found.items()} == {"ha_lab": NETWORK, "Public": "p"}
    assert asked(mock) == ["GET /network/v2.0/networks?name=ha_lab&name=Public"]


@pytest.mark.parametrize(("ref", "requests"), [("nope", 1), (GONE, 3)])
def test_no_such_network(cloud: OpenStackCloud, mock: requests_mock.Mocker, ref: str, requests: int) -> None:
    mock.get(f"{NEUTRON}/networks", json={"networks": []})
    mock.get(f"{NEUTRON}/networks/{GONE}", [NOT_THERE])
    with pytest.raises(NotFoundError, match=f"no network named '{ref}'"):
        cloud.networks([ref])
    assert len(asked(mock)) == requests


def test_two_networks_of_a_name(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/networks", json={"networks": fixture("neutron/networks")["networks"] * 2})
    with pytest.raises(AmbiguousError, match=NETWORK):
        cloud.networks(["ha_lab"])


def test_subnets_and_ports(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/subnets", json=fixture("neutron/subnets"))
    mock.get(f"{NEUTRON}/ports", json=fixture("neutron/ports"))
    [subnet] = cloud.subnets(NETWORK)
    assert subnet.cidr == ip_network("10.200.51.0/24")
    assert subnet.gateway == ip_address("10.200.51.1")
    assert str(subnet.pools[0].first) == "10.200.51.32"
    ports = {port.id: port for port in cloud.ports(NETWORK)}
    assert ports[FIRST].mac == "fa:16:3e:8d:dc:bb"
    assert ports[FIRST].fixed_ips[0].address == ip_address("10.200.51.32")
    assert ports[FIRST].revision == 4
    assert asked(mock) == [
        f"GET /network/v2.0/subnets?network_id={NETWORK}",
        f"GET /network/v2.0/ports?network_id={NETWORK}",
    ]


def test_one_port(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/ports/{FIRST}", json={"port": fixture("neutron/ports")["ports"][0]})
    assert cloud.port(FIRST).network_id == NETWORK
    mock.get(f"{NEUTRON}/ports/{GONE}", [NOT_THERE])
    with pytest.raises(NotFoundError, match=GONE):
        cloud.port(GONE)


def test_pages_are_followed_by_their_marker(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    first, *rest = fixture("neutron/ports")["ports"]
    links = [{"rel": "next", "href": "http://elsewhere.test/"}, {"rel": "previous", "href": ""}]
    mock.get(f"{NEUTRON}/ports", [{"json": {"ports": [first], "ports_links": links}}, {"json": {"ports": rest}}])
    assert len(cloud.ports(NETWORK)) == 1 + len(rest)
    query = f"/network/v2.0/ports?network_id={NETWORK}"
    assert asked(mock) == [f"GET {query}", f"GET {query}&marker={first['id']}"]


def test_instances_by_name_in_one_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NOVA}/servers/detail", json=fixture("nova/servers"))
    found = cloud.instances(["ha_first", "ha_secon"])
    [first] = found["ha_first"]
    assert found["ha_secon"] == ()
    assert first.fixed == (ip_address("10.200.51.32"),)
    assert first.floating == (ip_address("172.24.4.32"),)
    assert first.host_id == SERVERS["ha_first"]["hostId"]
    [request] = mock.request_history
    assert asked(mock)[0].startswith("GET /compute/v2.1/servers/detail?name=")
    assert request.headers["OpenStack-API-Version"] == "compute 2.26"


def test_every_page_of_instances(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    first, second, *_ = SERVERS.values()
    links = [{"rel": "next", "href": "http://elsewhere.test/"}]
    pages = [{"json": {"servers": [first], "servers_links": links}}, {"json": {"servers": [second]}}]
    mock.get(f"{NOVA}/servers/detail", pages)
    assert len(cloud.instances_tagged("observer")) == 2
    assert asked(mock) == [
        "GET /compute/v2.1/servers/detail?tags=observer",
        f"GET /compute/v2.1/servers/detail?tags=observer&marker={first['id']}",
    ]


def test_an_instance_by_id_and_one_that_is_gone(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    server = SERVERS["observer"]
    mock.get(f"{NOVA}/servers/detail", json={"servers": []})
    mock.get(f"{NOVA}/servers/{server['id']}", json={"server": server})
    mock.get(f"{NOVA}/servers/{GONE}", status_code=404, json=fixture("nova/404"))
    found = cloud.instances([server["id"], GONE])
    assert [one.id for one in found[server["id"]]] == [server["id"]]
    assert found[GONE] == ()
    assert asked(mock)[1:] == [f"GET /compute/v2.1/servers/{one}" for one in (server["id"], GONE, GONE)]


def test_several_instances_by_id_in_one_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NOVA}/servers/detail", json=fixture("nova/servers"))
    ids = [SERVERS[name]["id"] for name in ("ha_first", "ha_second")]
    assert {one.name for one in cloud.instances_by_id([*ids, GONE]).values()} == {"ha_first", "ha_second"}
    assert asked(mock) == ["GET /compute/v2.1/servers/detail"]


def test_asking_for_nothing_asks_nobody(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    assert cloud.instances([]) == {}
    assert cloud.instances_by_id([]) == {}
    assert cloud.groups([]) == ()
    assert asked(mock) == []


def test_security_groups(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/security-groups", json=fixture("neutron/security-groups"))
    [group] = cloud.groups(["a", "b"])
    assert {rule.direction for rule in group.rules} == {"ingress", "egress"}
    cloud.groups_named("haos-web")
    assert asked(mock) == [
        "GET /network/v2.0/security-groups?id=a&id=b",
        f"GET /network/v2.0/security-groups?name=haos-web&project_id={PROJECT}",
    ]


def test_reservations(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/ports", json={"ports": [fixture("neutron/reservation")["port"]]})
    [port] = cloud.reservations()
    assert (port.device_owner, port.mac) == (RESERVATION_OWNER, "00:00:5e:00:01:01")
    assert asked(mock) == [f"GET /network/v2.0/ports?device_owner=haos%3Avip&project_id={PROJECT}"]


def test_quota_and_extensions(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/quotas/{PROJECT}/details.json", json=fixture("neutron/quota"))
    mock.get(f"{NEUTRON}/extensions", json=fixture("neutron/extensions"))
    assert cloud.quota().ports == 494
    assert "allowed-address-pairs" in cloud.extensions()
    assert asked(mock) == [f"GET /network/v2.0/quotas/{PROJECT}/details.json", "GET /network/v2.0/extensions"]


@pytest.mark.parametrize("status", [403, 404])
def test_a_cloud_that_does_not_tell_its_quota(cloud: OpenStackCloud, mock: requests_mock.Mocker, status: int) -> None:
    mock.get(f"{NEUTRON}/quotas/{PROJECT}/details.json", status_code=status, json=NOT_THERE["json"])
    assert cloud.quota() == Quota()


def test_trouble_is_not_taken_for_an_unknown_quota(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/quotas/{PROJECT}/details.json", status_code=503, headers=AT_ONCE)
    with pytest.raises(CloudError, match="cannot read the quota"):
        cloud.quota()


def test_console_log(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NOVA}/servers/x/action", [{"status_code": 503, "headers": AT_ONCE}, {"json": {"output": "BEGIN"}}])
    assert cloud.console_log("x") == "BEGIN"
    assert mock.request_history[0].json() == {"os-getConsoleOutput": {"length": 1000}}
    assert len(asked(mock)) == 2


def test_an_instance_without_a_console(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NOVA}/servers/x/action", status_code=404, json=fixture("nova/404"))
    with pytest.raises(CloudError, match="cannot read the console of x"):
        cloud.console_log("x")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_reads_are_repeated_when_the_cloud_stumbles(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, status: int
) -> None:
    stumble = {"status_code": status, "text": "", "headers": AT_ONCE}
    mock.get(f"{NEUTRON}/ports", [stumble, stumble, stumble, {"json": fixture("neutron/ports")}])
    assert len(cloud.ports(NETWORK)) == 4
    assert len(asked(mock)) == 4


STRANGE = {"status_code": 404, "text": "<html>no such backend</html>"}


def test_what_is_not_found_is_asked_for_twice(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    """A copy of the database that lags behind does not know what was made a moment ago."""
    mock.get(f"{NEUTRON}/ports/{FIRST}", [NOT_THERE, {"json": {"port": fixture("neutron/ports")["ports"][0]}}])
    assert cloud.port(FIRST).network_id == NETWORK
    mock.delete(f"{NEUTRON}/ports/{FIRST}", [NOT_THERE, {"status_code": 204}])
    cloud.delete_port(FIRST)
    assert len(asked(mock)) == 4


def test_a_404_that_is_not_the_services_says_nothing_of_what_is_there(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    mock.get(f"{NEUTRON}/ports/{FIRST}", [STRANGE, {"json": {"port": fixture("neutron/ports")["ports"][0]}}])
    assert cloud.port(FIRST).network_id == NETWORK
    mock.delete(f"{NEUTRON}/ports/{FIRST}", [STRANGE])
    with pytest.raises(UncertainError, match=r"cannot delete port .* \(HTTP 404\)") as raised:
        cloud.delete_port(FIRST)
    assert "openstack catalog list" in str(raised.value.hint)
    assert len(asked(mock)) == 2 + RETRIES + 1


@pytest.mark.parametrize(
    ("asked_for", "pauses"),
    [
        ("7", [7, 7, 7]),
        ("22", [22, 22, 10]),  # a third one would go past the deadline
        ("86400", [10, 10, 10]),
        ("Thu, 22 Oct 2026 07:28:00 GMT", [10, 10, 10]),
        ("Wed, 21 Oct 2026 07:28:03 GMT", [3, 3, 3]),
    ],
)
def test_patience_ends(
    cloud: OpenStackCloud,
    mock: requests_mock.Mocker,
    monkeypatch: pytest.MonkeyPatch,
    asked_for: str,
    pauses: list[float],
) -> None:
    clock = SlowClock()
    monkeypatch.setattr("haos.adapters.cloud_rest._clock", clock)
    headers = {"Retry-After": asked_for, "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    mock.get(f"{NEUTRON}/ports", status_code=503, text="", headers=headers)
    with pytest.raises(CloudError, match=r"cannot list ports: .* \(HTTP 503\)"):
        cloud.ports(NETWORK)
    assert clock.pauses == pauses
    assert sum(pauses) < DEADLINE_S


def test_no_pause_goes_past_the_deadline(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SlowClock()
    monkeypatch.setattr("haos.adapters.cloud_rest._clock", clock)

    def slow(*_: object) -> str:
        clock.now += 26
        return ""

    mock.get(f"{NEUTRON}/ports", status_code=429, text=slow, headers={"Retry-After": "86400"})
    with pytest.raises(CloudError, match="HTTP 429"):
        cloud.ports(NETWORK)
    assert clock.pauses == [10]
    assert len(asked(mock)) == 2


def test_a_token_that_ran_out_is_replaced(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/ports", [{"status_code": 401, "json": {}}, {"json": fixture("neutron/ports")}])
    assert len(cloud.ports(NETWORK)) == 4
    assert [line.split("?")[0] for line in asked(mock)] == [
        "GET /network/v2.0/ports",
        "POST /identity/v3/auth/tokens",
        "GET /network/v2.0/ports",
    ]


def test_a_token_that_is_refused_twice(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/ports", status_code=401, json=fixture("keystone/401"))
    with pytest.raises(AuthenticationError, match="requires authentication"):
        cloud.ports(NETWORK)


@pytest.mark.parametrize("text", ["<html>Log in</html>", "[]"])
def test_what_is_no_api_is_said_so(cloud: OpenStackCloud, mock: requests_mock.Mocker, text: str) -> None:
    mock.get(f"{NEUTRON}/ports", text=text)
    with pytest.raises(CloudError, match=r"/network/v2\.0/ports did not answer as the API does"):
        cloud.ports(NETWORK)


def test_networks_and_ports_by_id_are_one_request_each(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/networks", json=fixture("neutron/networks"))
    mock.get(f"{NEUTRON}/ports", json=fixture("neutron/ports"))
    assert cloud.networks_by_id([NETWORK, NETWORK])[NETWORK].name == "ha_lab"
    assert cloud.ports_by_id([FIRST, GONE])[FIRST].network_id == NETWORK
    assert asked(mock) == [
        f"GET /network/v2.0/networks?id={NETWORK}",
        f"GET /network/v2.0/ports?id={FIRST}&id={GONE}",
    ]


def test_many_ids_are_asked_for_in_urls_that_pass(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/ports", json={"ports": []})
    assert cloud.ports_by_id([f"{n:08}{GONE[8:]}" for n in range(120)]) == {}
    assert len(asked(mock)) == 3
    assert max(map(len, asked(mock))) < 4000
    assert cloud.networks_by_id([]) == {}
    assert len(asked(mock)) == 3
