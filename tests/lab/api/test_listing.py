"""Lists: filters, order, pages and fields."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from haos.lab.api.listing import matches, page
from tests.lab.api.conftest import FIRST, FIRST_PORT, HA_LAB, SECOND, SECOND_PORT, SUBNET, Client

OBSERVER_PORT = "db8fa14d-5800-4db5-8ad7-fe9ad1eaef37"
ROUTER_PORT = "a8389d5e-6bd0-4368-a6fb-249127f9cdca"
EVERY = {FIRST_PORT, SECOND_PORT, OBSERVER_PORT, ROUTER_PORT}


def ports(client: Client, query: str) -> list[str]:
    answer = client.neutron("GET", f"/ports?{query}")
    assert answer.status == 200, answer.body
    return [port["id"] for port in answer.body["ports"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (f"network_id={HA_LAB}", EVERY),
        ("network_id=nowhere", set()),
        (f"id={FIRST_PORT}&id={SECOND_PORT}", {FIRST_PORT, SECOND_PORT}),
        (f"device_id={FIRST}&device_id={SECOND}", {FIRST_PORT, SECOND_PORT}),
        ("device_owner=network:router_interface", {ROUTER_PORT}),
        ("device_owner=haos:vip", set()),
        ("fixed_ips=ip_address=10.200.51.33", {SECOND_PORT}),
        ("fixed_ips=ip_address=10.200.51.33&fixed_ips=ip_address=10.200.51.32", {FIRST_PORT, SECOND_PORT}),
        (f"fixed_ips=ip_address=10.200.51.33&fixed_ips=subnet_id={SUBNET}", {SECOND_PORT}),
        (f"fixed_ips=subnet_id={SUBNET}", EVERY),
        ("mac_address=FA:16:3E:8D:DC:BB", {FIRST_PORT}),
        ("status=ACTIVE", EVERY),
        ("status=DOWN", set()),
        ("admin_state_up=true", EVERY),
        ("admin_state_up=False", set()),
        ("name=", EVERY),
        ("name=x", set()),
        ("tenant_id=nobody", set()),
    ],
)
def test_port_filters(demo: Client, query: str, found: set[str]) -> None:
    assert set(ports(demo, query)) == found


def test_tag_filters(demo: Client) -> None:
    demo.neutron("PUT", f"/ports/{FIRST_PORT}/tags", {"tags": ["a", "b"]})
    demo.neutron("PUT", f"/ports/{SECOND_PORT}/tags", {"tags": ["b"]})
    assert set(ports(demo, "tags=a,b")) == {FIRST_PORT}
    assert set(ports(demo, "tags-any=a,b")) == {FIRST_PORT, SECOND_PORT}
    assert set(ports(demo, "not-tags=a,b")) == EVERY - {FIRST_PORT}
    assert set(ports(demo, "not-tags-any=a,b")) == EVERY - {FIRST_PORT, SECOND_PORT}


def test_an_unknown_filter_is_400(demo: Client) -> None:
    answer = demo.neutron("GET", "/ports?allowed_address_pairs=x")
    text = "['allowed_address_pairs'] is invalid attribute for filtering"
    assert answer.fault == (400, "HTTPBadRequest", text)


def test_fields(demo: Client) -> None:
    answer = demo.neutron("GET", f"/ports?id={FIRST_PORT}&fields=id&fields=revision_number")
    assert answer.body["ports"] == [{"id": FIRST_PORT, "revision_number": 1}]
    shown = demo.neutron("GET", f"/ports/{FIRST_PORT}?fields=mac_address").body["port"]
    assert list(shown) == ["mac_address"]


def test_order(demo: Client) -> None:
    assert ports(demo, "") == sorted(EVERY)
    by_mac = ports(demo, "sort_key=mac_address&sort_dir=desc")
    assert by_mac == [SECOND_PORT, ROUTER_PORT, FIRST_PORT, OBSERVER_PORT]
    assert demo.neutron("GET", "/ports?sort_key=colour&sort_dir=asc").status == 400
    assert demo.neutron("GET", "/ports?sort_key=id&sort_dir=up").status == 400


def test_pages_forth_and_back(demo: Client) -> None:
    def follow(relation: str, path: str) -> list[list[str]]:
        pages = []
        while path:
            body = demo("GET", path).body
            pages.append([port["id"] for port in body["ports"]])
            links = {link["rel"]: link["href"] for link in body.get("ports_links", ())}
            target = urlsplit(links.get(relation, "")) if body["ports"] else None
            path = f"{target.path}?{target.query}" if target and target.path else ""
        return pages

    ids = sorted(EVERY)
    start = "/network/v2.0/ports?limit=3"
    assert [page for page in follow("next", start) if page] == [ids[:3], ids[3:]]
    back = follow("previous", f"{start}&page_reverse=True")
    assert [page for page in back if page] == [ids[1:], ids[:1]]
    assert demo.neutron("GET", "/ports?limit=x").fault[:2] == (400, "BadRequest")
    assert demo.neutron("GET", "/ports?limit=1&marker=nowhere").body["ports"] == []


def test_no_limit_no_links(demo: Client) -> None:
    assert "ports_links" not in demo.neutron("GET", "/ports").body


def test_page_keeps_the_other_filters() -> None:
    docs = [{"id": str(number)} for number in range(3)]
    cut, links = page(docs, [("limit", "2"), ("name", "a b")], "http://x/ports")
    assert cut == docs[:2]
    assert links[0]["href"] == "http://x/ports?limit=2&name=a+b&marker=1"


def test_a_missing_value_matches_the_empty_filter() -> None:
    assert matches({"router_id": None}, {"router_id": [""]})
    assert not matches({"router_id": None}, {"router_id": ["None"]})
