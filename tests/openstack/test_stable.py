"""What was recorded of a real cloud says where it is from and holds nothing of that cloud."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.openstack.record import FIXTURES, MARK
from tests.openstack.stable import BASE, MOMENT, NEVER, Stable

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
SERVICES = ("keystone", "neutron", "nova")
PORT, GROUP = "6f1f7c6e-5c5e-4f0e-9b52-3f3e9c4c3b01", "0d9c8b7a-6f5e-4d3c-8b1a-09f8e7d6c5b4"


def stable(body: Any, **known: str) -> Any:
    made = Stable(NOW)
    for real, name in known.items():
        made.know(real, name)
    return json.loads(made.text(body))


def test_a_known_id_gets_its_name_and_others_go_by_their_turn() -> None:
    first, second = Stable(NOW), Stable(NOW)
    first.know(PORT, GROUP)
    body = {"id": PORT, "project_id": "e148c140f8a64f0792bf383662b8697f", "hostId": "ab" * 28}
    other = {"id": GROUP, "project_id": "8613529cf5834bba8091cbcfc74aff4d", "hostId": "cd" * 28}
    assert json.loads(first.text(body))["id"] == GROUP
    second.know(GROUP, GROUP)
    assert first.text(body) == second.text(other)


def test_the_same_id_is_the_same_again() -> None:
    made = Stable(NOW)
    assert made.text([PORT]) == made.text([PORT]) != made.text([GROUP])


def test_an_address_is_not_taken_for_a_part_of_another() -> None:
    body = {"texts": ["172.24.4.17", "172.24.4.179", "10.172.24.4.17", "at 172.24.4.17."]}
    texts = stable(body, **{"172.24.4.17": "172.24.4.32"})["texts"]
    assert texts == ["172.24.4.32", "172.24.4.179", "10.172.24.4.17", "at 172.24.4.32."]


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("created_at", "2026-12-01T11:00:00Z", f"{MOMENT}Z"),
        ("issued_at", "2026-12-01T11:00:00.000000Z", f"{MOMENT}.000000Z"),
        ("updated", "2013-07-23T11:33:21Z", "2013-07-23T11:33:21Z"),
        ("expires_at", "2026-12-01T12:00:00.000000Z", NEVER),
        ("revision_number", 17, 4),
        ("message", "Constrained to 7, but current revision is 9", "Constrained to 7, but current revision is 4"),
    ],
)
def test_times_and_what_counts(name: str, value: object, kept: object) -> None:
    assert stable({name: value}) == {name: kept}


def test_lists_without_an_order_get_one() -> None:
    body = {"extensions": [{"alias": "b"}, {"alias": "a"}], "servers": [{"name": "b"}, {"name": "a"}]}
    ordered = stable(body)
    assert [item["alias"] for item in ordered["extensions"]] == ["a", "b"]
    assert ordered["servers"] == body["servers"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_recorded_answer_is_told_of(service: str) -> None:
    told = (FIXTURES / "ORIGIN.md").read_text().split(MARK)[1]
    assert "OpenStack 2025.1" in told
    for path in (FIXTURES / service).iterdir():
        assert f"`{service}/{path.stem}`" in told


@pytest.mark.parametrize("service", SERVICES)
def test_no_answer_names_the_place_of_its_recording(service: str) -> None:
    for path in (FIXTURES / service).iterdir():
        places = re.findall(r"https?://[^/\"]+", path.read_text())
        assert {place for place in places if not place.startswith("http://docs.")} <= {BASE}, path
