"""Whole commands over APIs of which one answer is spoilt: right, or one line and an exit code; no other choice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from hypothesis import given
from hypothesis import strategies as st

from haos.adapters.cloud import OpenStackCloud
from haos.adapters.connect import connect
from haos.errors import HaosError
from tests.adapters.cloud_double import CLOUDS, NEUTRON, connected, fixture, serve_keystone
from tests.cli.conftest import Ended
from tests.fakes import FakeClock, World, howto_world
from tests.fuzz.amount import examples
from tests.fuzz.bodies import json_values, mutations
from tests.fuzz.http_world import serve
from tests.fuzz.running import EXIT_CODES, errors_of, run_haos

CREATE = ["create", "--network=ha_lab", "--nodes=ha_first,ha_second", "--name=web", "--dry-run"]
COMMANDS = {
    "list": ["list", "-f", "json"],
    "create": CREATE,
    "check": ["check", "--network=ha_lab", "--nodes=ha_first,ha_second", "-f", "json"],
    "status": ["status", "-f", "json"],
    "teardown": ["teardown", "--dry-run"],
}
PATHS = ("/networks", "/subnets", "/ports", "/security-groups", "/floatingips", "/servers/detail", "/extensions")


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[requests_mock.Mocker, OpenStackCloud]]:
    monkeypatch.setattr("haos.adapters.cloud_rest._clock", FakeClock())
    with connected(tmp_path) as made:
        yield made


def a_world(paired: bool) -> World:
    world = howto_world(keepalived="2.2.7")
    if paired:
        assert run_haos([*CREATE[:-1], "-y", "--no-verify"], world).code == 0
    return world


def over(mock: requests_mock.Mocker, cloud: OpenStackCloud, world: World, argv: list[str], spoil: Any) -> Ended:
    serve(mock, world, spoil)
    return run_haos(argv, world, lambda: cloud)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_double_answers_as_the_fakes_do(both: tuple[requests_mock.Mocker, OpenStackCloud], name: str) -> None:
    world = a_world(paired=name not in ("create", "check"))
    mine = over(*both, world, COMMANDS[name], lambda _, right: right)
    theirs = run_haos(COMMANDS[name], world)
    assert (mine.code, mine.out) == (theirs.code, theirs.out)
    assert mine.code == 0


@pytest.mark.parametrize("name", COMMANDS)
@examples(6)
@given(data=st.data())
def test_a_spoilt_answer_is_one_line_or_does_no_harm(
    both: tuple[requests_mock.Mocker, OpenStackCloud], name: str, data: st.DataObject
) -> None:
    world = a_world(paired=name not in ("create", "check"))
    path = data.draw(st.sampled_from(PATHS))
    spoilt: list[Any] = []

    def spoil(asked: str, right: Any) -> Any:
        if asked != path or spoilt:
            return right
        mutation = data.draw(mutations(right) | json_values.map(json.dumps))
        spoilt.append(mutation)
        return mutation if isinstance(mutation, str) else mutation.of(right)

    ended = over(*both, world, COMMANDS[name], spoil)
    assert ended.code in EXIT_CODES, ended
    assert len(errors_of(ended)) <= 1
    if ended.code in (1, 2):
        assert len(errors_of(ended)) == 1
    # Outside the pool, and nobody's: that alone may be the VIP, whatever was answered.
    vips = re.findall(r"^Pair web: VIP (\S+)", ended.out, re.MULTILINE)
    assert path == "/subnets" or set(vips) <= {"10.200.51.2"}, (spoilt, ended)


@examples(25)
@given(data=st.data())
def test_a_login_that_is_answered_with_anything_is_one_line(tmp_path: Path, data: st.DataObject) -> None:
    file = tmp_path / "clouds.yaml"
    file.write_text(CLOUDS)
    version, token = fixture("keystone/v3"), fixture("keystone/token")
    if data.draw(st.booleans()):
        version = data.draw(mutations(version).map(lambda one: one.of(version)) | json_values)
    else:
        token = data.draw(mutations(token).map(lambda one: one.of(token)) | json_values)
    with requests_mock.Mocker() as mock:
        mock.register_uri(requests_mock.ANY, requests_mock.ANY, status_code=404)  # wherever a strange answer leads
        serve_keystone(mock)
        mock.get("http://cloud.test/identity/v3", json=version)
        header = data.draw(st.sampled_from([{"X-Subject-Token": "t"}, {}, {"X-Subject-Token": ""}]))
        mock.post("http://cloud.test/identity/v3/auth/tokens", json=token, headers=header, status_code=201)
        try:
            connect(["--os-cloud", "test"], config_files=[file])
        except HaosError as error:
            if not str(error).isprintable() or not error.hint:
                raise AssertionError(f"not one line: {error!r}") from error


@examples(25)
@given(status=st.sampled_from([400, 401, 403, 404, 409, 412, 500, 501, 503]), body=json_values | st.text(max_size=20))
def test_an_error_of_any_kind_is_one_line(
    both: tuple[requests_mock.Mocker, OpenStackCloud], status: int, body: Any
) -> None:
    mock, cloud = both
    text = body if isinstance(body, str) else json.dumps(body)
    mock.get(f"{NEUTRON}/extensions", text=text, status_code=status, headers={"Content-Type": "application/json"})
    try:
        cloud.extensions()
    except HaosError as error:
        if not str(error).isprintable() or not error.hint:
            raise AssertionError(f"not one line: {error!r}") from error
    else:
        pytest.fail("an error was taken for an answer")


def test_a_list_whose_pages_repeat_has_an_end(both: tuple[requests_mock.Mocker, OpenStackCloud]) -> None:
    mock, cloud = both
    page = {**fixture("neutron/ports"), "ports_links": [{"rel": "next", "href": "again"}]}
    mock.get(f"{NEUTRON}/ports", json=page)
    with pytest.raises(HaosError, match=r"the page after .* is the same again"):
        cloud.ports("n")
    assert len(mock.request_history) == 2
