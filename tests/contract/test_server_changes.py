"""Nova: servers made, renamed, tagged and deleted, and what is refused of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Client
from tests.contract.places import Network, addresses, get_port, make_port, unique
from tests.contract.servers import (
    Pair,
    get_server,
    made_server,
    make_server,
    remove_server,
    settled,
    wanted,
)

TAGS = {"OpenStack_API_Version": "compute 2.26"}
NOWHERE = "a2fd42b0-0000-4000-8000-000000000000"
MAX_TAG = 60


def bad(text: str) -> tuple[int, str, str]:
    return 400, "badRequest", text


def test_the_answer_to_a_new_server(member: Client, network: Network) -> None:
    name = unique("server")
    made = make_server(member, network, "2.1", name=name)
    assert made.status == 202, made
    server = made.body["server"]
    assert server.keys() == {"id", "links", "OS-DCF:diskConfig", "adminPass", "security_groups"}
    assert server["security_groups"] == [{"name": "default"}]
    assert made.headers["location"] == f"{member.endpoints['compute']}/servers/{server['id']}"
    shown = settled(member, server["id"], "ACTIVE")
    assert shown["addresses"].keys() == {network.name}
    assert shown["description"] == name  # who knows of no descriptions, before 2.19, gets one
    assert member.nova("DELETE", f"/servers/{server['id']}").status == 204
    assert member.nova("DELETE", f"/servers/{server['id']}").status in (204, 404)  # the end may have come meanwhile
    remove_server(member, server["id"])
    text = f"Instance {server['id']} could not be found."
    assert member.nova("DELETE", f"/servers/{server['id']}").fault == (404, "itemNotFound", text)
    assert member.neutron("GET", f"/ports?device_id={server['id']}").body["ports"] == []


def test_a_given_port_stays_when_its_server_goes(member: Client, network: Network) -> None:
    made = make_port(member, network, name="given").body["port"]
    with made_server(member, network, networks=[{"port": made["id"]}]) as server_id:
        port = get_port(member, made["id"])
        assert (port["device_id"], port["device_owner"], port["name"]) == (server_id, "compute:nova", "given")
        taken = make_server(member, network, name="x", networks=[{"port": made["id"]}])
        assert taken.fault == (409, "conflictingRequest", f"Port {made['id']} is still in use.")
        [address] = addresses(make_port(member, network))
        alone = [{"uuid": network.id, "fixed_ip": port["fixed_ips"][0]["ip_address"]}]
        text = f"Fixed IP address {alone[0]['fixed_ip']} is already in use on instance {server_id}."
        assert make_server(member, network, name="x", networks=alone).fault == bad(text)
        assert address != alone[0]["fixed_ip"]
    left = get_port(member, made["id"])
    assert (left["device_id"], left["device_owner"], left["status"]) == ("", "", "DOWN")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"imageRef": None}, "Missing imageRef attribute"),
        ({"imageRef": ""}, "Missing imageRef attribute"),
        ({"imageRef": NOWHERE}, "Can not find requested image"),
        ({"flavorRef": "nowhere"}, "Flavor nowhere could not be found."),
        ({"networks": [{"uuid": NOWHERE}]}, f"Network {NOWHERE} could not be found."),
        (
            {"networks": [{"uuid": "nowhere"}]},
            "Bad networks format: network uuid is not in proper format (nowhere)",
        ),
        ({"networks": [{"port": NOWHERE}]}, f"Port id {NOWHERE} could not be found."),
        (
            {"networks": "auto"},
            "Invalid input for field/attribute networks. Value: auto. 'auto' is not of type 'array'",
        ),
        ({"security_groups": [{"name": "none"}]}, "Unable to find security_group with name or id 'none'"),
        ({"name": ""}, "Invalid input for field/attribute name. Value: . '' should be non-empty"),
    ],
)
def test_what_a_new_server_cannot_have(member: Client, network: Network, values: dict[str, Any], text: str) -> None:
    assert make_server(member, network, **{"name": "x", **values}).fault == bad(text)


@pytest.mark.parametrize(
    ("version", "values", "why"),
    [
        ("2.1", {"name": None}, "'name' is a required property"),
        ("2.1", {"flavorRef": None}, "'flavorRef' is a required property"),
        ("2.1", {"colour": "blue"}, "Additional properties are not allowed ('colour' was unexpected)"),
        ("2.37", {"networks": None}, "'networks' is a required property"),
    ],
)
def test_a_new_server_has_what_it_must(
    member: Client, network: Network, version: str, values: dict[str, Any], why: str
) -> None:
    body = wanted(member, network, **{"name": "x", **values})
    text = f"Invalid input for field/attribute server. Value: {body}. {why}"
    assert make_server(member, network, version, **{"name": "x", **values}).fault == bad(text)


def test_bodies_that_are_none(member: Client, pair: Pair) -> None:
    for method, path in (("POST", "/servers"), ("PUT", f"/servers/{pair.first}")):
        assert member.nova(method, path, {}).fault == bad("'server' is a required property")
    assert member.nova("POST", "/servers", b"{").fault == bad("Malformed request body")


def test_readers_and_strangers_change_nothing(member: Client, reader: Client, other: Client, pair: Pair) -> None:
    path = f"/servers/{pair.first}"
    text = "Policy doesn't allow os_compute_api:servers:{} to be performed."
    made = make_server(reader, pair.network, name="x")
    assert made.fault == (403, "forbidden", text.format("create"))
    assert reader.nova("DELETE", path).fault == (403, "forbidden", text.format("delete"))
    renamed = reader.nova("PUT", path, {"server": {"name": "x"}})
    assert renamed.fault == (403, "forbidden", text.format("update"))
    text = f"Instance {pair.first} could not be found."
    assert other.nova("DELETE", path).fault == (404, "itemNotFound", text)
    assert other.nova("PUT", path, {"server": {"name": "x"}}).fault == (404, "itemNotFound", text)


def test_a_new_name(member: Client, pair: Pair) -> None:
    path = f"/servers/{pair.second}"
    renamed = member.nova("PUT", path, {"server": {"name": "renamed"}})
    assert renamed.status == 200
    assert renamed.body["server"]["name"] == "renamed"
    assert not any(key.startswith("OS-EXT-") for key in renamed.body["server"])
    newer = {"server": {"name": pair.names[1], "description": "x"}}
    shown = member.nova("PUT", path, newer, OpenStack_API_Version="compute 2.75").body["server"]
    assert (shown["name"], shown["description"], shown["OS-EXT-STS:vm_state"]) == (pair.names[1], "x", "active")
    status, kind, text = member.nova("PUT", path, {"server": {"colour": "blue"}}).fault
    assert (status, kind) == (400, "badRequest")
    assert text.endswith("Additional properties are not allowed ('colour' was unexpected)")


def test_tags(member: Client, pair: Pair) -> None:
    tag, path = unique("tag"), f"/servers/{pair.first}/tags"
    assert member.nova("PUT", f"{path}/{tag}", **TAGS).status == 201
    assert member.nova("PUT", f"{path}/{tag}", **TAGS).status == 204
    assert member.nova("GET", path, **TAGS).body == {"tags": [tag]}
    assert member.nova("GET", f"{path}/{tag}", **TAGS).status == 204
    assert get_server(member, pair.first)["tags"] == [tag]

    def tagged(query: str, **headers: str) -> set[str]:
        servers = member.nova("GET", f"/servers?name={pair.prefix}&{query}", **headers).body["servers"]
        return {server["name"][-1] for server in servers}

    assert tagged(f"tags={tag}", **TAGS) == {"a"}
    assert tagged(f"tags={tag},more", **TAGS) == set()
    assert tagged(f"tags-any={tag},more", **TAGS) == {"a"}
    assert tagged(f"not-tags={tag}", **TAGS) == {"b"}
    assert tagged(f"not-tags-any={tag},more", **TAGS) == {"b"}
    assert tagged(f"tags={tag}") == {"a", "b"}  # before 2.26 nobody knew of them
    assert member.nova("DELETE", f"{path}/{tag}", **TAGS).status == 204
    gone = member.nova("DELETE", f"{path}/{tag}", **TAGS)
    assert gone.fault == (404, "itemNotFound", f"Instance {pair.first} has no tag '{tag}'")
    gone = member.nova("GET", f"{path}/{tag}", **TAGS)
    assert gone.fault == (404, "itemNotFound", f"Server {pair.first} has no tag '{tag}'")


def test_all_tags_at_once(member: Client, pair: Pair) -> None:
    path = f"/servers/{pair.second}/tags"
    assert member.nova("PUT", path, {"tags": ["b", "a"]}, **TAGS).body == {"tags": ["a", "b"]}
    assert member.nova("PUT", path, {}, **TAGS).fault == bad("'tags' is a required property")
    assert member.nova("DELETE", path, **TAGS).status == 204
    assert member.nova("GET", path, **TAGS).body == {"tags": []}


def test_tags_that_cannot_be(member: Client, reader: Client, other: Client, pair: Pair) -> None:
    path = f"/servers/{pair.first}/tags"
    text = (
        "Tag '{}' is invalid. It must be a non empty string without characters '/' and ','. Validation error message:"
    )
    comma = member.nova("PUT", f"{path}/a,b", **TAGS)
    assert comma.fault == bad(f"{text.format('a,b')} 'a,b' does not match '^[^,/]*$'")
    long = "x" * (MAX_TAG + 1)
    assert member.nova("PUT", f"{path}/{long}", **TAGS).fault == bad(f"{text.format(long)} '{long}' is too long")
    assert member.nova("PUT", f"{path}/a%2Fb", **TAGS).status == 404
    early = member.nova("PUT", f"{path}/x")
    assert early.fault == (404, "itemNotFound", "The resource could not be found.")
    for stranger in (reader, other):
        text = "Policy doesn't allow os_compute_api:os-server-tags:update to be performed."
        assert stranger.nova("PUT", f"{path}/x", **TAGS).fault == (403, "forbidden", text)
    missing = member.nova("PUT", f"/servers/{NOWHERE}/tags/x", **TAGS)
    assert missing.fault == (404, "itemNotFound", f"Instance {NOWHERE} has no mapping to a cell.")
