"""Nova: versions, lists and filters, and what a server shows to whom."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import get_port
from tests.contract.servers import Pair, flavor_id, get_server, image_id
from tests.contract.side import Side

TAGS = {"OpenStack_API_Version": "compute 2.26"}
LATEST = {"OpenStack_API_Version": "compute latest"}
KEYS_OF_OLD = {
    "OS-DCF:diskConfig",
    "OS-EXT-AZ:availability_zone",
    "OS-EXT-STS:power_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:vm_state",
    "OS-SRV-USG:launched_at",
    "OS-SRV-USG:terminated_at",
    "accessIPv4",
    "accessIPv6",
    "addresses",
    "config_drive",
    "created",
    "flavor",
    "hostId",
    "id",
    "image",
    "key_name",
    "links",
    "metadata",
    "name",
    "os-extended-volumes:volumes_attached",
    "progress",
    "security_groups",
    "status",
    "tenant_id",
    "updated",
    "user_id",
}
NEWER_KEYS = {
    "2.9": {"locked"},
    "2.19": {"description"},
    "2.26": {"tags"},
    "2.63": {"trusted_image_certificates"},
    "2.71": {"server_groups"},
    "2.73": {"locked_reason"},
    "2.90": {"OS-EXT-SRV-ATTR:hostname"},
    "2.96": {"pinned_availability_zone"},
    "2.100": {"scheduler_hints"},
}


def names(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [server["name"] for server in answer.body["servers"]]


def listed(client: Client, pair: Pair, query: str, **headers: str) -> str:
    """Return which of the pair a list shows, by their last letters in order."""
    found = names(client.nova("GET", f"/servers?{query}", **headers))
    return "".join(name[-1] for name in found if name in pair.names)


def invalid(answer: Answer, parameter: str, value: str, why: str) -> bool:
    text = f"Invalid input for query parameters {parameter}. Value: {value}. {why}"
    return answer.fault == (400, "badRequest", text)


def test_discovery_offers_microversions(side: Side, member: Client) -> None:
    nobody = side.twin(member, "")
    whole = nobody.endpoints["compute"]
    versions = {entry["id"]: entry for entry in nobody("GET", whole.removesuffix("/v2.1") + "/").body["versions"]}
    assert versions.keys() == {"v2.0", "v2.1"}
    assert (versions["v2.0"]["status"], versions["v2.0"]["version"]) == ("SUPPORTED", "")
    for entry in (versions["v2.1"], nobody("GET", f"{whole}/").body["version"], nobody("GET", whole).body["version"]):
        assert (entry["status"], entry["min_version"], entry["version"]) == ("CURRENT", "2.1", "2.100")
        assert entry["links"][0] == {"rel": "self", "href": f"{whole}/"}


@pytest.mark.parametrize(
    ("asked", "given"),
    [({}, "2.1"), (TAGS, "2.26"), (LATEST, "2.100"), ({"X_OpenStack_Nova_API_Version": "2.47"}, "2.47")],
)
def test_answers_say_their_microversion(member: Client, asked: dict[str, str], given: str) -> None:
    headers = member.nova("GET", "/flavors", **asked).headers
    assert headers["openstack-api-version"] == f"compute {given}"
    assert headers["x-openstack-nova-api-version"] == given
    assert headers["vary"].endswith("X-OpenStack-Nova-API-Version")


def test_the_microversion_of_another_service_does_not_count(member: Client) -> None:
    answer = member.nova("GET", "/flavors", OpenStack_API_Version="volume 3.60")
    assert answer.headers["openstack-api-version"] == "compute 2.1"


@pytest.mark.parametrize("version", ["2.999", "1.1", "3.0"])
def test_a_microversion_that_is_not_offered_is_406(member: Client, version: str) -> None:
    text = f"Version {version} is not supported by the API. Minimum is 2.1 and maximum is 2.100."
    refused = member.nova("GET", "/flavors", OpenStack_API_Version=f"compute {version}")
    assert refused.fault == (406, "computeFault", text)


@pytest.mark.parametrize("version", ["x", "2", "2.x"])
def test_a_microversion_that_is_none_is_400(member: Client, version: str) -> None:
    text = f"API Version String {version} is of invalid format. Must be of format MajorNum.MinorNum."
    refused = member.nova("GET", "/flavors", OpenStack_API_Version=f"compute {version}")
    assert refused.fault == (400, "badRequest", text)


def test_details_as_haos_reads_them(member: Client, pair: Pair) -> None:
    [server] = member.nova("GET", f"/servers/detail?name=^{pair.prefix}-a$", **TAGS).body["servers"]
    assert (server["id"], server["name"], server["status"]) == (pair.first, pair.names[0], "ACTIVE")
    assert (server["tenant_id"], server["user_id"]) == (member.project_id, member.user_id)
    states = [server[f"OS-EXT-STS:{part}_state"] for part in ("vm", "power", "task")]
    assert states == ["active", 1, None]
    assert server["security_groups"] == [{"name": "default"}]
    [entry] = server["addresses"][pair.network.name]
    [port] = member.neutron("GET", f"/ports?device_id={pair.first}").body["ports"]
    assert entry == {
        "version": 4,
        "addr": port["fixed_ips"][0]["ip_address"],
        "OS-EXT-IPS:type": "fixed",
        "OS-EXT-IPS-MAC:mac_addr": port["mac_address"],
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000000", server["OS-SRV-USG:launched_at"])


@pytest.mark.parametrize("version", ["2.1", *NEWER_KEYS])
def test_what_a_server_shows_at_each_version(member: Client, pair: Pair, version: str) -> None:
    since = list(NEWER_KEYS)[: list(NEWER_KEYS).index(version) + 1] if version in NEWER_KEYS else []
    assert get_server(member, pair.first, version).keys() == KEYS_OF_OLD.union(*(NEWER_KEYS[each] for each in since))


def test_flavor_and_image_of_a_server(member: Client, pair: Pair) -> None:
    bare = member.endpoints["compute"].removesuffix("/v2.1")
    old, new = get_server(member, pair.first, "2.46"), get_server(member, pair.first, "2.47")
    link = {"rel": "bookmark", "href": f"{bare}/flavors/{flavor_id(member)}"}
    assert old["flavor"] == {"id": flavor_id(member), "links": [link]}
    assert new["flavor"].keys() == {"vcpus", "ram", "disk", "ephemeral", "swap", "original_name", "extra_specs"}
    assert new["flavor"]["original_name"] == "m1.tiny"
    link = {"rel": "bookmark", "href": f"{bare}/images/{image_id(member)}"}
    assert old["image"] == {"id": image_id(member), "links": [link]}
    assert "properties" not in get_server(member, pair.first, "2.97")["image"]
    assert "properties" in get_server(member, pair.first, "2.98")["image"]


def test_links_of_a_server(member: Client, pair: Pair) -> None:
    whole = member.endpoints["compute"]
    shown = member.nova("GET", f"/servers?name={pair.prefix}-a").body["servers"]
    links = [
        {"rel": "self", "href": f"{whole}/servers/{pair.first}"},
        {"rel": "bookmark", "href": f"{whole.removesuffix('/v2.1')}/servers/{pair.first}"},
    ]
    assert shown == [{"id": pair.first, "name": pair.names[0], "links": links}]


def test_the_host_id_hashes_project_and_host(member: Client, admin: Client, pair: Pair) -> None:
    seen, known = get_server(member, pair.first), get_server(admin, pair.first)
    assert "OS-EXT-SRV-ATTR:host" not in seen
    text = seen["tenant_id"] + known["OS-EXT-SRV-ATTR:host"]
    assert seen["hostId"] == hashlib.sha224(text.encode()).hexdigest()


def test_who_sees_a_server(member: Client, reader: Client, other: Client, pair: Pair) -> None:
    assert get_server(reader, pair.first)["id"] == pair.first
    text = f"Instance {pair.first} could not be found."
    assert other.nova("GET", f"/servers/{pair.first}").fault == (404, "itemNotFound", text)
    assert names(other.nova("GET", f"/servers?name={pair.prefix}")) == []
    for missing in ("11111111-2222-4333-8444-555555555555", "nowhere"):
        text = f"Instance {missing} could not be found."
        assert member.nova("GET", f"/servers/{missing}").fault == (404, "itemNotFound", text)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name={prefix}", "ba"),
        ("name=^{prefix}-a$", "a"),
        ("name=^{prefix}-[ab]$", "ba"),
        ("name=^{prefix}.b$", "b"),
        ("name=^{upper}-A$", "a"),  # MySQL compares without regard to case
        ("name=^({prefix}-a|{prefix}-b)$", ""),  # for MySQL, Nova escapes "|"
        ("name=nobody-has-this-name", ""),
        ("name={prefix}-a&name={prefix}-b", "b"),  # the last counts
        ("status=ACTIVE", "ba"),
        ("status=active", "ba"),
        ("status=SHUTOFF", ""),
        ("status=WEIRD", ""),
        ("uuid={first}", "ba"),  # of filters that ordinary users may not use Nova takes no notice
        ("host=nowhere", "ba"),
        ("colour=blue", "ba"),
        ("flavor={flavor}", "ba"),
        ("ip={address}$", "a"),
        ("ip=192.0.2.1", ""),
        ("limit=0", ""),
        ("sort_key=display_name&sort_dir=asc", "ab"),
        ("sort_key=display_name", "ba"),
        ("sort_dir=asc", "ab"),
        ("marker={second}", "a"),
    ],
)
def test_filters(member: Client, pair: Pair, query: str, found: str) -> None:
    words = {"prefix": pair.prefix, "upper": pair.prefix.upper(), "first": pair.first, "second": pair.second}
    if "{address}" in query:
        words["address"] = get_server(member, pair.first)["addresses"][pair.network.name][0]["addr"]
    if "{flavor}" in query:
        words["flavor"] = flavor_id(member)
    query = quote(query.format(**words), safe="=&")
    if "name=" not in query:
        query += f"&name={pair.prefix}"
    assert listed(member, pair, query) == found


def test_a_name_that_haos_asks_for_finds_two(member: Client, pair: Pair) -> None:
    query = quote(f"^{pair.prefix[:-1]}[{pair.prefix[-1]}].[ab]$")
    assert listed(member, pair, f"name={query}", **TAGS) == "ba"


@pytest.mark.parametrize("name", ["((", "[", "*", ""])
def test_a_name_that_is_no_regular_expression(member: Client, name: str) -> None:
    answer = member.nova("GET", f"/servers?name={quote(name)}")
    assert invalid(answer, "name", name, f"'{name}' is not a 'regex'")


@pytest.mark.parametrize("limit", ["-1", "x"])
def test_a_limit_that_is_none(member: Client, limit: str) -> None:
    assert invalid(
        member.nova("GET", f"/servers?limit={limit}"), "limit", limit, f"'{limit}' does not match '^[0-9]*$'"
    )


def test_other_queries_that_are_refused(member: Client) -> None:
    text = "marker [nowhere] not found"
    assert member.nova("GET", "/servers?marker=nowhere").fault == (400, "badRequest", text)
    text = "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'"
    assert member.nova("GET", "/servers?sort_dir=up").fault == (400, "badRequest", text)
    status, kind, text = member.nova("GET", "/servers?sort_key=name").fault
    assert (status, kind) == (400, "badRequest")
    assert text.startswith(
        "Invalid input for query parameters sort_key. Value: name. 'name' is not one of ['access_ip"
    )
    status, kind, text = member.nova("GET", "/servers?all_tenants=maybe").fault
    assert (status, kind) == (400, "badRequest")
    assert text.startswith("Unrecognized value 'maybe', acceptable values are: '0', '1', 'f', 'false',")


def test_pages(member: Client, pair: Pair) -> None:
    first = member.nova("GET", f"/servers?name={pair.prefix}&limit=1")
    assert names(first) == [pair.names[1]]
    [link] = first.body["servers_links"]
    where = f"{member.endpoints['compute']}/servers?limit=1&name={pair.prefix}&marker={pair.second}"
    assert link == {"rel": "next", "href": where}
    second = member("GET", link["href"])
    assert names(second) == [pair.names[0]]
    rest = f"/servers?name={pair.prefix}&limit=1&marker={pair.first}"
    assert member.nova("GET", rest).body == {"servers": []}
    assert "servers_links" not in member.nova("GET", f"/servers?name={pair.prefix}&limit=3").body


@pytest.mark.parametrize(("path", "rule"), [("/servers", "index"), ("/servers/detail", "detail")])
def test_everybodys_servers_are_for_admins(member: Client, admin: Client, pair: Pair, path: str, rule: str) -> None:
    text = f"Policy doesn't allow os_compute_api:servers:{rule}:get_all_tenants to be performed."
    assert member.nova("GET", f"{path}?all_tenants=1").fault == (403, "forbidden", text)
    assert set(pair.names) <= set(names(member.nova("GET", f"{path}?all_tenants=0")))
    assert names(admin.nova("GET", f"{path}?name={pair.prefix}")) == []
    assert len(names(admin.nova("GET", f"{path}?name={pair.prefix}&all_tenants=1"))) == 2


def test_interfaces(member: Client, pair: Pair) -> None:
    [port] = member.neutron("GET", f"/ports?device_id={pair.first}").body["ports"]
    shown: dict[str, Any] = {
        "port_id": port["id"],
        "net_id": pair.network.id,
        "mac_addr": port["mac_address"],
        "port_state": port["status"],
        "fixed_ips": port["fixed_ips"],
    }
    path = f"/servers/{pair.first}/os-interface"
    assert member.nova("GET", path).body == {"interfaceAttachments": [shown]}
    newer = member.nova("GET", path, **LATEST).body["interfaceAttachments"]
    assert newer == [{**shown, "tag": None}]
    assert member.nova("GET", f"{path}/{port['id']}").body == {"interfaceAttachment": shown}
    text = "Port id nowhere could not be found."
    assert member.nova("GET", f"{path}/nowhere").fault == (404, "itemNotFound", text)


def test_the_port_of_a_server(member: Client, pair: Pair) -> None:
    [interface] = member.nova("GET", f"/servers/{pair.first}/os-interface").body["interfaceAttachments"]
    port = get_port(member, interface["port_id"])
    assert (port["device_id"], port["device_owner"], port["name"]) == (pair.first, "compute:nova", "")
    assert port["project_id"] == member.project_id
    assert port["allowed_address_pairs"] == []


def test_security_groups_of_a_server(member: Client, pair: Pair) -> None:
    [group] = member.nova("GET", f"/servers/{pair.first}/os-security-groups").body["security_groups"]
    [known] = member.neutron("GET", "/security-groups?name=default").body["security_groups"]
    assert (group["id"], group["name"], group["tenant_id"]) == (known["id"], "default", member.project_id)
    assert group["description"] == "Default security group"
    into = [rule for rule in known["security_group_rules"] if rule["direction"] == "ingress"]
    assert {rule["id"] for rule in group["rules"]} == {rule["id"] for rule in into}


def test_addresses_and_metadata(member: Client, pair: Pair) -> None:
    addresses = get_server(member, pair.first)["addresses"][pair.network.name]
    bare = [{"addr": item["addr"], "version": item["version"]} for item in addresses]
    path = f"/servers/{pair.first}"
    assert member.nova("GET", f"{path}/ips").body == {"addresses": {pair.network.name: bare}}
    assert member.nova("GET", f"{path}/ips/{pair.network.name}").body == {pair.network.name: bare}
    text = "Instance is not a member of specified network"
    assert member.nova("GET", f"{path}/ips/nowhere").fault == (404, "itemNotFound", text)
    assert member.nova("GET", f"{path}/metadata").body == {"metadata": {}}
    assert member.nova("GET", f"{path}/os-volume_attachments").body == {"volumeAttachments": []}


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("DELETE", "/servers"), ("PATCH", "/servers/x")])
def test_what_nova_does_not_know(member: Client, method: str, path: str) -> None:
    answer = member.nova(method, path, Accept="application/json")
    text = "The resource could not be found.<br /><br />\n\n\n"
    assert answer.body == {"message": text, "code": "404 Not Found", "title": "Not Found"}
    assert member.nova("HEAD", "/flavors").status == 404
