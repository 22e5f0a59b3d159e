"""The mask that lies over logs and tracebacks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.cli.masking import masked, secrets_said
from tests.security.marks import AWKWARD, Mark

HARMLESS = "PUT /v2.0/ports/913c4131-0cc3-4df4-9f7e-b4cf4ae885ca fixed_ips=ip_address=10.200.51.2 https://h/p?q=a@b"


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=6))
def test_a_secret_is_gone_whatever_stands_around_it(core: str) -> None:
    secret = core + AWKWARD
    text = f"a={secret!r} b={Mark(core).in_url} c=http://u:{Mark(core).in_url}@h/ d={secret.encode()!r} {secret}"
    assert core not in masked(text, [secret])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET http://me:pw@h:1/x", "GET http://***@h:1/x"),
        ("at https://me:p%40w@[::1]/x, 'https://you@h'", "at https://***@[::1]/x, 'https://***@h'"),
        ("X-Auth-Token: gAAAAABmabcdefghijklmnopqrst==", "X-Auth-Token: ***"),
        ("Authorization: Basic dTpwYXNzd29yZA==", "Authorization: Basic ***"),
        (HARMLESS, HARMLESS),
    ],
)
def test_what_is_known_by_its_form(text: str, shown: str) -> None:
    assert masked(text, []) == shown


def test_what_is_too_short_to_be_a_secret_masks_nothing() -> None:
    assert masked("haos lab up", ["lab"]) == "haos lab up"


def test_secrets_are_found_where_they_were_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_PASSWORD", "one-of-these")
    monkeypatch.setenv("OS_AUTH_URL", "https://me:two%40of@h/v3")
    monkeypatch.setenv("HAOS_SUDO_PASSWORD", "three-of-these")
    said = secrets_said(["--os-token", "four", "--os-application-credential-secret=five", "--os-cloud", "six"])
    assert {"one-of-these", "two%40of", "two@of", "three-of-these", "four", "five"} <= said
    assert not {"six", "me"} & said
