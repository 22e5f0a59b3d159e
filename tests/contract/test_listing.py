"""Lists: filters, order, pages and fields."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.contract.client import Client
from tests.contract.places import Network, make_port, unique
from tests.contract.things import Doc, Things, listed

EVERY = ("a", "b", "c", "d", "e")
KEY = unique("device")
"""Part of what only the ports of this module have."""


@pytest.fixture(scope="module")
def ports(member: Client, network: Network) -> dict[str, Doc]:
    """Five ports, by name: two reservations, three instances', the last one down; the first two with tags."""
    made = {name: _port(member, network, number, name) for number, name in enumerate(EVERY)}
    for name, tags in (("a", ["s", "t"]), ("b", ["t"])):
        assert member.neutron("PUT", f"/ports/{made[name]['id']}/tags", {"tags": tags}).status == 200
    return made


def _port(member: Client, network: Network, number: int, name: str) -> Doc:
    answer = make_port(
        member,
        network,
        name=name,
        description=f"d{number}",
        device_id=f"{KEY}-{number}",
        device_owner="haos:vip" if number < 2 else "compute:nova",
        fixed_ips=[{"ip_address": f"10.200.51.{101 + number}"}],
        mac_address=f"02:00:00:00:00:0{number}",
        admin_state_up=number < 4,
    )
    assert answer.status == 201, answer
    port: Doc = answer.body["port"]
    return port


@pytest.fixture
def names(member: Client, network: Network, ports: dict[str, Doc]) -> Any:
    """List the names of the network's ports, with a query in which {a} is the id of port a."""

    def asked(query: str) -> str:
        words = {**{name: port["id"] for name, port in ports.items()}, "subnet": network.subnet_id}
        words |= {"project": member.project_id, "group": ports["a"]["security_groups"][0], "key": KEY}
        return "".join(port["name"] for port in listed(member, "ports", _own(network, query.format(**words))))

    return asked


def _own(network: Network, query: str) -> str:
    return f"network_id={network.id}&{query}"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abcde"),
        ("id={a}&id={b}", "ab"),
        ("&".join(f"id={{{name}}}" for name in EVERY), "abcde"),
        ("id=nowhere", ""),
        ("id=", ""),
        ("device_id={key}-1&device_id={key}-2", "bc"),
        ("device_owner=haos:vip", "ab"),
        ("device_owner=haos:vip&device_id={key}-1", "b"),
        ("device_owner=haos:vip&project_id={project}", "ab"),
        ("fixed_ips=ip_address=10.200.51.102", "b"),
        ("fixed_ips=ip_address=10.200.51.102&fixed_ips=ip_address=10.200.51.103", "bc"),
        ("fixed_ips=ip_address%3D10.200.51.102&fixed_ips=subnet_id={subnet}", "b"),
        ("fixed_ips=subnet_id={subnet}", "abcde"),
        ("fixed_ips=subnet_id=nowhere", ""),
        ("fixed_ips=ip_address_substr=51.10", "abcde"),
        ("fixed_ips=nonsense=1", "abcde"),
        ("mac_address=02-00-00-00-00-01", "b"),
        ("mac_address=0200.0000.0001", "b"),
        ("mac_address=nonsense", ""),
        ("status=DOWN", "abcde"),
        ("status=ACTIVE", ""),
        ("admin_state_up=true", "abcd"),
        ("admin_state_up=0", "e"),
        ("name=", ""),
        ("name=a&name=b", "ab"),
        ("name=A", "a"),
        ("name=a%20b", ""),
        ("description=D1", "b"),
        ("tenant_id={project}", "abcde"),
        ("project_id=nobody", ""),
        ("security_groups={group}", "abcde"),
        ("security_groups=nowhere", ""),
        ("ip_allocation=immediate", "abcde"),
        ("tags=s,t", "a"),
        ("tags=s&tags=t", "a"),
        ("tags=", ""),
        ("tags-any=s,t", "ab"),
        ("not-tags=s,t", "bcde"),
        ("not-tags-any=s,t", "cde"),
        ("tags=t&not-tags=s", "b"),
    ],
)
def test_port_filters(names: Any, query: str, found: str) -> None:
    assert "".join(sorted(names(query))) == found


