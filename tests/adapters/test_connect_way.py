"""The way to the cloud: regions, interfaces, certificates; what cannot be read; what is told of requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import requests
import requests_mock

from haos.adapters.cloud_config import cloud_region
from haos.adapters.cloud_errors import public_url
from haos.adapters.connect import connect
from haos.errors import AuthenticationError, CloudError, UsageError
from tests.adapters.cloud_double import AUTH, NEUTRON, asked, configure, fixture, serve_keystone


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return configure(tmp_path, monkeypatch)


@pytest.fixture
def mock() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mocker:
        serve_keystone(mocker)
        yield mocker


def test_auth_url_given_wins(mock: requests_mock.Mocker) -> None:
    mock.register_uri(requests_mock.ANY, re.compile(r"//other\.test/"), status_code=404)
    with pytest.raises(CloudError, match=r"cannot authenticate at http://other\.test/v3") as error:
        connect(["--os-cloud", "full", "--os-auth-url", "http://other.test/v3"])
    assert "is auth_url right?" in (error.value.hint or "")


ENDPOINTS = [
    {"interface": interface, "region": region, "region_id": region, "id": interface + region, "url": f"http://{host}"}
    for interface, region, host in (
        ("public", "RegionOne", "one.test"),
        ("internal", "RegionOne", "inner.test"),
        ("public", "RegionTwo", "two.test"),
    )
]


@pytest.mark.parametrize(
    ("argv", "environment", "host"),
    [
        ([], {}, "one"),
        (["--os-interface", "internal"], {}, "inner"),
        ([], {"OS_INTERFACE": "internal"}, "inner"),
        (["--os-region-name", "RegionTwo"], {}, "two"),
        ([], {"OS_REGION_NAME": "RegionTwo"}, "two"),
        (["--os-region-name", "RegionOne"], {"OS_REGION_NAME": "RegionTwo"}, "one"),
    ],
)
def test_where_the_services_are(
    mock: requests_mock.Mocker,
    monkeypatch: pytest.MonkeyPatch,
    argv: Sequence[str],
    environment: Mapping[str, str],
    host: str,
) -> None:
    token = fixture("keystone/token")
    for entry in token["token"]["catalog"]:
        entry["endpoints"] = ENDPOINTS
    mock.post(f"{AUTH}/auth/tokens", json=token, headers={"X-Subject-Token": "t"}, status_code=201)
    mock.get(f"http://{host}.test/v2.0/extensions", json={"extensions": []})
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert connect(["--os-cloud", "full", *argv]).extensions() == frozenset()


def test_the_clouds_own_region_goes_before_the_environments(
    mock: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    config.write_text(config.read_text().replace("regions: [RegionOne, RegionTwo]", "region_name: RegionOne"))
    monkeypatch.setenv("OS_REGION_NAME", "RegionTwo")
    connect(["--os-cloud", "full"])


@pytest.mark.parametrize(("cloud", "hint"), [("full", "--os-cloud"), ("bare", "openstack catalog list")])
def test_an_unknown_region_is_said(mock: requests_mock.Mocker, cloud: str, hint: str) -> None:
    with pytest.raises(CloudError, match="RegionNine") as error:
        connect(["--os-cloud", cloud, "--os-region-name", "RegionNine"])
    assert hint in (error.value.hint or "")


@pytest.mark.parametrize(
    ("argv", "setting", "verify"),
    [
        ([], "", True),
        (["--insecure"], "", False),
        ([], "verify: false", False),
        ([], "insecure: true", False),
        (["--os-cacert", "{ca}"], "", "{ca}"),
        (["--os-cacert", "{ca}"], "cacert: /nonexistent/other", "{ca}"),
    ],
)
def test_certificates(config: Path, tmp_path: Path, argv: list[str], setting: str, verify: object) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("")
    config.write_text(config.read_text().replace("  by-id:", f"    {setting}\n  by-id:"))
    region = cloud_region(["--os-cloud", "full", *(word.format(ca=ca) for word in argv)], None)
    assert region.get_requests_verify_args()[0] == (str(ca) if isinstance(verify, str) else verify)


def test_the_environments_ca_is_used_where_the_cloud_has_none(
    monkeypatch: pytest.MonkeyPatch, config: Path, tmp_path: Path
) -> None:
    for name in ("env.pem", "own.pem"):
        (tmp_path / name).write_text("")
    monkeypatch.setenv("OS_CACERT", str(tmp_path / "env.pem"))
    assert cloud_region(["--os-cloud", "full"], None).config["cacert"] == str(tmp_path / "env.pem")
    config.write_text(config.read_text().replace("  by-id:", f"    cacert: {tmp_path}/own.pem\n  by-id:"))
    assert cloud_region(["--os-cloud", "full"], None).config["cacert"] == str(tmp_path / "own.pem")


def test_versions_that_haos_chooses_itself_are_let_pass(mock: requests_mock.Mocker) -> None:
    connect(["--os-cloud", "full", "--os-compute-api-version", "2.90", "--os-identity-api-version=3"])


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--os-cloud", "odd"], "knows no 'colour'"),
        (["--os-cloud", "app-by-name", "--os-user-domain-name", ""], "user"),
        (["--os-cloud", "app", "--os-auth-type", "zork"], "invalid auth-type"),
    ],
)
def test_a_login_that_will_not_do_is_one_line(mock: requests_mock.Mocker, argv: Sequence[str], words: str) -> None:
    with pytest.raises(AuthenticationError, match=words) as error:
        connect(argv)
    assert "\n" not in error.value.reason
    assert error.value.hint


def test_a_file_that_is_no_yaml_is_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("clouds: {a: [")
    with pytest.raises(
        AuthenticationError, match=f"Cloud full was not found.*Skipping config file {config}"
    ) as error:
        connect(["--os-cloud", "full"])
    assert "\n" not in error.value.reason
    assert capsys.readouterr().err == ""


def test_an_option_that_nobody_knows() -> None:
    with pytest.raises(UsageError, match="no such option: --os-zork") as error:
        connect(["--os-cloud", "full", "--os-zork", "x"])
    assert error.value.exit_code == 2


def test_requests_that_fail_are_told_of_too(mock: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    told: list[str] = []
    cloud = connect(["--os-cloud", "full"], on_request=lambda method, url, seconds: told.append(f"{method} {url}"))
    mock.get(f"{NEUTRON}/extensions", [{"exc": requests.exceptions.ConnectTimeout}, {"json": {"extensions": []}}])
    cloud.extensions()
    assert told == [f"GET {AUTH}", f"POST {AUTH}/auth/tokens", *[f"GET {NEUTRON}/extensions"] * 2]
    assert len(told) == len(asked(mock))


def test_the_password_in_a_url_is_not_told(mock: requests_mock.Mocker) -> None:
    told: list[str] = []
    url = AUTH.replace("://", "://me:word@")
    mock.get(url, json=fixture("keystone/v3"))
    mock.post(f"{url}/auth/tokens", status_code=401, json=fixture("keystone/401"))
    with pytest.raises(AuthenticationError) as error:
        connect(["--os-cloud", "full", "--os-auth-url", url], on_request=lambda method, url, _: told.append(url))
    assert told == [AUTH, f"{AUTH}/auth/tokens"]
    assert "word" not in f"{error.value} {error.value.hint}"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://c/v2.0/networks?name=a%26b", "http://c/v2.0/networks?name=a%26b"),
        ("http://c/x?temp_url_signature=abc&name=n", "http://c/x?temp_url_signature=***&name=n"),
        ("https://u:p@c:5000/v3?token=t&X-Auth-Token=", "https://c:5000/v3?token=***&X-Auth-Token=***"),
    ],
)
def test_no_secrets_in_what_is_told(url: str, told: str) -> None:
    assert public_url(url) == told
