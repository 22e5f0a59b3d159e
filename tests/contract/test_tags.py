"""Tags of a port: set as a whole or one by one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Answer, Client
from tests.contract.places import get_port


def tag(client: Client, method: str, port_id: str, one: str = "", body: Any = None) -> Answer:
    return client.neutron(method, f"/ports/{port_id}/tags{one}", body)


def test_all_at_once(member: Client, port: str) -> None:
    tags = ["a/b", "c,d", "x" * 255]
    assert tag(member, "PUT", port, body={"tags": tags}).status == 200
    assert set(tag(member, "GET", port).body["tags"]) == set(tags)
    assert set(get_port(member, port)["tags"]) == set(tags)
    assert tag(member, "DELETE", port).status == 204
    assert tag(member, "GET", port).body == {"tags": []}


def test_one_by_one(member: Client, port: str) -> None:
    absent = (404, "TagNotFound", "Tag one could not be found.")
    assert tag(member, "GET", port, "/one").fault == absent
    assert tag(member, "PUT", port, "/one").status == 201
    assert tag(member, "PUT", port, "/one").status == 201
    assert tag(member, "PUT", port, "/haos-fault%3Aport-down%3A1").status == 201
    assert tag(member, "GET", port, "/one").status == 204
    assert tag(member, "DELETE", port, "/one").status == 204
    assert tag(member, "DELETE", port, "/one").fault == absent
    assert get_port(member, port)["tags"] == ["haos-fault:port-down:1"]


def test_the_same_tags_again_are_no_change(member: Client, port: str) -> None:
    steps: list[tuple[str, str, Any, int]] = [
        ("PUT", "", {"tags": ["b", "a"]}, 1),
        ("PUT", "", {"tags": ["a", "b"]}, 0),
        ("PUT", "/a", None, 0),
        ("PUT", "/c", None, 1),
        ("DELETE", "/c", None, 1),
        ("DELETE", "", None, 1),
        ("DELETE", "", None, 0),
    ]
    for method, one, body, growth in steps:
        before = get_port(member, port)["revision_number"]
        assert tag(member, method, port, one, body).status in (200, 201, 204)
        assert get_port(member, port)["revision_number"] - before == growth, (method, one)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"tags": "x"}, "'x' is not a list"),
        ({"tags": None}, "'None' is not a list"),
        ({"tags": ["a", "a"]}, "Duplicate items in the list: 'a'"),
        ({"tags": [5]}, "'5' is not a valid string"),
        ({"tags": ["x" * 256]}, f"'{'x' * 256}' exceeds maximum length of 255"),
        ({}, "Invalid tags body"),
        (["x"], "Invalid tags body"),
    ],
)
def test_what_is_no_list_of_tags(member: Client, port: str, body: Any, text: str) -> None:
    refused = tag(member, "PUT", port, body=body)
    assert refused.fault == (400, "InvalidInput", f"Invalid input for operation: {text}.")


def test_a_tag_of_one_request_has_no_slash_and_255_characters_at_most(member: Client, port: str) -> None:
    assert tag(member, "PUT", port, "/a%2Fb").fault[:2] == (404, "HTTPNotFound")
    assert tag(member, "PUT", port, f"/{'x' * 256}").fault[:2] == (400, "InvalidInput")


def test_fifty_but_not_fifty_one(member: Client, port: str) -> None:
    many = [f"t{number}" for number in range(51)]
    text = "Bad ports request: The number of tags exceed the per-resource limit of 50."
    assert tag(member, "PUT", port, body={"tags": many}).fault == (400, "BadRequest", text)
    assert tag(member, "PUT", port, body={"tags": many[:50]}).status == 200
    assert tag(member, "PUT", port, "/t50").fault == (400, "BadRequest", text)
    assert tag(member, "PUT", port, "/t1").status == 201


def test_the_tags_of_what_is_not_there_are_an_internal_error(member: Client) -> None:
    """Neutron 2025.1 stumbles here; haos looks then whether the port is gone."""
    for method, one in (("GET", ""), ("PUT", "/x"), ("DELETE", "/x")):
        answer = tag(member, method, "9a027a94-e688-45cb-a653-e223ccc9f72e", one)
        assert answer.fault[:2] == (500, "HTTPInternalServerError")


def test_whose_tags_they_are(reader: Client, other: Client, port: str) -> None:
    rule = "rule:{}_port:tags is disallowed by policy"
    assert tag(reader, "GET", port).status == 200
    for client, method, one, verb in (
        (reader, "PUT", "/x", "update"),
        (reader, "DELETE", "/x", "delete"),
        (reader, "DELETE", "", "delete"),
        (other, "GET", "", "get"),
        (other, "PUT", "/x", "update"),
        (other, "DELETE", "/x", "delete"),
    ):
        refused = tag(client, method, port, one)
        assert refused.fault == (403, "PolicyNotAuthorized", rule.format(verb)), (method, one)
