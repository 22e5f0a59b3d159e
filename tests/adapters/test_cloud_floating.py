"""Floating IPs: one request each, nothing repeated blindly, nothing taken from where it leads by now.

The bodies are Neutron's (2025.1, ML2/OVN), shortened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
import requests_mock

from haos.adapters.cloud import OpenStackCloud
from haos.core.model import FloatingIp, Router
from haos.errors import CloudError, HaosError, NotFoundError, QuotaError, UnsatisfiableError
from tests.adapters.cloud_double import AT_ONCE, NEUTRON, PROJECT, asked, fixture
from tests.adapters.test_cloud_ports import LOST, steps

PUBLIC, PORT = "9b0142dc-98fe-4c8c-bbfc-bf6969de3af9", "6db78b06-1aa4-4241-9165-7f1bcfd1a3a9"
VIP, MARK = ip_address("10.210.0.2"), f"haos:vip {PORT}"
ID, ROUTER = "e2b81a0a-377e-4659-bbef-797bc5611c76", "a9cc6681-df66-41ec-a76d-db5729a2021b"
BODY: dict[str, Any] = {
    "id": ID,
    "project_id": PROJECT,
    "floating_ip_address": "172.24.4.39",
    "floating_network_id": PUBLIC,
    "router_id": ROUTER,
    "port_id": PORT,
    "fixed_ip_address": "10.210.0.2",
    "status": "DOWN",
    "description": MARK,
    "port_forwardings": [],
    "tags": [],
    "revision_number": 2,
}
FREE = {**BODY, "router_id": None, "port_id": None, "fixed_ip_address": None, "description": ""}
MADE = FloatingIp(ID, ip_address("172.24.4.39"), PUBLIC, PORT, "DOWN", MARK, ROUTER, revision=2)
SPARE = replace(MADE, port_id=None, router_id=None, description="")
URL = f"{NEUTRON}/floatingips"


def neutron_error(kind: str, message: str) -> dict[str, Any]:
    return {"NeutronError": {"type": kind, "message": message, "detail": ""}}


CHANGED = neutron_error("RevisionNumberConstraintFailed", "Constrained to 2, but current revision is 3")
STALE = {"status_code": 412, "json": CHANGED}


TAKEN = neutron_error(
    "FloatingIPPortAlreadyAssociated",
    f"Cannot associate floating IP 172.24.4.124 (0998e0a9-6d58-4d59-b04a-1d42d7b0b04e) with port {PORT} using fixed "
    f"IP 10.210.0.2, as that fixed IP already has a floating IP on external network {PUBLIC}.",
)
NO_WAY = neutron_error(
    "ExternalGatewayForFloatingIPNotFound",
    f"External network {PUBLIC} is not reachable from subnet 8cbb57af-4a5a-42d7-a8ee-a2195855cda4.  Therefore, "
    f"cannot associate Port {PORT} with a Floating IP.",
)
INSIDE = neutron_error("BadRequest", "Bad floatingip request: Network x is not a valid external network.")
NO_NETWORK = neutron_error("NetworkNotFound", "Network x could not be found.")
FULL = neutron_error("ExternalIpAddressExhausted", f"Unable to find any IP address on external network {PUBLIC}.")


def make(cloud: OpenStackCloud) -> FloatingIp:
    return cloud.make_floating_ip(PUBLIC, PORT, VIP, MARK)


def test_the_projects_own_are_listed(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    forwarding = {**FREE, "port_forwardings": [{"external_port": 22}]}
    mock.get(URL, json={"floatingips": [BODY, forwarding]})
    assert cloud.floating_ips() == (MADE, replace(SPARE, forwards=True))
    assert asked(mock) == [f"GET /network/v2.0/floatingips?project_id={PROJECT}"]


@pytest.mark.parametrize("status", [403, 404])
def test_a_cloud_without_them_has_none(cloud: OpenStackCloud, mock: requests_mock.Mocker, status: int) -> None:
    mock.get(URL, status_code=status, json=neutron_error("HTTPNotFound", "The resource could not be found."))
    assert cloud.floating_ips() == ()


def test_routers_by_id(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    gateway = {"network_id": PUBLIC, "enable_snat": True, "external_fixed_ips": []}
    bodies = [
        {"id": "r1", "name": "edge", "external_gateway_info": gateway},
        {"id": "r2", "name": "", "external_gateway_info": None},
    ]
    mock.get(f"{NEUTRON}/routers", json={"routers": bodies})
    assert cloud.routers(["r1", "r2"]) == (Router("r1", "edge", PUBLIC), Router("r2", "r2"))
    assert asked(mock) == ["GET /network/v2.0/routers?id=r1&id=r2"]


def test_one_is_made_in_one_request_with_everything_in_it(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(URL, json={"floatingip": BODY}, status_code=201)
    assert make(cloud) == MADE
    assert steps(mock) == ["POST /floatingips"]
    assert mock.request_history[0].json() == {
        "floatingip": {
            "floating_network_id": PUBLIC,
            "port_id": PORT,
            "fixed_ip_address": "10.210.0.2",
            "description": MARK,
        }
    }


@pytest.mark.parametrize(
    ("status", "body", "error", "code", "hint"),
    [
        (404, NO_WAY, UnsatisfiableError, 5, "openstack router add subnet"),
        (409, TAKEN, UnsatisfiableError, 5, "openstack floating ip list"),
        (409, fixture("neutron/409-quota"), QuotaError, 5, "openstack quota show"),
        (400, FULL, CloudError, 1, "no address is left there"),
        (400, INSIDE, CloudError, 1, "--debug"),
        (404, NO_NETWORK, NotFoundError, 1, "gone"),
    ],
)
def test_refusals_are_told_apart(
    cloud: OpenStackCloud,
    mock: requests_mock.Mocker,
    status: int,
    body: Mapping[str, Any],
    error: type[HaosError],
    code: int,
    hint: str,
) -> None:
    mock.post(URL, status_code=status, json=dict(body))
    with pytest.raises(error) as raised:
        make(cloud)
    assert (type(raised.value), raised.value.exit_code) == (error, code)
    assert hint in (raised.value.hint or "")
    assert steps(mock) == ["POST /floatingips"] * (2 if error is NotFoundError else 1)


@pytest.mark.parametrize("answer", LOST)
def test_one_whose_answer_was_lost_is_adopted(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answer: Mapping[str, Any]
) -> None:
    mock.post(URL, [dict(answer)])
    mock.get(URL, json={"floatingips": [{**BODY, "id": "by hand", "description": ""}, BODY]})
    assert make(cloud) == MADE
    assert steps(mock) == ["POST /floatingips", "GET /floatingips"]
    assert mock.request_history[-1].qs == {"project_id": [PROJECT], "port_id": [PORT]}


def test_one_that_was_not_made_is_made_again(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(URL, [LOST[-1], {"json": {"floatingip": BODY}, "status_code": 201}])
    mock.get(URL, json={"floatingips": []})
    assert make(cloud) == MADE
    assert steps(mock) == ["POST /floatingips", "GET /floatingips", "POST /floatingips"]


def test_one_that_shows_late_is_adopted_and_not_made_twice(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.post(URL, [LOST[-1], {"status_code": 409, "json": TAKEN}])
    mock.get(URL, [{"json": {"floatingips": []}}, {"json": {"floatingips": [BODY]}}])
    assert make(cloud) == MADE
    assert steps(mock) == ["POST /floatingips", "GET /floatingips"] * 2


def test_a_free_one_is_taken_under_its_revision(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{URL}/{ID}", json={"floatingip": {**BODY, "description": ""}})
    assert cloud.take_floating_ip(SPARE, PORT, VIP).port_id == PORT
    [request] = mock.request_history
    assert request.headers["If-Match"] == "revision_number=2"
    assert request.json() == {"floatingip": {"port_id": PORT, "fixed_ip_address": "10.210.0.2"}}


def test_somebody_elses_is_never_taken(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{URL}/{ID}", [STALE])
    mock.get(f"{URL}/{ID}", json={"floatingip": {**BODY, "port_id": "web7", "revision_number": 3}})
    with pytest.raises(CloudError, match=r"172\.24\.4\.39 was associated with port web7 meanwhile"):
        cloud.take_floating_ip(SPARE, PORT, VIP)
    assert steps(mock) == [f"PUT /floatingips/{ID}", f"GET /floatingips/{ID}"]


def test_one_that_changed_and_is_still_free_is_taken(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{URL}/{ID}", [STALE, {"json": {"floatingip": BODY}}])
    mock.get(f"{URL}/{ID}", json={"floatingip": {**FREE, "revision_number": 3}})
    assert cloud.take_floating_ip(SPARE, PORT, VIP) == MADE
    assert mock.request_history[-1].headers["If-Match"] == "revision_number=3"


@pytest.mark.parametrize("answer", LOST)
def test_a_lost_answer_of_a_change_is_looked_up(
    cloud: OpenStackCloud, mock: requests_mock.Mocker, answer: Mapping[str, Any]
) -> None:
    mock.put(f"{URL}/{ID}", [dict(answer)])
    mock.get(f"{URL}/{ID}", json={"floatingip": BODY})
    assert cloud.take_floating_ip(SPARE, PORT, VIP) == MADE
    assert steps(mock) == [f"PUT /floatingips/{ID}", f"GET /floatingips/{ID}"]


def test_a_description_is_rewritten_wherever_it_leads(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    marked = {**BODY, "description": "haos:vip new"}
    moved = {**BODY, "port_id": "web7", "revision_number": 9}
    mock.put(f"{URL}/{ID}", [STALE, {"json": {"floatingip": marked}}])
    mock.get(f"{URL}/{ID}", json={"floatingip": moved})
    assert cloud.mark_floating_ip(SPARE, "haos:vip new").description == "haos:vip new"
    assert mock.request_history[-1].json() == {"floatingip": {"description": "haos:vip new"}}
    assert mock.request_history[-1].headers["If-Match"] == "revision_number=9"


def test_it_is_given_back(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{URL}/{ID}", json={"floatingip": FREE})
    cloud.release_floating_ip(MADE)
    assert mock.request_history[-1].json() == {"floatingip": {"port_id": None}}


def test_what_leads_elsewhere_by_now_is_not_given_back(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    mock.put(f"{URL}/{ID}", [STALE])
    mock.get(f"{URL}/{ID}", json={"floatingip": {**BODY, "port_id": "web7", "revision_number": 3}})
    cloud.release_floating_ip(MADE)
    assert steps(mock) == [f"PUT /floatingips/{ID}", f"GET /floatingips/{ID}"]


def test_what_is_gone_is_fine(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    gone = neutron_error("FloatingIPNotFound", f"Floating IP {ID} could not be found")
    mock.put(f"{URL}/{ID}", status_code=404, json=gone)
    mock.delete(f"{URL}/{ID}", [{"status_code": 204}, {"status_code": 404, "json": gone, "headers": AT_ONCE}])
    cloud.release_floating_ip(MADE)
    cloud.delete_floating_ip(ID)
    cloud.delete_floating_ip(ID)
    assert steps(mock) == [f"PUT /floatingips/{ID}"] * 2 + [f"DELETE /floatingips/{ID}"] * 3


def test_the_quota_and_the_kind_of_a_network_are_read(cloud: OpenStackCloud, mock: requests_mock.Mocker) -> None:
    quota = {"quota": {"floatingip": {"limit": 50, "used": 4, "reserved": 1}}}
    mock.get(f"{NEUTRON}/quotas/{PROJECT}/details.json", json=quota)
    mock.get(f"{NEUTRON}/networks/{PUBLIC}", json={"network": {"id": PUBLIC, "router:external": True}})
    assert cloud.quota().floating_ips == 45
    assert cloud.network_by_id(PUBLIC).external
