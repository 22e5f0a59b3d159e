"""Connecting: where the configuration comes from, what it costs, how it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import requests_mock

from haos.adapters.connect import connect, settings_of, versioned
from haos.errors import AuthenticationError, CloudError, HaosError, UsageError
from tests.adapters.cloud_double import AT_ONCE, CLOUDS, NEUTRON, NOVA, PROJECT, URL, asked, fixture, serve_keystone
from tests.fakes import FakeClock

TOKENS = f"{URL}/identity/v3/auth/tokens"
GRANTED = {"json": fixture("keystone/token"), "headers": {"X-Subject-Token": "t"}, "status_code": 201}


@pytest.fixture
def mock() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        serve_keystone(mocker)
        yield mocker


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OS_CLOUD", raising=False)
    file = tmp_path / "clouds.yaml"
    file.write_text(CLOUDS)
    return file


def test_two_requests_and_no_discovery_of_services(mock: requests_mock.Mocker, clouds: Path) -> None:
    cloud = connect(["--os-cloud", "test"], config_files=[clouds])
    assert asked(mock) == ["GET /identity/v3", "POST /identity/v3/auth/tokens"]
    assert cloud.project_id() == PROJECT
    assert cloud.settings == {"ssh_user": "debian"}
    assert not cloud.insecure
    assert mock.request_history[1].headers["User-Agent"].startswith("haos/")


def test_the_first_request_to_a_service_is_the_one_asked_for(mock: requests_mock.Mocker, clouds: Path) -> None:
    cloud = connect([], cloud="test", config_files=[clouds])
    mock.get(f"{NEUTRON}/extensions", json=fixture("neutron/extensions"))
    mock.get(f"{NOVA}/servers/detail", json=fixture("nova/servers"))
    cloud.extensions()
    cloud.instances(["x"])
    assert asked(mock)[2:] == ["GET /network/v2.0/extensions", "GET /compute/v2.1/servers/detail?name=%5Ex%24"]
    assert all(request.headers["X-Auth-Token"] == "t" for request in mock.request_history[2:])


def test_every_answer_is_told_of(mock: requests_mock.Mocker, clouds: Path) -> None:
    told: list[tuple[str, str]] = []

    def tell(method: str, url: str, seconds: float) -> None:
        assert seconds >= 0
        told.append((method, url))

    cloud = connect([], cloud="test", config_files=[clouds], on_request=tell)
    mock.get(f"{NEUTRON}/extensions", [{"status_code": 503, "headers": AT_ONCE}, {"json": {"extensions": []}}])
    cloud.extensions()
    assert told == [
        ("GET", f"{URL}/identity/v3"),
        ("POST", TOKENS),
        ("GET", f"{NEUTRON}/extensions"),
        ("GET", f"{NEUTRON}/extensions"),
    ]


def test_insecure_is_known(mock: requests_mock.Mocker, clouds: Path) -> None:
    assert connect(["--os-cloud", "test", "--insecure"], config_files=[clouds]).insecure


def test_the_environment_names_the_cloud(
    mock: requests_mock.Mocker, clouds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLOUD", "test")
    assert connect([], config_files=[clouds]).project_id() == PROJECT


def test_application_credentials(mock: requests_mock.Mocker, clouds: Path) -> None:
    clouds.write_text(
        "clouds: {app: {auth_type: v3applicationcredential, region_name: RegionOne, "
        f"auth: {{auth_url: '{URL}/identity/v3', application_credential_id: i, application_credential_secret: s}}}}}}"
    )
    assert connect(["--os-cloud", "app"], config_files=[clouds]).project_id() == PROJECT
    assert mock.request_history[-1].json()["auth"]["identity"]["methods"] == ["application_credential"]


def test_how_often_reads_are_repeated_is_the_users_to_say(mock: requests_mock.Mocker, clouds: Path) -> None:
    clouds.write_text(CLOUDS.replace("    haos:", "    network_status_code_retries: 1\n    haos:"))
    cloud = connect([], cloud="test", config_files=[clouds])
    mock.get(f"{NEUTRON}/extensions", status_code=503, headers=AT_ONCE)
    with pytest.raises(CloudError):
        cloud.extensions()
    assert len(asked(mock)) == 4


@pytest.mark.parametrize(("setting", "limit"), [("", 60), ("    api_timeout: 7\n", 7)])
def test_every_request_has_a_time_limit(mock: requests_mock.Mocker, clouds: Path, setting: str, limit: int) -> None:
    clouds.write_text(CLOUDS.replace("    haos:", f"{setting}    haos:"))
    cloud = connect([], cloud="test", config_files=[clouds])
    mock.get(f"{NEUTRON}/extensions", json={"extensions": []})
    cloud.extensions()
    limits = [request.timeout for request in mock.request_history]
    assert limits[:2] == [limit, limit]
    assert limit - 5 < limits[2] <= limit


def test_the_time_limit_shrinks_with_the_calls_deadline(
    mock: requests_mock.Mocker, clouds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = connect([], cloud="test", config_files=[clouds])
    monkeypatch.setattr("haos.adapters.cloud_rest._clock", FakeClock())
    later = {"status_code": 503, "headers": {"Retry-After": "55"}}
    mock.get(f"{NEUTRON}/extensions", [later, {"json": {"extensions": []}}])
    cloud.extensions()
    assert [request.timeout for request in mock.request_history[2:]] == [60, 5]


def test_an_endpoint_of_the_users_own(mock: requests_mock.Mocker, clouds: Path) -> None:
    clouds.write_text(CLOUDS.replace("    haos:", "    network_endpoint_override: http://other.test:9696\n    haos:"))
    cloud = connect([], cloud="test", config_files=[clouds])
    mock.get("http://other.test:9696/v2.0/extensions", json={"extensions": []})
    assert cloud.extensions() == frozenset()


def edited(old: str, new: str) -> Callable[[str], str]:
    assert old in CLOUDS
    return lambda text: text.replace(old, new)


@pytest.mark.parametrize(
    ("argv", "edit", "kind", "words"),
    [
        (["--os-cloud", "nope"], str, AuthenticationError, "Cloud nope was not found"),
        ([], lambda _: "clouds: {}", AuthenticationError, "auth_url"),
        (["--os-cloud", "test"], edited("password: secret", ""), AuthenticationError, "no password is given"),
        (["--os-cloud", "test"], edited(URL, "cloud.test"), AuthenticationError, "auth_url 'cloud.test/identity/v3'"),
        (
            ["--os-cloud", "test", "--os-cacert", "/nonexistent/ca"],
            str,
            AuthenticationError,
            "no file /nonexistent/ca",
        ),
        (["--os-cloud", "test", "--os-auth-type", "zork"], str, AuthenticationError, "invalid auth-type"),
        (["--os-cloud", "test", "--timeout", "soon"], str, UsageError, "--timeout"),
        (["--os-cloud", "test"], lambda _: "hello", AuthenticationError, "not a valid mapping"),
    ],
)
def test_a_configuration_that_will_not_do(
    clouds: Path, argv: list[str], edit: Callable[[str], str], kind: type[HaosError], words: str
) -> None:
    clouds.write_text(edit(CLOUDS))
    with requests_mock.Mocker() as nobody, pytest.raises(HaosError) as error:
        connect(argv, config_files=[clouds])
    assert type(error.value) is kind
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.hint or kind is UsageError
    assert nobody.call_count == 0


def test_a_wrong_password(mock: requests_mock.Mocker, clouds: Path) -> None:
    mock.post(TOKENS, status_code=401, json=fixture("keystone/401"))
    with pytest.raises(AuthenticationError, match="requires authentication") as error:
        connect(["--os-cloud", "test"], config_files=[clouds])
    assert error.value.hint
    assert "secret" not in str(error.value)
    assert len(asked(mock)) == 2


@pytest.mark.parametrize(
    "answer", [{"status_code": 503, "headers": AT_ONCE}, {"exc": requests.exceptions.ReadTimeout}]
)
def test_a_token_request_is_repeated(
    mock: requests_mock.Mocker, clouds: Path, monkeypatch: pytest.MonkeyPatch, answer: dict[str, object]
) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    mock.post(TOKENS, [answer, GRANTED])
    assert connect(["--os-cloud", "test"], config_files=[clouds]).project_id() == PROJECT


def test_an_endpoint_that_does_not_answer(
    mock: requests_mock.Mocker, clouds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    mock.get(f"{URL}/identity/v3", exc=requests.exceptions.ConnectionError)
    with pytest.raises(CloudError, match=r"cannot authenticate at http://cloud\.test.* does not answer") as error:
        connect(["--os-cloud", "test"], config_files=[clouds])
    assert "reachable" in (error.value.hint or "")
    assert asked(mock) == ["GET /identity/v3"] * 4


def test_an_auth_url_that_is_none(mock: requests_mock.Mocker, clouds: Path) -> None:
    mock.get(f"{URL}/identity/v3", status_code=404, text="<html></html>")
    with pytest.raises(CloudError, match="cannot authenticate at") as error:
        connect(["--os-cloud", "test"], config_files=[clouds])
    assert "auth_url" in (error.value.hint or "")


def test_an_application_credential_that_was_deleted(mock: requests_mock.Mocker, clouds: Path) -> None:
    mock.post(TOKENS, status_code=404, json=fixture("keystone/404-credential"))
    with pytest.raises(AuthenticationError, match="Could not find Application Credential") as error:
        connect(["--os-cloud", "test"], config_files=[clouds])
    assert "application credential create" in (error.value.hint or "")


@pytest.mark.parametrize("missing", ["network", "compute"])
def test_a_catalog_without_a_service(mock: requests_mock.Mocker, clouds: Path, missing: str) -> None:
    token = fixture("keystone/token")
    token["token"]["catalog"] = [entry for entry in token["token"]["catalog"] if entry["type"] != missing]
    mock.post(TOKENS, json=token, headers={"X-Subject-Token": "t"}, status_code=201)
    with pytest.raises(CloudError, match=f"{missing} .*RegionOne") as error:
        connect(["--os-cloud", "test"], config_files=[clouds])
    assert error.value.hint == "openstack catalog list"


def test_a_token_without_a_project(mock: requests_mock.Mocker, clouds: Path) -> None:
    token = fixture("keystone/token")
    del token["token"]["project"]
    mock.post(TOKENS, json=token, headers={"X-Subject-Token": "t"}, status_code=201)
    with pytest.raises(AuthenticationError, match="not scoped to a project"):
        connect(["--os-cloud", "test"], config_files=[clouds])


@pytest.mark.parametrize(
    ("endpoint", "whole"),
    [
        ("http://n:9696", "http://n:9696/v2.0"),
        ("http://n:9696/", "http://n:9696/v2.0"),
        ("http://n/networking/v2.0", "http://n/networking/v2.0"),
        ("http://v1.test/network", "http://v1.test/network/v2.0"),
        ("http://n/v2/26cfbd9d", "http://n/v2/26cfbd9d"),
    ],
)
def test_the_version_is_added_where_the_catalog_lacks_it(endpoint: str, whole: str) -> None:
    assert versioned(endpoint, "v2.0") == whole


@pytest.mark.parametrize(("section", "words"), [({"ssh_usr": "x"}, "unknown key 'ssh_usr'"), ("x", "a mapping")])
def test_a_haos_section_with_mistakes_is_refused(section: object, words: str) -> None:
    with pytest.raises(CloudError, match=words):
        settings_of({"haos": section})


def test_a_keystone_that_asks_for_a_login_before_its_versions_is_not_waited_for(
    mock: requests_mock.Mocker, clouds: Path
) -> None:
    """keystoneauth alone waits for ever here: for a token, while it is at getting one."""
    mock.get(f"{URL}/identity/v3", status_code=401, text="<html>Who are you?</html>")
    with pytest.raises(AuthenticationError, match=r"/identity/v3 asks for a login before .* \(HTTP 401\)") as raised:
        connect([], cloud="test", config_files=[clouds])
    assert "auth_url" in str(raised.value.hint)
    assert len(asked(mock)) == 1
