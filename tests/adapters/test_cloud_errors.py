"""What the services and the network answer, as one line with a hint that helps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
import requests_mock
from keystoneauth1 import exceptions as ksa
from keystoneauth1.session import Session

from haos.adapters.cloud_errors import BusyError, LostAnswerError, RevisionError, retry_after_s, translated
from haos.errors import (
    AddressTakenError,
    AuthenticationError,
    CloudError,
    ForbiddenError,
    HaosError,
    MacTakenError,
    NotFoundError,
    QuotaError,
)
from tests.adapters.cloud_double import NEUTRON, fixture

CONNECTION = "HTTPConnectionPool(host='cloud.test', port=80): Max retries exceeded with url: /v3?a=b (Caused by {})"
REFUSED = "NewConnectionError(\"HTTPConnection(host='c', port=80): Failed: [Errno 111] Connection refused\")"
UNKNOWN = "NameResolutionError(\"Failed to resolve 'c' ([Errno -2] Name or service not known)\")"
ABORTED = "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))"


def failed(**answer: Any) -> HaosError:
    """Return what a request that is answered so raises."""
    with requests_mock.Mocker() as mock:
        mock.get(NEUTRON, [answer])
        with pytest.raises(HaosError) as raised, translated("list ports"):
            Session().get(NEUTRON)
    assert str(raised.value).startswith("cannot list ports: ")
    assert "\n" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "words", "hint"),
    [
        (400, "neutron/400-pairs", CloudError, "exceeds the maximum 10", "at most 10 address pairs"),
        (401, "keystone/401", AuthenticationError, "requires authentication", "openstack token issue"),
        (404, "nova/404", NotFoundError, "could not be found", "this project's to see"),
        (409, "neutron/409-ip", AddressTakenError, "already allocated", "--fixed-ip ip-address=10.200.51.2"),
        (409, "neutron/409-mac", MacTakenError, "is in use", "--mac-address 00:00:5e:00:01:01"),
        (409, "neutron/409-quota", QuotaError, "Quota exceeded for resources", "openstack quota show"),
        (409, "neutron/409-group-in-use", CloudError, "in use", "openstack port list --security-group"),
        (412, "neutron/412", RevisionError, "current revision is 4", "run the same command again"),
    ],
)
def test_statuses(status: int, body: str, kind: type[HaosError], words: str, hint: str) -> None:
    error = failed(status_code=status, json=fixture(body))
    assert type(error) is kind
    assert words in str(error)
    assert f"(HTTP {status})" in str(error)
    assert hint in (error.hint or "")


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("neutron/403-pairs", "update_port:allowed_address_pairs:ip_address"),
        ("nova/403", "os_compute_api:os-console-output"),
    ],
)
def test_the_policy_rule_that_says_no_is_named(body: str, rule: str) -> None:
    error = failed(status_code=403, json=fixture(body))
    assert type(error) is ForbiddenError
    assert str(error) == f"cannot list ports: policy rule {rule} says no (HTTP 403)"
    assert "network's owner" in (error.hint or "")


@pytest.mark.parametrize("status", [400, 405, 409, 413, 418])
def test_even_an_answer_that_nobody_foresaw_has_a_remedy(status: int) -> None:
    error = failed(status_code=status, json={"NeutronError": {"type": "Odd", "message": "odd"}})
    assert "odd" in str(error)
    assert error.hint


def test_nothing_that_a_terminal_would_obey_is_repeated() -> None:
    error = failed(status_code=409, json={"NeutronError": {"type": "X", "message": "port \x1b[2J\x07 \u202e is odd"}})
    assert "port ?[2J? ? is odd" in str(error)


def test_a_refusal_without_a_rule_keeps_its_words() -> None:
    assert "no entry" in str(failed(status_code=403, json={"forbidden": {"message": "no\nentry"}}))


@pytest.mark.parametrize(
    ("status", "kind"), [(429, BusyError), (500, LostAnswerError), (503, LostAnswerError), (501, CloudError)]
)
def test_trouble_of_the_service(status: int, kind: type[CloudError]) -> None:
    error = failed(status_code=status, text="<html>Oh\nno</html>", headers={"Retry-After": "7"})
    assert type(error) is kind
    assert getattr(error, "retry_after_s", 7) == 7


SENT = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": " 120 "}, 120),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": SENT}, 30),
        ({"Retry-After": "Wednesday, 21-Oct-26 07:28:30 GMT", "Date": SENT}, 30),
        ({"Retry-After": "Wed Oct 21 07:28:30 2026", "Date": SENT}, 30),
        ({"Retry-After": "Wed, 21 Oct 2026 07:27:00 GMT", "Date": SENT}, 0),
        ({"Retry-After": "Wed, 21 Oct 1994 07:27:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "\u0663"}, None),
        ({"Retry-After": "Wed, 99 Oct 2026 07:28:30 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 99999999 07:28:00 GMT"}, None),
        ({}, None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers) == wait_s


def test_a_date_without_one_of_the_answer_is_counted_from_now() -> None:
    waited = retry_after_s({"Retry-After": format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)})
    assert waited is not None
    assert 3000 < waited <= 3600


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (CONNECTION.format(REFUSED), "Connection refused"),
        (CONNECTION.format(UNKNOWN), "Name or service not known"),
        (ABORTED, "Remote end closed connection without response"),
        ("?", "no connection"),
    ],
)
def test_a_connection_that_fails_says_why_in_a_few_words(text: str, why: str) -> None:
    error = failed(exc=requests.exceptions.ConnectionError(text))
    assert type(error) is LostAnswerError
    assert str(error) == f"cannot list ports: {NEUTRON} does not answer ({why})"


def test_a_timeout() -> None:
    error = failed(exc=requests.exceptions.ReadTimeout)
    assert str(error) == f"cannot list ports: {NEUTRON} does not answer (timed out)"


def test_a_certificate_that_is_not_trusted() -> None:
    error = failed(exc=requests.exceptions.SSLError("certificate verify failed: self-signed"))
    assert type(error) is CloudError
    assert "certificate verify failed" in str(error)
    assert "--os-cacert" in (error.hint or "")


@pytest.mark.parametrize(
    ("raised", "kind", "hint"),
    [
        (ksa.EndpointNotFound("no endpoint"), CloudError, "openstack catalog list"),
        (ksa.DiscoveryFailure("no versions"), CloudError, "auth_url"),
        (ksa.AuthorizationFailure("no"), AuthenticationError, "clouds.yaml"),
        (ksa.MissingAuthPlugin("none"), AuthenticationError, "clouds.yaml"),
        (ksa.ClientException("odd"), CloudError, ""),
    ],
)
def test_what_is_no_answer(raised: Exception, kind: type[HaosError], hint: str) -> None:
    with pytest.raises(HaosError) as error, translated("list ports"):
        raise raised
    assert type(error.value) is kind
    assert str(raised) in str(error.value)
    assert hint in (error.value.hint or "")


def test_bugs_are_not_translated() -> None:
    with pytest.raises(KeyError), translated("list ports"):
        raise KeyError("ports")