@pytest.mark.parametrize(
    ("path", "unknown"),
    [
        ("/ports?nonsense=1&other=2", "'nonsense', 'other'"),
        ("/ports?allowed_address_pairs=x", "'allowed_address_pairs'"),
        ("/ports?port_security_enabled=true", "'port_security_enabled'"),
        ("/ports?created_at=x", "'created_at'"),
        ("/networks?port_security_enabled=true", "'port_security_enabled'"),
        ("/networks?subnets=x", "'subnets'"),
        ("/subnets?allocation_pools=x", "'allocation_pools'"),
        ("/security-groups?stateful=true", "'stateful'"),
        ("/floatingips?name=x", "'name'"),
        ("/routers?status=ACTIVE", "'status'"),
        ("/ports/nowhere?nonsense=1", "'nonsense'"),
    ],
)
def test_unknown_filters(member: Client, path: str, unknown: str) -> None:
    text = f"[{unknown}] is invalid attribute for filtering"
    assert member.neutron("GET", path).fault == (400, "HTTPBadRequest", text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("admin_state_up=nonsense", "'nonsense' cannot be converted to boolean."),
        ("fixed_ips=10.200.51.1", "'10.200.51.1' is not of the form <key>=[value]."),
    ],
)
def test_bad_filters(member: Client, query: str, text: str) -> None:
    fault = (400, "InvalidInput", f"Invalid input for operation: {text}")
    assert member.neutron("GET", f"/ports?{query}").fault == fault


def test_networks_and_their_subnets_by_filter(member: Client, network: Network) -> None:
    for query in (f"id={network.id}", "shared=false", "router:external=False", "status=ACTIVE", "description="):
        assert [item["id"] for item in listed(member, "networks", f"name={network.name}&{query}")] == [network.id]
    assert listed(member, "networks", f"name={network.name}&shared=true") == []
    own = f"network_id={network.id}"
    for query in ("cidr=10.200.51.0/24", "gateway_ip=10.200.51.1", "ip_version=4&enable_dhcp=true"):
        assert [item["id"] for item in listed(member, "subnets", f"{own}&{query}")] == [network.subnet_id]
    assert listed(member, "subnets", f"{own}&ip_version=6") == []
    assert listed(member, "subnets", f"{own}&subnetpool_id=") == []  # what is not there equals nothing


def test_fields(member: Client, ports: dict[str, Doc]) -> None:
    port = ports["c"]
    query = f"id={port['id']}&fields=id&fields=revision_number"
    expected = {"id": port["id"], "revision_number": port["revision_number"]}
    assert listed(member, "ports", query) == [expected]
    for fields, found in (("mac_address", {"mac_address": port["mac_address"]}), ("nonsense", {}), ("", {})):
        shown = member.neutron("GET", f"/ports/{port['id']}?fields={fields}").body["port"]
        assert shown == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sort_key=name&sort_dir=asc", "abcde"),
        ("sort_key=name&sort_dir=desc", "edcba"),
        ("sort_key=mac_address&sort_dir=desc", "edcba"),
        ("sort_key=device_owner&sort_dir=asc&sort_key=name&sort_dir=desc", "edcba"),
        ("sort_key=admin_state_up&sort_dir=asc&sort_key=name&sort_dir=asc", "eabcd"),
        ("sort_key=project_id&sort_dir=asc&sort_key=name&sort_dir=asc", "abcde"),
        ("sort_key=name&sort_dir=asc&page_reverse=True", "edcba"),
        ("sort_key=name&sort_dir=asc&limit=0", "abcde"),
        ("sort_key=name&sort_dir=asc&limit=2", "ab"),
        ("sort_key=name&sort_dir=asc&limit=2&marker={b}", "cd"),
        ("sort_key=name&sort_dir=asc&marker={b}", "abcde"),
        ("sort_key=name&sort_dir=asc&limit=2&page_reverse=true", "de"),
        ("sort_key=name&sort_dir=asc&limit=2&page_reverse=True&marker={d}", "bc"),
        ("sort_key=name&sort_dir=desc&limit=2&marker={d}", "cb"),
    ],
)
def test_order_and_pages(names: Any, query: str, found: str) -> None:
    assert names(query) == found


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("sort_key=name", (400, "HTTPBadRequest", "The number of sort_keys and sort_dirs must be same")),
        ("sort_dir=asc", (400, "HTTPBadRequest", "The number of sort_keys and sort_dirs must be same")),
        (
            "sort_key=revision_number&sort_dir=asc",
            (400, "HTTPBadRequest", "['revision_number'] is invalid attribute for sort_keys"),
        ),
        (
            "sort_key=name&sort_dir=up",
            (400, "HTTPBadRequest", "['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'"),
        ),
        ("limit=x", (400, "BadRequest", "Bad limit request: Limit must be an integer 0 or greater and not 'x'.")),
        ("limit=-1", (400, "BadRequest", "Bad limit request: Limit must be an integer 0 or greater and not '-1'.")),
        ("limit=1&marker=nowhere", (404, "PortNotFound", "Port nowhere could not be found.")),
    ],
)
def test_no_such_order_or_page(member: Client, query: str, fault: tuple[int, str, str]) -> None:
    assert member.neutron("GET", f"/ports?{query}").fault == fault


