"""Writing ports: one request each, nothing repeated blindly, nothing of others lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
import requests
import requests_mock

from haos.adapters import cloud_parse as parse
from haos.adapters.cloud import OpenStackCloud
from haos.core.model import AddressPair, Port
from haos.errors import (
    AddressTakenError,
    CloudError,
    ForbiddenError,
    HaosError,
    MacTakenError,
    NotFoundError,
    QuotaError,
)
from haos.workflow.context import PortAmendment, Reservation
from tests.adapters.cloud_double import AT_ONCE, FIRST, NETWORK, NEUTRON, NOT_THERE, PROJECT, SUBNET, asked, fixture

RESERVATION = Reservation(
    NETWORK,
    SUBNET,
    ip_address("10.200.51.2"),
    "00:00:5e:00:01:01",
    "haos-vip-web",
    "haos-web",
    "haos/1 n=web",
)
MADE = fixture("neutron/reservation")["port"]
LOST: list[dict[str, Any]] = [
    {"exc": requests.exceptions.ConnectionError},
    {"exc": requests.exceptions.ReadTimeout},
    {"exc": requests.exceptions.ChunkedEncodingError},
    {"status_code": 500, "text": "", "headers": AT_ONCE},
    {"status_code": 504, "text": "", "headers": AT_ONCE},
]


def steps(mock: requests_mock.Mocker) -> list[str]:
    """Return "METHOD path" of every request."""
    return [line.split("?")[0].replace("/network/v2.0", "") for line in asked(mock)]


def test_reserve_is_one_request_with_everything_in_it(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NEUTRON}/ports", json={"port": MADE}, status_code=201)
    port = cloud.reserve(RESERVATION)
    assert port.fixed_ips[0].address == RESERVATION.address
    assert steps(mock) == ["POST /ports"]
    assert mock.request_history[0].json() == {
        "port": {
            "network_id": NETWORK,
            "fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.200.51.2"}],
            "mac_address": "00:00:5e:00:01:01",
            "name": "haos-vip-web",
            "device_owner": "haos:vip",
            "device_id": "haos-web",
            "description": "haos/1 n=web",
            "security_groups": [],
        }
    }


ANY_MAC = replace(RESERVATION, mac=None)


def test_a_reservation_with_any_mac_leaves_the_choice_to_neutron(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    mock.post(f"{NEUTRON}/ports", json={"port": {**MADE, "mac_address": "fa:16:3e:00:00:77"}}, status_code=201)
    assert cloud.reserve(ANY_MAC).mac == "fa:16:3e:00:00:77"
    [request] = mock.request_history
    assert set(request.json()["port"]) == {
        "network_id", "fixed_ips", "name", "device_owner", "device_id", "description", "security_groups",
    }  # fmt: skip


def test_a_reservation_with_any_mac_whose_answer_was_lost_is_known_by_all_else(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    found = {**MADE, "mac_address": "fa:16:3e:00:00:77"}
    mock.post(f"{NEUTRON}/ports", [LOST[-1], {"json": {"port": found}, "status_code": 201}])
    mock.get(f"{NEUTRON}/ports", [{"json": {"ports": [{**found, "description": "haos/1 n=else"}]}}])
    cloud.reserve(ANY_MAC)
    assert steps(mock) == ["POST /ports", "GET /ports", "POST /ports"]
    mock.post(f"{NEUTRON}/ports", [LOST[-1]])
    mock.get(f"{NEUTRON}/ports", json={"ports": [found]})
    assert cloud.reserve(ANY_MAC).id == MADE["id"]
    assert steps(mock)[3:] == ["POST /ports", "GET /ports"]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (409, "neutron/409-ip", AddressTakenError),
        (409, "neutron/409-mac", MacTakenError),
        (409, "neutron/409-quota", QuotaError),
        (403, "neutron/403-pairs", ForbiddenError),
        (400, "neutron/400-pairs", CloudError),
        (404, "nova/404", NotFoundError),
    ],
)
def test_refusals_of_a_reservation_are_told_apart(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, status: int, body: str, error: type[HaosError]
) -> None:
    mock.post(f"{NEUTRON}/ports", status_code=status, json=fixture(body))
    with pytest.raises(error) as raised:
        cloud.reserve(RESERVATION)
    assert type(raised.value) is error
    assert steps(mock) == ["POST /ports"] * (2 if status == 404 else 1)


@pytest.mark.parametrize("answer", LOST)
def test_a_reservation_whose_answer_was_lost_is_adopted(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answer: Mapping[str, Any]
) -> None:
    mock.post(f"{NEUTRON}/ports", [dict(answer)])
    mock.get(f"{NEUTRON}/ports", json={"ports": [MADE]})
    assert cloud.reserve(RESERVATION).id == MADE["id"]
    assert steps(mock) == ["POST /ports", "GET /ports"]
    assert mock.request_history[-1].qs == {
        "device_owner": ["haos:vip"],
        "device_id": ["haos-web"],
        "project_id": [PROJECT],
        "network_id": [NETWORK],
        "fixed_ips": ["ip_address=10.200.51.2"],
    }


@pytest.mark.parametrize(
    "other", [{"description": "haos/1 n=else"}, {"mac_address": "00:00:5e:00:01:02"}, {"device_id": "haos-else"}]
)
def test_a_reservation_that_was_not_made_is_made_again(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, other: dict[str, str]
) -> None:
    mock.post(f"{NEUTRON}/ports", [LOST[-1], {"json": {"port": MADE}, "status_code": 201}])
    mock.get(f"{NEUTRON}/ports", json={"ports": [{**MADE, **other}]})
    assert cloud.reserve(RESERVATION).id == MADE["id"]
    assert steps(mock) == ["POST /ports", "GET /ports", "POST /ports"]


@pytest.mark.parametrize("conflict", ["neutron/409-ip", "neutron/409-mac"])
def test_a_conflict_with_our_own_lost_request_is_adopted(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, conflict: str
) -> None:
    mock.post(f"{NEUTRON}/ports", [LOST[-1], {"json": fixture(conflict), "status_code": 409}])
    mock.get(f"{NEUTRON}/ports", [{"json": {"ports": []}}, {"json": {"ports": [MADE]}}])
    assert cloud.reserve(RESERVATION).id == MADE["id"]
    assert steps(mock) == ["POST /ports", "GET /ports", "POST /ports", "GET /ports"]


def test_a_conflict_with_somebody_else_after_a_lost_request(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    mock.post(f"{NEUTRON}/ports", [LOST[-1], {"json": fixture("neutron/409-ip"), "status_code": 409}])
    mock.get(f"{NEUTRON}/ports", json={"ports": []})
    with pytest.raises(AddressTakenError):
        cloud.reserve(RESERVATION)


def test_a_refusal_for_now_is_repeated_without_looking(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(f"{NEUTRON}/ports", [{"status_code": 429, "headers": AT_ONCE}, {"json": {"port": MADE}}])
    cloud.reserve(RESERVATION)
    assert steps(mock) == ["POST /ports", "POST /ports"]


def reservation(**fields: Any) -> Port:
    return replace(parse.port({**MADE, "revision_number": 4, **fields}), id="x")


def test_describe(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/x", json={"port": {**MADE, "description": "new"}})
    assert cloud.describe(reservation(), "new").description == "new"
    [request] = mock.request_history
    assert request.json() == {"port": {"description": "new"}}
    assert request.headers["If-Match"] == "revision_number=4"


def test_a_record_that_somebody_else_rewrote_is_left(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/x", json=fixture("neutron/412"), status_code=412)
    mock.get(f"{NEUTRON}/ports/x", json={"port": {**MADE, "description": "else"}})
    with pytest.raises(CloudError, match="the record was changed by somebody else meanwhile") as error:
        cloud.describe(reservation(), "new")
    assert error.value.hint == "run the same command again"
    assert steps(mock) == ["PUT /ports/x", "GET /ports/x"]


def test_a_revision_that_the_network_itself_changed_is_no_conflict(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    stale = {"status_code": 412, "json": fixture("neutron/412")}
    mock.put(f"{NEUTRON}/ports/x", [stale, stale, {"json": {"port": {**MADE, "description": "new"}}}])
    mock.get(f"{NEUTRON}/ports/x", [{"json": {"port": {**MADE, "revision_number": number}}} for number in (6, 9)])
    assert cloud.describe(reservation(), "new").description == "new"
    sent = [request.headers["If-Match"] for request in mock.request_history if request.method == "PUT"]
    assert sent == [f"revision_number={number}" for number in (4, 6, 9)]


@pytest.mark.parametrize(("text", "theirs"), [("new", False), ("else", True)])
def test_a_record_changed_by_our_own_lost_request_is_no_conflict(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, text: str, theirs: bool
) -> None:
    mock.put(f"{NEUTRON}/ports/x", [LOST[0], {"json": fixture("neutron/412"), "status_code": 412}])
    texts = [MADE, {**MADE, "description": text}]
    mock.get(f"{NEUTRON}/ports/x", [{"json": {"port": body}} for body in texts])
    if theirs:
        with pytest.raises(CloudError, match="changed by somebody else"):
            cloud.describe(reservation(), "new")
    else:
        assert cloud.describe(reservation(), "new").description == "new"
    assert steps(mock) == [f"{method} /ports/x" for method in ("PUT", "GET", "PUT", "GET")]


def test_describe_whose_answer_was_lost(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/x", [LOST[0], {"json": {"port": {**MADE, "description": "new"}}}])
    mock.get(f"{NEUTRON}/ports/x", json={"port": {**MADE, "description": "new"}})
    assert cloud.describe(reservation(), "new").description == "new"
    assert steps(mock) == ["PUT /ports/x", "GET /ports/x"]


def test_describe_that_did_not_arrive_is_repeated(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/x", [LOST[0], {"json": {"port": {**MADE, "description": "new"}}}])
    mock.get(f"{NEUTRON}/ports/x", json={"port": MADE})
    assert cloud.describe(reservation(), "new").description == "new"
    assert steps(mock) == ["PUT /ports/x", "GET /ports/x", "PUT /ports/x"]


def test_deleting_what_is_gone_is_fine(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.delete(requests_mock.ANY, [NOT_THERE])
    cloud.delete_port("x")
    cloud.delete_group("x")
    assert steps(mock) == ["DELETE /ports/x"] * 2 + ["DELETE /security-groups/x"] * 2


def test_a_delete_is_repeated_until_it_is_answered(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.delete(f"{NEUTRON}/ports/x", [LOST[0], LOST[-1], NOT_THERE])
    cloud.delete_port("x")
    assert len(asked(mock)) == 4


OURS = AddressPair("10.200.51.2", "fa:16:3e:8d:dc:bb")
AMENDMENT = PortAmendment(add_pairs=(OURS,), add_groups=("h",))


def port(*pairs: AddressPair, groups: tuple[str, ...] = ("g",), revision: int | None = 7) -> Port:
    return Port(FIRST, NETWORK, PROJECT, "fa:16:3e:8d:dc:bb", (), pairs=pairs, group_ids=groups, revision=revision)


def now(revision: int, *addresses: str, groups: tuple[str, ...] = ("g",)) -> dict[str, Any]:
    """Return the port as Neutron has it by now."""
    body = fixture("neutron/ports")["ports"][0]
    pairs = [{"ip_address": address, "mac_address": body["mac_address"]} for address in addresses]
    more = {"revision_number": revision, "allowed_address_pairs": pairs, "security_groups": list(groups)}
    return {"port": {**body, **more}}


def test_amend_port_is_one_guarded_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", json=now(8, "10.200.51.2", groups=("g", "h")))
    assert cloud.amend_port(port(), AMENDMENT).revision == 8
    [request] = mock.request_history
    assert request.headers["If-Match"] == "revision_number=7"
    assert request.json() == {
        "port": {
            "allowed_address_pairs": [{"ip_address": "10.200.51.2", "mac_address": "fa:16:3e:8d:dc:bb"}],
            "security_groups": ["g", "h"],
        }
    }


def test_a_port_without_revisions_is_not_guarded(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", json=now(8, "10.200.51.2", groups=("g", "h")))
    cloud.amend_port(port(revision=None), AMENDMENT)
    assert steps(mock) == [f"PUT /ports/{FIRST}"]
    assert "If-Match" not in mock.request_history[0].headers


def test_a_changed_port_is_read_and_merged_again(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    stale = {"status_code": 412, "json": fixture("neutron/412")}
    whole = {"json": now(10, "10.9.0.0/24", "10.200.51.2", groups=("g", "h"))}
    mock.put(f"{NEUTRON}/ports/{FIRST}", [stale, stale, whole])
    seen = [{"json": now(8)}, {"json": now(9, "10.9.0.0/24", groups=("g", "h"))}, whole]
    mock.get(f"{NEUTRON}/ports/{FIRST}", seen)
    cloud.amend_port(port(), AMENDMENT)
    # The last look: who changes it so much may have overwritten it since.
    assert steps(mock) == [f"{method} /ports/{FIRST}" for method in ("PUT", "GET", "PUT", "GET", "PUT", "GET")]
    last = mock.request_history[-2]
    assert last.headers["If-Match"] == "revision_number=9"
    assert set(last.json()["port"]) == {"allowed_address_pairs"}
    pairs = last.json()["port"]["allowed_address_pairs"]
    assert [pair["ip_address"] for pair in pairs] == ["10.9.0.0/24", "10.200.51.2"]


THEIRS, BOTH = now(9, "10.9.0.0/24"), ("10.9.0.0/24", "10.200.51.2")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(now(9, "10.200.51.2", groups=("g", "h")), id="two were taken with one revision"),
        pytest.param(now(8, "10.200.51.2"), id="the group is not in the answer"),
        pytest.param(now(8, "10.9.0.0/24"), id="what another wrote is in the answer"),
    ],
)
def test_what_another_overwrote_at_the_same_moment_is_written_again(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answer: dict[str, Any]
) -> None:
    whole = {"json": now(10, *BOTH, groups=("g", "h"))}
    mock.put(f"{NEUTRON}/ports/{FIRST}", [{"json": answer}, whole])
    mock.get(f"{NEUTRON}/ports/{FIRST}", [{"json": THEIRS}, whole])
    assert cloud.amend_port(port(), AMENDMENT).group_ids == ("g", "h")
    assert steps(mock) == [f"{method} /ports/{FIRST}" for method in ("PUT", "GET", "PUT", "GET")]
    again = mock.request_history[2]
    assert again.headers["If-Match"] == "revision_number=9"
    assert [pair["ip_address"] for pair in again.json()["port"]["allowed_address_pairs"]] == list(BOTH)


def test_what_another_put_back_at_the_same_moment_is_taken_away_again(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    removal = PortAmendment(remove_pairs=(OURS,), remove_groups=("h",))
    bare = {"json": now(10)}
    mock.put(f"{NEUTRON}/ports/{FIRST}", [{"json": now(9)}, bare])
    mock.get(f"{NEUTRON}/ports/{FIRST}", [{"json": now(9, "10.200.51.2")}, bare])
    assert cloud.amend_port(port(OURS, groups=("g", "h")), removal).pairs == ()
    assert steps(mock) == [f"{method} /ports/{FIRST}" for method in ("PUT", "GET", "PUT", "GET")]


def test_a_port_that_another_overwrites_again_and_again_is_given_up(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", json=now(9))
    mock.get(f"{NEUTRON}/ports/{FIRST}", json=now(9))
    with pytest.raises(CloudError, match="others change it again and again") as error:
        cloud.amend_port(port(), AMENDMENT)
    assert error.value.hint == "run the same command again"


def test_a_port_that_never_rests_is_given_up(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", status_code=412, json=fixture("neutron/412"))
    mock.get(f"{NEUTRON}/ports/{FIRST}", json=now(8))
    with pytest.raises(CloudError, match="Constrained to 7") as error:
        cloud.amend_port(port(), AMENDMENT)
    assert "run the same command again" in (error.value.hint or "")


@pytest.mark.parametrize("answer", LOST)
def test_an_amendment_whose_answer_was_lost_is_looked_up(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answer: Mapping[str, Any]
) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", [dict(answer)])
    mock.get(f"{NEUTRON}/ports/{FIRST}", json=now(8, "10.200.51.2", groups=("g", "h")))
    assert cloud.amend_port(port(), AMENDMENT).revision == 8
    assert steps(mock) == [f"PUT /ports/{FIRST}", f"GET /ports/{FIRST}"]


def test_nothing_to_amend_is_no_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    known = port(OURS)
    assert cloud.amend_port(known, PortAmendment(add_pairs=(OURS,))) is known
    assert asked(mock) == []


@pytest.mark.parametrize("answers", [[NOT_THERE], [LOST[0]]])
def test_a_port_that_is_gone(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answers: list[dict[str, Any]]
) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", answers)
    mock.get(f"{NEUTRON}/ports/{FIRST}", [NOT_THERE])
    with pytest.raises(NotFoundError):
        cloud.amend_port(port(), AMENDMENT)


ADOPTED = {"device_owner": "haos:vip", "device_id": "haos-web", "description": "haos/1 n=web"}


def adopt(cloud: OpenStackCloud, revision: int | None = 7) -> Port:
    return cloud.adopt(port(revision=revision), device_id="haos-web", description="haos/1 n=web")


def test_adopting_a_port_is_one_guarded_request(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", json={"port": MADE})
    assert adopt(cloud).device_owner == "haos:vip"
    [request] = mock.request_history
    assert request.json() == {"port": ADOPTED}
    assert request.headers["If-Match"] == "revision_number=7"


def test_a_port_without_revisions_is_adopted_unguarded(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", json={"port": MADE})
    adopt(cloud, None)
    assert "If-Match" not in mock.request_history[0].headers


def test_a_port_that_somebody_took_meanwhile_is_not_adopted(
    cloud: OpenStackCloud, mock: requests_mock.Mocker
) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", json=fixture("neutron/412"), status_code=412)
    with pytest.raises(CloudError, match=f"port {FIRST} was changed by somebody else meanwhile") as error:
        adopt(cloud)
    assert error.value.hint == "run the same command again"
    assert steps(mock) == [f"PUT /ports/{FIRST}"]


@pytest.mark.parametrize("answer", LOST)
def test_an_adoption_whose_answer_was_lost_is_looked_up(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answer: Mapping[str, Any]
) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", [dict(answer)])
    mock.get(f"{NEUTRON}/ports/{FIRST}", json={"port": {**MADE, **ADOPTED}})
    assert adopt(cloud).device_id == "haos-web"
    assert steps(mock) == [f"PUT /ports/{FIRST}", f"GET /ports/{FIRST}"]


def test_an_adoption_that_did_not_arrive_is_repeated(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", [LOST[0], {"json": {"port": {**MADE, **ADOPTED}}}])
    mock.get(f"{NEUTRON}/ports/{FIRST}", json={"port": {**MADE, **ADOPTED, "device_owner": ""}})
    assert adopt(cloud).device_owner == "haos:vip"
    assert steps(mock) == [f"{method} /ports/{FIRST}" for method in ("PUT", "GET", "PUT")]


@pytest.mark.parametrize("answers", [[{"json": {"port": MADE}}], [NOT_THERE], [LOST[0], NOT_THERE]])
def test_an_adopted_port_is_given_back(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answers: list[dict[str, Any]]
) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", answers)
    mock.get(f"{NEUTRON}/ports/{FIRST}", json={"port": MADE})
    cloud.release_adopted(FIRST)
    request = mock.request_history[-1]
    assert request.json() == {"port": {"device_owner": "", "device_id": "", "description": ""}}
    assert "If-Match" not in request.headers


def test_a_port_that_cannot_be_given_back_is_an_error(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{NEUTRON}/ports/{FIRST}", status_code=403, json=fixture("neutron/403-pairs"))
    with pytest.raises(ForbiddenError):
        cloud.release_adopted(FIRST)
