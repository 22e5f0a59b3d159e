"""Console logs are hostile until proven whole."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haos.core.hostkeys import BEGIN, END, HostKey, keys_on_console, parse_key

LOGS = Path(__file__).parents[2] / "fixtures" / "host"
FINGERPRINTS = [
    # as `ssh-keygen -l` printed them: fixtures/host/console-origin.txt
    "ECDSA SHA256:0YcOHU87dK3TgaBijcBpTJVHCdoLj2D9Gk5k97Us61w",
    "ED25519 SHA256:vzbhEajtSdCcbmH0zsY6OkLtNU1podD/pqZRVt2FM/k",
    "RSA SHA256:CHhxibdHXVbsmm09q2HwkvWpP/Xj1kGmTK7aTHzD6ZA",
]


def log(name: str) -> str:
    return (LOGS / f"console-{name}.txt").read_bytes().decode()


def ed25519(secret: int) -> HostKey:
    raw = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + secret.to_bytes(32, "big")
    return HostKey("ssh-ed25519", base64.b64encode(raw).decode())


def test_genuine_block_is_read() -> None:
    found = keys_on_console(log("genuine"))
    assert found.reason is None
    assert [str(key) for key in found.keys] == FINGERPRINTS


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("rolled-over", "holds no host keys"),
        ("doubled", "more than one block"),
        ("forged-inside", "more than one block"),
        ("cut-head", "is cut"),
        ("cut-tail", "is cut"),
        ("cut-line", "lines that are no host keys"),
        ("interleaved", "lines that are no host keys"),
        ("interleaved-line", "lines that are no host keys"),
        ("unknown-type", "lines that are no host keys"),
        ("two-of-a-type", "two keys of one type"),
        ("prefixed", "malformed"),
        ("empty-block", "no usable key"),
    ],
)
def test_anything_else_gives_no_trust(name: str, reason: str) -> None:
    found = keys_on_console(log(name))
    assert found.keys == ()
    assert found.reason is not None
    assert reason in found.reason


def test_block_of_outdated_keys_alone_is_no_trust() -> None:
    fields = [b"ssh-dss", b"p", b"q", b"g", b"y"]
    blob = base64.b64encode(b"".join(len(f).to_bytes(4, "big") + f for f in fields)).decode()
    assert keys_on_console(f"{BEGIN}\nssh-dss {blob}\n{END}\n").keys == ()
    key = ed25519(1)
    assert keys_on_console(f"{BEGIN}\nssh-dss {blob}\n{key.line('').strip()} c\n{END}\n").keys == (key,)


@given(st.integers(0, 10_000), st.integers(1, 40))
def test_genuine_log_with_anything_cut_out_never_yields_other_keys(start: int, size: int) -> None:
    whole = log("genuine")
    found = keys_on_console(whole[:start] + whole[start + size :])
    assert {str(key) for key in found.keys} <= set(FINGERPRINTS)


@given(st.lists(st.integers(2, 9), min_size=1, max_size=3), st.integers(0, 40))
def test_no_place_for_a_forged_block_beside_the_genuine_one(secrets: list[int], place: int) -> None:
    lines = log("genuine").splitlines()
    forged = [BEGIN, *(ed25519(secret).line("").strip() for secret in secrets), END]
    lines[min(place, len(lines)) : min(place, len(lines))] = forged
    assert keys_on_console("\n".join(lines)).keys == ()


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    assert keys_on_console(text).keys == ()
    assert keys_on_console(f"{BEGIN}\n{text}\n{END}").keys == ()


@pytest.mark.parametrize(
    "line",
    [
        "ssh-ed25519",
        "ssh-ed25519 !!!",
        f"ssh-rsa {ed25519(1).blob}",
        f"ssh-ed25519 {ed25519(1).blob[:-4]}",
        f"ssh-ed25519 {ed25519(1).blob} two words",
        f" ssh-ed25519 {ed25519(1).blob}",
        f"ssh-ed25519 {ed25519(1).blob} \x1b[31m",
        f"ssh-ed25519-cert-v01@openssh.com {ed25519(1).blob}",
        "ssh-ed25519 " + base64.b64encode(base64.b64decode(ed25519(1).blob) + b"\0").decode(),
    ],
)
def test_parse_key_refuses(line: str) -> None:
    assert parse_key(line) is None


@given(st.integers(0, 2**256 - 1))
def test_key_survives_the_way_through_known_hosts(secret: int) -> None:
    key = ed25519(secret)
    assert parse_key(key.line("host").split(" ", 1)[1]) == key