@pytest.mark.parametrize("collection", ["networks", "subnets", "security-groups", "floatingips", "routers"])
def test_every_list_has_pages(member: Client, collection: str) -> None:
    body = member.neutron("GET", f"/{collection}?limit=1000").body
    key = collection.replace("-", "_")
    assert [link["rel"] for link in body[f"{key}_links"]] == ["previous"]
    assert f"{key}_links" not in member.neutron("GET", f"/{collection}").body


@pytest.mark.parametrize(
    ("query", "links"),
    [
        ("limit=2", {"next": ("b", False), "previous": ("a", True)}),
        ("limit=2&marker={b}", {"next": ("d", False), "previous": ("c", True)}),
        ("limit=2&marker={d}", {"previous": ("e", True)}),
        ("limit=2&marker={e}", {"previous": ("", True)}),
        ("limit=5", {"next": ("e", False), "previous": ("a", True)}),
        ("limit=6", {"previous": ("a", True)}),
        ("limit=2&page_reverse=True", {"next": ("e", False), "previous": ("d", True)}),
        ("limit=2&page_reverse=True&marker={b}", {"next": ("a", False)}),
        ("limit=2&page_reverse=True&marker={a}", {"next": ("", False)}),
    ],
)
def test_links_lead_on_and_keep_the_query(
    member: Client, network: Network, ports: dict[str, Doc], query: str, links: dict[str, tuple[str, bool]]
) -> None:
    ids = {name: port["id"] for name, port in ports.items()}
    order = f"sort_key=name&sort_dir=asc&{query.format(**ids)}"
    body = member.neutron("GET", f"/ports?{_own(network, order)}").body
    found = {}
    for link in body.get("ports_links", ()):
        sent = dict(parse_qsl(urlsplit(link["href"]).query))
        back = sent.pop("page_reverse", "") == "True"
        found[link["rel"]] = (sent.pop("marker", ""), back)
        kept = dict(parse_qsl(query.partition("&")[0]))
        assert sent == {"network_id": network.id, "sort_key": "name", "sort_dir": "asc", **kept}
    assert found == {relation: (ids.get(name, ""), back) for relation, (name, back) in links.items()}


def test_names_are_quoted_in_links(member: Client, network: Network, things: Things) -> None:
    name = "a b&c=ü"
    port = make_port(member, network, name=name).body["port"]
    things.adopt("ports", port["id"])
    body = member.neutron("GET", f"/ports?network_id={network.id}&name=a%20b%26c%3D%C3%BC&limit=1").body
    assert [item["id"] for item in body["ports"]] == [port["id"]]
    for link in body["ports_links"]:
        assert dict(parse_qsl(urlsplit(link["href"]).query))["name"] == name
