"""Revisions: what counts as a change, and changes that are made only if nobody was quicker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.client import Client
from tests.contract.places import get_port, put_port

PAIRS = {"allowed_address_pairs": [{"ip_address": "10.200.51.10"}]}
NO_PAIRS: dict[str, Any] = {"allowed_address_pairs": []}


def revision(client: Client, port_id: str) -> int:
    return int(get_port(client, port_id)["revision_number"])


def test_stale_revisions_are_412(member: Client, port: str) -> None:
    assert put_port(member, port, "revision_number=1", name="a").body["port"]["revision_number"] == 2
    stale = (412, "RevisionNumberConstraintFailed", "Constrained to 1, but current revision is 2")
    assert put_port(member, port, "revision_number=1", name="b").fault == stale
    assert put_port(member, port, "revision_number=1", **PAIRS).fault == stale
    assert get_port(member, port)["name"] == "a"
    assert member.neutron("DELETE", f"/ports/{port}", If_Match="revision_number=1").fault == stale
    assert member.neutron("DELETE", f"/ports/{port}", If_Match="revision_number=2").status == 204


def test_other_entity_tags_are_ignored(member: Client, port: str) -> None:
    assert put_port(member, port, '"abc"', name="a").status == 200


def test_what_counts_as_a_change(member: Client, port: str) -> None:
    groups = {"security_groups": get_port(member, port)["security_groups"]}
    steps: list[tuple[dict[str, Any], int]] = [
        ({"name": "a"}, 1),
        ({"name": "a"}, 0),
        ({"description": "d", "device_id": "x", "device_owner": "haos:vip"}, 1),
        ({"device_id": "x", "device_owner": "haos:vip"}, 0),
        ({"description": "d"}, 0),
        ({"description": "d", "device_id": "x", "device_owner": "haos:vip"}, 1),
        (PAIRS, 1),
        (PAIRS, 1),
        (NO_PAIRS, 1),
        (NO_PAIRS, 0),
        ({"admin_state_up": False}, 1),
        ({"admin_state_up": False}, 0),
        ({"security_groups": []}, 1),
        (groups, 1),
        ({**PAIRS, "security_groups": []}, 1),
    ]
    now = revision(member, port)
    for values, growth in steps:
        answer = put_port(member, port, **values)
        assert answer.status == 200, values
        assert answer.body["port"]["revision_number"] - now == growth, values
        now = answer.body["port"]["revision_number"]
    assert revision(member, port) == now


def test_what_may_not_be_changed_at_all_is_told_before_the_revision(
    member: Client, reader: Client, port: str
) -> None:
    put_port(member, port, name="a")
    stale = "revision_number=1"
    assert put_port(member, port, stale, colour="red").fault[:2] == (400, "HTTPBadRequest")
    assert put_port(member, port, stale, allowed_address_pairs=[{}]).fault[:2] == (
        400,
        "AllowedAddressPairsMissingIP",
    )
    assert put_port(reader, port, stale, name="b").fault[:2] == (403, "PolicyNotAuthorized")
    assert reader.neutron("DELETE", f"/ports/{port}", If_Match=stale).fault[:2] == (403, "PolicyNotAuthorized")


@pytest.mark.parametrize("number", ["x", ""])
def test_what_is_no_revision(member: Client, port: str, number: str) -> None:
    text = "Bad if-match request: Revision number etag must be in the format of revision_number=<int>."
    assert put_port(member, port, f"revision_number={number}", name="a").fault == (400, "BadRequest", text)
