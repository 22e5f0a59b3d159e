"""The cloud adapter: the exact requests it makes, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import requests
import requests_mock

from haos.adapters.cloud import OpenStackCloud, amended
from haos.core.model import AddressPair, Port, Quota, SecurityRule
from haos.errors import (
    AddressTakenError,
    AmbiguousError,
    CloudError,
    ForbiddenError,
    HaosError,
    MacTakenError,
    NotFoundError,
    QuotaError,
)
from haos.workflow.context import PortAmendment, Reservation
from tests.adapters.cloud_double import NETWORK, NEUTRON, NOVA, PROJECT, asked, connected, fixture

RESERVATION = Reservation(
    NETWORK,
    "9a027a94-e688-45cb-a653-e223ccc9f72f",
    ip_address("10.200.51.2"),
    "00:00:5e:00:01:01",
    "haos-vip-web",
    "haos-web",
    "haos/1 n=web",
)
FIRST = "913c4131-0cc3-4df4-9f7e-b4cf4ae885ca"


@pytest.fixture
def mock() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        yield mocker


@pytest.fixture
def cloud(mock: requests_mock.Mocker, tmp_path: Path) -> OpenStackCloud:
    return connected(mock, tmp_path)


def test_network_by_name(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/networks", json=fixture("neutron/networks"))
    found = cloud.network("ha_lab")
    assert (found.id, found.project_id, found.shared) == (NETWORK, PROJECT, False)
    assert asked(mock) == ["GET /network/v2.0/networks?name=ha_lab"]


def test_network_by_id_takes_one_more_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/networks", json={"networks": []})
    mock.get(f"{NEUTRON}/networks/{NETWORK}", json={"network": fixture("neutron/networks")["networks"][0]})
    assert cloud.network(NETWORK).name == "ha_lab"
    assert len(asked(mock)) == 2


def test_no_network_and_too_many(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/networks", json={"networks": []})
    with pytest.raises(NotFoundError, match="no network named 'nope'"):
        cloud.network("nope")
    two = fixture("neutron/networks")["networks"] * 2
    mock.get(f"{NEUTRON}/networks", json={"networks": two})
    with pytest.raises(AmbiguousError, match=NETWORK):
        cloud.network("ha_lab")


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
    assert ports[FIRST].revision == 1
    assert asked(mock) == [
        f"GET /network/v2.0/subnets?network_id={NETWORK}",
        f"GET /network/v2.0/ports?network_id={NETWORK}",
    ]


def test_pages_are_followed(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    first, *rest = fixture("neutron/ports")["ports"]
    links = [{"rel": "next", "href": "http://elsewhere.test/"}]
    mock.get(f"{NEUTRON}/ports", [{"json": {"ports": [first], "ports_links": links}}, {"json": {"ports": rest}}])
    assert len(cloud.ports(NETWORK)) == 1 + len(rest)
    assert asked(mock)[1].endswith(f"network_id={NETWORK}&marker={first['id']}")


def test_instances_by_name_in_one_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NOVA}/servers/detail", json=fixture("nova/servers"))
    found = cloud.instances(["ha_first", "a.b;$(x)"])
    [first] = found["ha_first"]
    assert found["a.b;$(x)"] == ()
    assert first.fixed == (ip_address("10.200.51.32"),)
    assert first.floating == (ip_address("127.200.51.32"),)
    [request] = mock.request_history
    assert request.qs["name"] == [r"^(ha_first|a\.b;\$\(x\))$"]
    assert request.headers["OpenStack-API-Version"] == "compute 2.26"


def test_an_instance_by_id_and_one_that_is_gone(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    server = fixture("nova/servers")["servers"][0]
    gone = "11111111-2222-4333-8444-555555555555"
    mock.get(f"{NOVA}/servers/detail", json={"servers": []})
    mock.get(f"{NOVA}/servers/{server['id']}", json={"server": server})
    mock.get(f"{NOVA}/servers/{gone}", status_code=404, json={"itemNotFound": {"code": 404, "message": "gone"}})
    found = cloud.instances([server["id"], gone])
    assert [one.id for one in found[server["id"]]] == [server["id"]]
    assert found[gone] == ()


def test_quota_and_extensions(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/quotas/{PROJECT}/details.json", json=fixture("neutron/quota"))
    mock.get(f"{NEUTRON}/extensions", json=fixture("neutron/extensions"))
    quota = cloud.quota()
    assert quota.ports is not None
    assert 0 < quota.ports < 500
    assert "allowed-address-pairs" in cloud.extensions()


def test_a_cloud_that_does_not_tell_its_quota(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.get(f"{NEUTRON}/quotas/{PROJECT}/details.json", status_code=404, text="nothing here")
    assert cloud.quota() == Quota()


def test_reserve_is_one_request_with_everything_in_it(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NEUTRON}/ports", json=fixture("neutron/reservation"), status_code=201)
    port = cloud.reserve(RESERVATION)
    assert port.fixed_ips[0].address == RESERVATION.address
    assert asked(mock) == ["POST /network/v2.0/ports"]
    assert mock.request_history[0].json() == {
        "port": {
            "network_id": NETWORK,
            "fixed_ips": [{"subnet_id": RESERVATION.subnet_id, "ip_address": "10.200.51.2"}],
            "mac_address": "00:00:5e:00:01:01",
            "name": "haos-vip-web",
            "device_owner": "haos:vip",
            "device_id": "haos-web",
            "description": "haos/1 n=web",
            "security_groups": [],
        }
    }


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (409, "neutron/409-ip", AddressTakenError),
        (409, "neutron/409-mac", MacTakenError),
        (409, {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded", "detail": ""}}, QuotaError),
        (403, {"NeutronError": {"type": "PolicyNotAuthorized", "message": "rule:x", "detail": ""}}, ForbiddenError),
        (400, {"NeutronError": {"type": "InvalidIpForSubnet", "message": "no", "detail": ""}}, CloudError),
    ],
)  # fmt: skip
def test_refusals_of_a_reservation_are_told_apart(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, status: int, body: object, error: type[HaosError]
) -> None:
    mock.post(f"{NEUTRON}/ports", status_code=status, json=fixture(body) if isinstance(body, str) else body)
    with pytest.raises(error) as raised:
        cloud.reserve(RESERVATION)
    assert type(raised.value) is error
    assert "\n" not in str(raised.value)
    assert asked(mock) == ["POST /network/v2.0/ports"]


@pytest.mark.parametrize("answer", [{"exc": requests.exceptions.ConnectionError}, {"status_code": 504, "text": ""}])
def test_a_reservation_whose_answer_was_lost_is_adopted(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answer: dict[str, object]
) -> None:
    made = fixture("neutron/reservation")["port"]
    mock.post(f"{NEUTRON}/ports", [answer])
    mock.get(f"{NEUTRON}/ports", json={"ports": [made]})
    assert cloud.reserve(RESERVATION).id == made["id"]
    assert [line.split("?")[0] for line in asked(mock)] == ["POST /network/v2.0/ports", "GET /network/v2.0/ports"]


def test_a_reservation_that_was_not_made_is_made_again(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    made = fixture("neutron/reservation")
    mock.post(f"{NEUTRON}/ports", [{"status_code": 503, "text": ""}, {"json": made, "status_code": 201}])
    mock.get(f"{NEUTRON}/ports", json={"ports": [{**made["port"], "device_id": "haos-other"}]})
    assert cloud.reserve(RESERVATION).id == made["port"]["id"]


def port(*pairs: AddressPair, groups: tuple[str, ...] = ("g",), revision: int = 7) -> Port:
    return Port(FIRST, NETWORK, PROJECT, "fa:16:3e:8d:dc:bb", (), pairs=pairs, group_ids=groups, revision=revision)


OURS = AddressPair("10.200.51.2", "fa:16:3e:8d:dc:bb")
THEIRS = AddressPair("10.9.0.0/24", "FA:16:3E:8D:DC:BB")


def test_an_amendment_carries_only_what_changes_and_keeps_spellings() -> None:
    assert amended(port(THEIRS), PortAmendment(add_pairs=(OURS,))) == {
        "allowed_address_pairs": [
            {"ip_address": "10.9.0.0/24", "mac_address": "FA:16:3E:8D:DC:BB"},
            {"ip_address": "10.200.51.2", "mac_address": "fa:16:3e:8d:dc:bb"},
        ]
    }
    assert amended(port(), PortAmendment(add_groups=("h",))) == {"security_groups": ["g", "h"]}
    assert amended(port(OURS), PortAmendment(add_pairs=(OURS,), add_groups=("g",))) == {}


def test_pairs_are_the_same_however_they_are_spelled() -> None:
    spelled = AddressPair("10.200.51.2/32", "FA:16:3E:8D:DC:BB")
    assert amended(port(spelled), PortAmendment(add_pairs=(OURS,))) == {}
    assert amended(port(spelled, THEIRS), PortAmendment(remove_pairs=(OURS,))) == {
        "allowed_address_pairs": [{"ip_address": "10.9.0.0/24", "mac_address": "FA:16:3E:8D:DC:BB"}]
    }


def test_amend_port_is_guarded_by_the_revision(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    body = {"port": fixture("neutron/ports")["ports"][0]}
    mock.put(f"{NEUTRON}/ports/{FIRST}", json=body)
    cloud.amend_port(port(), PortAmendment(add_pairs=(OURS,), add_groups=("h",)))
    [request] = mock.request_history
    assert request.headers["If-Match"] == "revision_number=7"
    assert set(request.json()["port"]) == {"allowed_address_pairs", "security_groups"}


def test_a_changed_port_is_read_and_merged_again(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    now = {**fixture("neutron/ports")["ports"][0], "id": FIRST, "revision_number": 8}
    now["allowed_address_pairs"] = [{"ip_address": "10.9.0.0/24", "mac_address": now["mac_address"]}]
    stale = {"NeutronError": {"type": "RevisionNumberConstraintFailed", "message": "Constrained to 7", "detail": ""}}
    mock.put(f"{NEUTRON}/ports/{FIRST}", [{"status_code": 412, "json": stale}, {"json": {"port": now}}])
    mock.get(f"{NEUTRON}/ports/{FIRST}", json={"port": now})
    cloud.amend_port(port(), PortAmendment(add_pairs=(OURS,)))
    last = mock.request_history[-1]
    assert last.headers["If-Match"] == "revision_number=8"
    assert [pair["ip_address"] for pair in last.json()["port"]["allowed_address_pairs"]] == [
        "10.9.0.0/24",
        "10.200.51.2",
    ]


def test_nothing_to_amend_is_no_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    known = port(OURS)
    assert cloud.amend_port(known, PortAmendment(add_pairs=(OURS,))) is known
    assert asked(mock) == []


RULE = SecurityRule("ingress", 4, "112", remote_ip=ip_network("10.200.51.32/32"))


def test_a_group_has_exactly_the_rules_asked_for(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    made = fixture("neutron/group")
    group_id = made["security_group"]["id"]
    mock.post(f"{NEUTRON}/security-groups", json=made, status_code=201)
    mock.delete(requests_mock.ANY, status_code=204)
    answer = {"id": "r", "direction": "ingress", "ethertype": "IPv4", "protocol": "112"}
    mock.post(f"{NEUTRON}/security-group-rules", json={"security_group_rules": [answer]}, status_code=201)
    group = cloud.make_group("haos-web", "haos:vip x", [RULE])
    assert [rule.protocol for rule in group.rules] == ["112"]
    born = [rule["id"] for rule in made["security_group"]["security_group_rules"]]
    assert len(born) == 2
    assert asked(mock)[1:3] == [f"DELETE /network/v2.0/security-group-rules/{rule}" for rule in born]
    assert mock.request_history[3].json() == {
        "security_group_rules": [
            {
                "security_group_id": group_id,
                "direction": "ingress",
                "ethertype": "IPv4",
                "protocol": "112",
                "remote_ip_prefix": "10.200.51.32/32",
            }
        ]
    }


def test_a_group_that_cannot_be_finished_is_deleted(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    made = fixture("neutron/group")
    mock.post(f"{NEUTRON}/security-groups", json=made, status_code=201)
    mock.delete(requests_mock.ANY, status_code=204)
    over = {"NeutronError": {"type": "OverQuota", "message": "Quota exceeded", "detail": ""}}
    mock.post(f"{NEUTRON}/security-group-rules", status_code=409, json=over)
    with pytest.raises(QuotaError):
        cloud.make_group("haos-web", "haos:vip x", [RULE])
    assert asked(mock)[-1] == f"DELETE /network/v2.0/security-groups/{made['security_group']['id']}"


def test_deleting_what_is_gone_is_fine(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.delete(requests_mock.ANY, status_code=404, text="")
    cloud.delete_port("x")
    cloud.delete_group("x")
    assert len(asked(mock)) == 2


def test_reads_are_repeated_when_the_cloud_stumbles(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keystoneauth1.session.time.sleep", lambda _: None)
    mock.get(f"{NEUTRON}/ports", [{"status_code": 503, "text": ""}, {"json": fixture("neutron/ports")}])
    assert len(cloud.ports(NETWORK)) == 4
    assert len(asked(mock)) == 2


def test_console_log(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NOVA}/servers/x/action", json={"output": "BEGIN"})
    assert cloud.console_log("x") == "BEGIN"
    assert "os-getConsoleOutput" in mock.request_history[0].json()
